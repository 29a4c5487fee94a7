"""Methods for elastic networks."""
