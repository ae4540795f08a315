"""Keras callbacks of a run, whose state is restored when an interrupted run resumes."""
