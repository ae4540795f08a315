"""Runs attacks on examples: slots, devices, shards, and a journal that survives a kill."""
