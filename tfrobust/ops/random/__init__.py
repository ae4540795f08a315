"""Random numbers that belong to an example, not to a batch, a device or a call."""
