"""Checks before the attacks: what is given, and what the classifier makes of it."""
