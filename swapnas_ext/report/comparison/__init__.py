"""Reports how runs compare."""
