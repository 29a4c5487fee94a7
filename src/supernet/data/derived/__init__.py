"""Splits made of other splits, and data sets made of them: values to write into a recipe."""
