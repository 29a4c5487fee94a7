"""Numbers that change over a training, one kind per file."""
