"""Reports what a search found."""
