"""Optimizers and learning rates with the semantics of the papers' code."""
