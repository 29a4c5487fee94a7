"""Conditions under which a training ends before its last step, one kind per file."""
