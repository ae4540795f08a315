"""Quantities that are measured after each epoch and logged with the others."""
