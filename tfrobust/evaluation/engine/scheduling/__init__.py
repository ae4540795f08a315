"""The searches of an attack on slots: programs, the queue, streams, and how many of each."""
