"""Differentiable methods, made for cells."""
