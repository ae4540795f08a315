"""The global batch of several devices, and devices that hold no example of it."""
