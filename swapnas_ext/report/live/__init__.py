"""Reports of a search that is running: one model, a view in a terminal, lines of text, and a page."""
