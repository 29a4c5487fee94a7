"""Optimisers as values: one file per rule."""

from supernet.train.optimisers._protocol import Optimiser
from supernet.train.optimisers.adam import Adam
from supernet.train.optimisers.rmsprop import RMSprop
from supernet.train.optimisers.sgd import SGD

__all__ = ["SGD", "Adam", "Optimiser", "RMSprop"]
