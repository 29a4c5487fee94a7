"""Methods with several sets of weights."""
