"""Reports what the scores of a run tell about a space, and how far they can be trusted."""
