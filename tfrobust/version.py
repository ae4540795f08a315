"""The version, in a file that imports nothing, so that every room may say it."""

__version__ = "0.2.0"
