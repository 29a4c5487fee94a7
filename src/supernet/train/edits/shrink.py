"""What ends a stage of angle-based shrinking: options are dropped, and perhaps the training ends (ABS)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Space
from supernet.train.context import Context
from supernet.train.edits.cells import operations_of
from supernet.train.edits.drop_options import DropOptions
from supernet.train.optimisers._protocol import check_number
from supernet.train.step import FINISHED


@dataclass(frozen=True, kw_only=True)
class Shrink:
    """Options are dropped, and the training ends once few enough architectures are left (ABS, algorithm 2).

    [arXiv 2004.13431](https://arxiv.org/abs/2004.13431).

    Args:
        drop: What is dropped.
        threshold: The number of architectures at which the space is small enough.
        rebase: Once more options than this have been dropped, the part `initial` takes the present weights, and never
            again; None: it keeps those of the beginning.
        initial: The part of the recipe that holds the weights from which angles are measured, a `CopyOfNet`.

    Raises:
        UsageError: a number outside its range.
    """

    drop: DropOptions
    threshold: float
    rebase: int | None = None
    initial: str = "initial"

    def __post_init__(self) -> None:
        check_number("The number of architectures that are left", self.threshold, above=0)
        if self.rebase is not None and self.rebase < 0:
            raise UsageError(f"rebase is {self.rebase}; give the number of dropped options, or None.")

    def __call__(self, context: Context) -> None:
        """Drop options, and end the training where the space is small enough."""
        before = context.memory.get("dropped", 0)
        dropped = context.memory["dropped"] = before + int(self.drop(context)["dropped"])
        if self.rebase is not None and before <= self.rebase < dropped:
            context.step.part(self.initial, Supernet).load_state_dict(context.net.state_dict())
        left = context.restriction.space.size
        if left <= self.threshold:
            context.memory[FINISHED] = f"{left:,} architectures are left"

    def rounds(self, space: Space) -> int:
        """The largest number of times that it can be needed until the space is small enough."""
        operations = {choice.name for choice in operations_of(space)}
        others = math.prod(len(space.allowed(name)) for name in space.names if name not in operations)
        left = [len(space.allowed(name)) for name in operations]
        found = 0
        while others * math.prod(left) > self.threshold and max(left, default=1) > 1:
            found += 1
            if self.drop.count is None:
                left = [max(1, options - 1) for options in left]
            else:
                for _ in range(self.drop.count):  # from the largest choice, which loses least
                    left[left.index(max(left))] = max(1, max(left) - 1)
        return found
