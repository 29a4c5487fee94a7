"""Mutations that published searches make otherwise than `Space.mutate`: blocks at a time, another option, own rates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from supernet.space import Codes, Space
from supernet.space.groups import asked, blocks, whole


def mutate_blocks(space: Space, codes: Codes, rng: np.random.Generator, *, p: float, resolution_p: float) -> Codes:
    """Resample whole blocks: all that a block decides, its kernel and expansion say, or nothing (OFA).

    Each block and each choice that is in none, such as a depth, is resampled with probability `p`, and the choice
    named `resolution` with `resolution_p`. Draws may hit the old option.
    """
    groups = [[space.column(name) for name in names] for names in blocks(space)]
    inside = {column for group in groups for column in group}
    groups += [[column] for column in range(len(space)) if column not in inside]
    rates = np.asarray([resolution_p if space.names[group[0]] == "resolution" else p for group in groups])
    hit = rng.random((len(codes), len(groups))) < rates
    again = np.zeros(codes.shape, dtype=bool)
    for place, group in enumerate(groups):
        again[:, group] = hit[:, [place]]
    return _resampled(space, codes, again, rng)


def mutate_parts(space: Space, codes: Codes, rng: np.random.Generator, *, p: float, global_p: float) -> Codes:
    """Resample decisions of layers with probability `p`, those of the whole network and depths with `global_p`.

    That is AutoFormer's mutation. Draws may hit the old option.
    """
    shared = {*asked(space), *whole(space)}
    rates = np.asarray([global_p if name in shared else p for name in space.names])
    return _resampled(space, codes, rng.random(codes.shape) < rates, rng)


def mutate_others(space: Space, codes: Codes, rng: np.random.Generator, *, p: float) -> Codes:
    """Give each decision *another* option with probability `p`, uniform over the others (AlphaNet)."""
    hit = (rng.random(codes.shape) < p) & space.active_mask(codes) & (space.counts > 1)
    shift = 1 + (rng.random(codes.shape) * np.maximum(space.counts - 1, 1)).astype(np.int64)
    changed = codes.copy()
    for column, allowed in enumerate(space.allowed_codes):
        rows = hit[:, column]
        place = np.searchsorted(allowed, codes[rows, column])
        changed[rows, column] = allowed[(place + shift[rows, column]) % len(allowed)]
    kept = space.active_mask(codes)
    return space.canonical(np.where(kept, changed, space.draw(rng, len(codes))))


def _resampled(space: Space, codes: Codes, again: NDArray[np.bool_], rng: np.random.Generator) -> Codes:
    """The codes with some decisions drawn anew; what that switches on is drawn too."""
    kept = space.active_mask(codes) & ~again
    return space.canonical(np.where(kept, codes, space.draw(rng, len(codes))))
