"""Runs: a configuration, a directory, and one file per verb; `load` gives what a run has brought as plain data."""

from supernet import catalog

__getattr__, __dir__ = catalog.lazy(__name__)
