"""What is learned about an architecture."""
