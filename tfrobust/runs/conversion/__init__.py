"""Formats of converted classifiers, known without TensorFlow."""
