"""The only room that knows gin: configuration files in, a configured call and its record out."""

from tfrobust.config.configuration import Configuration as Configuration
