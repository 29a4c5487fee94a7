"""Which paths share the optimiser's state."""
