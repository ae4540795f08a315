"""The reports of runs and certifications, read and checked; without TensorFlow."""
