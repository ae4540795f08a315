"""Configuration files in, a configured call and its record out; only this room and compat.py import gin.

`preview`, `source` and `text` need no TensorFlow, so that a command may look before it imports that.
"""
