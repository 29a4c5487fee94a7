"""Published tables of ground truth, one file per benchmark and file format."""
