"""Reports the scores of single models."""
