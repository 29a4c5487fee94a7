"""How a path runs, where that is not the supernet on the images of the batch."""
