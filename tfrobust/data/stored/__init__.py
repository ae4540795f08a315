"""Splits whose images are read where they are needed: files, records and memory maps, by Grain."""
