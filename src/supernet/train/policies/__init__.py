"""What draws architectures by probabilities that it learns from rewards."""
