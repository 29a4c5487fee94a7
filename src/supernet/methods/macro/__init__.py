"""Methods for spaces of whole networks."""
