"""Spaces around a model that exists already."""
