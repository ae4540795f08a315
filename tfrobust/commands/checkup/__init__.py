"""What `doctor` looks at: versions, the machine, data sets, and TensorFlow in a process of its own."""
