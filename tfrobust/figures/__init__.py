"""What figures show, and of what; its modules are imported by name, since most need no TensorFlow."""
