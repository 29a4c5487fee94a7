"""Losses of a path."""
