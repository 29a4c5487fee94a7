"""Methods in which a network beside the supernet teaches it."""
