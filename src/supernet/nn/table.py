"""Parameters that are looked up or added, and not multiplied."""

from __future__ import annotations

from torch import nn


class Table(nn.Parameter):
    """A parameter of positions: like biases, `Updates(decay_vectors=False)` leaves it out of weight decay."""
