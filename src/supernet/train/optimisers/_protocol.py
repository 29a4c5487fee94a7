"""What an optimiser promises, and how its numbers are checked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch

from supernet.errors import UsageError

__all__ = ["Optimiser"]

Groups: TypeAlias = Iterable[dict[str, Any]]
"""Parameter groups as torch's optimisers take them: `{"params": […]}`, and settings that hold for the group alone."""


class Optimiser(Protocol):
    """Makes a torch optimiser for groups of parameters.

    `SGD(lr=0.1)` of this package is one, and so is anything else that can be called on groups, such as
    `functools.partial(torch.optim.AdamW, lr=1e-3)`, which then trains at exactly the learning rate it names.
    """

    def __call__(self, groups: Groups, /) -> torch.optim.Optimizer: ...


@runtime_checkable
class ForBatches(Protocol):
    """An optimiser whose learning rate is meant for batches of `per` images, and scales linearly with their number."""

    @property
    def per(self) -> int | None:
        """Images per batch that the learning rate is meant for; None: it holds as it is."""
        ...


@runtime_checkable
class InWholeTimes(Protocol):
    """An optimiser that may grow its learning rate by whole factors alone."""

    @property
    def whole(self) -> bool:
        """Whether the factor on the learning rate is rounded down to a whole number of at least 1."""
        ...


def factor_for(optimiser: Optimiser, batch_size: int) -> float:
    """The factor on an optimiser's learning rate for batches of this size.

    >>> from supernet.train import SGD
    >>> [factor_for(SGD(lr=0.1, per=256), size) for size in (64, 640)]
    [0.25, 2.5]
    >>> [factor_for(SGD(lr=0.1, per=256, whole=True), size) for size in (64, 640)]
    [1.0, 2.0]
    """
    per = optimiser.per if isinstance(optimiser, ForBatches) else None
    if per is None:
        return 1.0
    if isinstance(optimiser, InWholeTimes) and optimiser.whole:
        return float(max(1, batch_size // per))
    return batch_size / per


def check_number(
    what: str,
    value: object,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> None:
    """Check that a setting is a finite number within its bounds.

    Raises:
        UsageError: it is not.
    """
    bounds = [(above, "above"), (at_least, "of at least"), (below, "below"), (at_most, "of at most")]
    told = " and ".join(f"{word} {bound:g}" for bound, word in bounds if bound is not None)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or (above is not None and not value > above)
        or (at_least is not None and not value >= at_least)
        or (below is not None and not value < below)
        or (at_most is not None and not value <= at_most)
    ):
        raise UsageError(f"{what} is {value!r}; it must be a finite number {told}.")


def check_per(per: object) -> None:
    """Check the number of images that a learning rate is meant for.

    Raises:
        UsageError: it is neither a whole number from 1 up nor None.
    """
    if per is not None and (not isinstance(per, int) or isinstance(per, bool) or per < 1):
        raise UsageError(
            f"per is {per!r}; the learning rate is for batches of at least 1 example, or per=None for any."
        )
