"""Mergemeter: what AI coding agents cost for each merged pull request."""

__version__ = "0.1.0"
