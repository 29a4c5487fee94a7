"""What a network learns from images without labels, by a mean teacher: one task per file."""
