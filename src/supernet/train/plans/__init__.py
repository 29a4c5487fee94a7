"""Phases that depend on the space, one rule per file."""
