"""Dividing the space of every leaf by the options of choices (few-shot NAS)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from supernet.nn.leaves import Leaves, draw_afresh
from supernet.train.adapt.copies import leaves_of, named
from supernet.train.context import Context


@dataclass(frozen=True)
class SplitByOption:
    """Divides every leaf by some choices into one leaf per option (Few-shot NAS's exhaustive split).

    [arXiv 2006.06863](https://arxiv.org/abs/2006.06863).

    Args:
        choices: The choices; None: the first that can split the space.
        fresh: Draw the weights of every leaf anew; otherwise they are those of the leaf it was part of.
    """

    choices: tuple[str, ...] | None = None
    fresh: bool = False

    def __call__(self, context: Context) -> None:
        """Split, at the beginning of a phase."""
        leaves = leaves_of(context.net)
        for choice in named(leaves.space, self.choices):
            for leaf in in_use(leaves):
                leaves.split(leaf, choice.name)
        if self.fresh:
            draw_leaves_afresh(leaves, context.seed)


def in_use(leaves: Leaves) -> list[int]:
    """The copies that hold a sub-space."""
    return [number for number, space in enumerate(leaves.spaces) if space is not None]


def draw_leaves_afresh(leaves: Leaves, seed: int) -> None:
    """Draw the weights of every copy in use anew, each from a seed of its own."""
    for leaf in in_use(leaves):
        draw_afresh(leaves.copies[leaf], int(np.random.default_rng([seed, leaf]).integers(2**63)))
