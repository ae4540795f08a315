"""Time and memory of calls, taken in turns."""
