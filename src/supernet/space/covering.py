"""Few architectures that together show every option."""

from __future__ import annotations

import numpy as np

from supernet.errors import UsageError
from supernet.space.arch import Codes
from supernet.space.space import Space

_LISTED = 2**12
_DRAWN = 2**8


def covering(space: Space, *, limit: int = 64) -> Codes:
    """Few architectures (N, D) in which every option of every choice is active at least once.

    Found greedily. Exact for spaces of up to 4,096 architectures, which are listed. In larger ones an option may be
    left out that exists only under conditions which neither the largest gates nor 256 random architectures meet.

    Args:
        space: The space, or a sub-space; its forbidden options stay out.
        limit: Greatest N; options beyond it are left out.

    >>> from supernet import Choice
    >>> depth = Choice("depth", (1, 2))
    >>> space = Space([depth, Choice("op", ("a", "b", "c")), Choice("k", (3, 5), when=depth > 1)])
    >>> [str(arch) for arch in space.wrap(covering(space))]
    ['depth=2,op=a,k=3', 'depth=2,op=b,k=5', 'depth=1,op=c']
    """
    if not len(space):  # nothing is chosen, so nothing has to be shown
        return space.codes(())
    candidates = _candidates(space, limit)
    shown = space.encode(candidates, "onehot") > 0
    missing = shown.any(axis=0)
    chosen: list[int] = []
    while missing.any() and len(chosen) < limit:
        best = int((shown & missing).sum(axis=1).argmax())
        chosen.append(best)
        missing &= ~shown[best]
    return candidates[chosen]


def _candidates(space: Space, limit: int) -> Codes:
    rows = np.arange(min(limit, int(space.counts.max())))
    turns = np.stack([allowed[rows % len(allowed)] for allowed in space.allowed_codes], axis=1)
    gates = {asked.name for choice in space.choices if choice.when is not None for asked in choice.when.choices()}
    columns = [space.column(name) for name in gates]
    wide = turns.copy()  # each option in turn, with the gates as wide open as they go
    wide[:, columns] = space.codes([space.largest()])[0, columns]
    try:
        listed = space.size <= _LISTED
    except UsageError:  # too entangled to count
        listed = False
    more = space.unindex(range(space.size)) if listed else space.population(np.random.default_rng(0), _DRAWN)
    return space.canonical(np.concatenate([wide, turns, more]))
