"""Factors on the learning rate over a training."""
