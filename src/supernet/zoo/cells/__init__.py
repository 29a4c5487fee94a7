"""Spaces of cells."""
