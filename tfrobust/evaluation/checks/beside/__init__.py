"""Checks beside the attacks: short attacks of their own on a few examples."""
