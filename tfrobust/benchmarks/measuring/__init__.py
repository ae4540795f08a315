"""Time and memory of calls, taken in turns, and the tables that show them."""
