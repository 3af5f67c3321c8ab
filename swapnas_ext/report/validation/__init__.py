"""Reports about a validation of scores by training."""
