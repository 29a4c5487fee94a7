"""Modules beside the supernet that methods share, one kind per file."""
