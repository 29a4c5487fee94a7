"""Spaces of transformers."""
