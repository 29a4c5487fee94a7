"""Optimisers as values: one file per rule."""
