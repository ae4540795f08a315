"""What every command begins with, before TensorFlow is imported: flags, a first look, a quiet log."""
