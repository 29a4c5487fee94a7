"""Measurements along a training."""
