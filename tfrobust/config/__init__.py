"""Configuration files in, a configured call and its record out; only this room and compat.py import gin."""

from tfrobust.config.configuration import Configuration as Configuration
