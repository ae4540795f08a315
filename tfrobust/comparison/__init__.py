"""Which rows of a table differ: runs that were judged on the same test examples, compared in pairs."""
