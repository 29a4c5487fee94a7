"""Architectures as numbers for predictors."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from supernet.space import Choice, Codes, Space
from supernet.space.groups import stacks

Encoding: TypeAlias = Literal["onehot", "ordinal", "stack_means"]
"""One column per option (OFA), one per choice, or one per choice and stack of layers (HAT)."""


def encoded(space: Space, codes: Codes, encoding: Encoding) -> NDArray[np.float32]:
    """Features (N, F) of a population (N, D); decisions that do not matter count nothing in any of them."""
    return stack_means(space, codes) if encoding == "stack_means" else space.encode(codes, encoding)


def stack_means(space: Space, codes: Codes) -> NDArray[np.float32]:
    """HAT's features (N, groups) for any space: of each group of choices the mean over the layers that are there.

    [arXiv 2005.14187](https://arxiv.org/abs/2005.14187), section 3.2 and the released code: 10 numbers for its encoder
    and decoder (embedding, layers, and means of FFN and heads), each divided by the largest that it can be. A group is
    what `supernet.space.groups.stacks` says, such as the heads of all decoder layers. Options that are no
    numbers count as their place in the choice's `order`, from 1. A group of which no layer is there is 0.
    """
    active = space.active_mask(codes)
    columns = []
    for names in stacks(space).values():
        places = [space.column(name) for name in names]
        scales = [_scale(space.choices[place]) for place in places]
        values = np.stack([s[codes[:, place]] for s, place in zip(scales, places, strict=True)], axis=1)
        there = active[:, places]
        mean = (values * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
        columns.append(mean / max(float(np.abs(s).max()) for s in scales))
    return np.stack(columns, axis=1).astype(np.float32)


def _scale(choice: Choice) -> NDArray[np.float64]:
    """The number that each option counts as."""
    numbers = all(isinstance(option, int | float) and not isinstance(option, bool) for option in choice.options)
    if numbers and any(choice.options):
        return np.asarray(choice.options, dtype=np.float64)
    return np.asarray([choice.order.index(option) + 1 for option in choice.options], dtype=np.float64)
