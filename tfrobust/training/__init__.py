"""The run: checkpoints, records, signals."""
