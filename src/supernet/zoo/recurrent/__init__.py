"""Recurrent cells that are searched, inside a model of texts."""
