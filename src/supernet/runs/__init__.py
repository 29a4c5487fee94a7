"""Runs: a configuration, a directory, and one file per verb."""
