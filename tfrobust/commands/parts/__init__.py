"""What the flags of single commands stand for, and the place of a table in a page."""
