"""What several reports have in common: charts, drawings, the frame of a page, and tables of text."""
