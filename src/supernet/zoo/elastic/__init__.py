"""Spaces of elastic layers."""
