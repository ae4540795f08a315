"""Checks after the attacks: what the finished evaluation says about itself."""
