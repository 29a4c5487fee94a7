"""Methods that train paths of one set of weights."""
