"""Reports how well scores rank the accuracies of a benchmark table."""
