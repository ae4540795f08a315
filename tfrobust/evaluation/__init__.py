"""Judging a trained classifier."""
