"""What the scripts in `bin/` do: one command, one file; TensorFlow is imported once the flags are right."""
