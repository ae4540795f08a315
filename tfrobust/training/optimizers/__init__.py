"""Optimizers and learning rates as the papers' code has them."""
