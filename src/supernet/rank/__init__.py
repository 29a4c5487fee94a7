"""Measures of agreement between two rankings, with their evidence. NumPy and SciPy only."""
