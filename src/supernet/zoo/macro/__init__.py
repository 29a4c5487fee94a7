"""Spaces of whole networks whose layers run several paths at once."""
