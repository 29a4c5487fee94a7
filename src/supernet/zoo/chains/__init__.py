"""Spaces of chains of blocks."""
