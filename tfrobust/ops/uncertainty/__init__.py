"""How sure a measured accuracy, or a difference of two, is."""
