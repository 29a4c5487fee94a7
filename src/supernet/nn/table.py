"""Parameters that are looked up or added, and not multiplied."""

from __future__ import annotations

from torch import Tensor, nn


class Table(nn.Parameter):
    """A parameter of positions: like biases, `Updates(decay_vectors=False)` leaves it out of weight decay."""


def is_table(parameter: Tensor) -> bool:
    """Whether a parameter is a table, or stands for one."""
    return isinstance(parameter, Table) or getattr(parameter, "stands_for_table", False)
