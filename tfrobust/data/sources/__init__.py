"""Functions that read a data set, one a file."""
