"""What the site needs beyond Sphinx: a drawing of the house, and references to public names by their short form."""
