"""Keras callbacks of a run, whose memory survives a kill."""
