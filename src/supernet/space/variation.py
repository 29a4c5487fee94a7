"""How populations vary: the operators of evolutionary search, vectorised. `Space` has them as methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from supernet.errors import UsageError
from supernet.space.arch import Arch, Codes

if TYPE_CHECKING:
    from supernet.space.space import Space


def mutate(space: Space, codes: Codes, rng: np.random.Generator, *, p: float) -> Codes:
    """Resample every decision with probability `p`, uniformly over its options (SPOS's mutation).

    A decision that a mutation switches on (a deeper stage, say) is drawn afresh. The draw may hit the old
    option, as in the paper; `change_one` always changes something.

    Raises:
        UsageError: `p` is not a probability.
    """
    if not 0 <= p <= 1:
        raise UsageError(f"The mutation probability is {p}; it must lie between 0 and 1.")
    kept = space.active_mask(codes) & (rng.random(codes.shape) >= p)
    return space.canonical(np.where(kept, codes, space.draw(rng, len(codes))))


def change_one(space: Space, codes: Codes, rng: np.random.Generator) -> Codes:
    """Give exactly one active decision of every row another option (regularised evolution's mutation).

    The decision is uniform over those that can change, its option uniform over the others. Decisions that this
    switches on are drawn afresh.

    Raises:
        UsageError: an architecture has no active decision with another option.
    """
    counts = space.counts
    active = space.active_mask(codes)
    movable = active & (counts > 1)
    if not movable.any(axis=1).all():
        raise UsageError("The space leaves an architecture no decision to change; widen the space.")
    changed = np.where(active, codes, space.draw(rng, len(codes)))
    if not len(codes):
        return changed
    columns = np.where(movable, rng.random(codes.shape), -1.0).argmax(axis=1)
    for column in np.unique(columns):
        rows = np.flatnonzero(columns == column)
        allowed = space.allowed_codes[column]
        # Shift by 1 … n−1 places within the allowed options: uniform over the others.
        place = np.searchsorted(allowed, codes[rows, column])
        shift = rng.integers(1, len(allowed), size=len(rows))
        changed[rows, column] = allowed[(place + shift) % len(allowed)]
    return space.canonical(changed)


def crossover(space: Space, first: Codes, second: Codes, rng: np.random.Generator) -> Codes:
    """Cross the rows of two populations (N, D): take each decision from either parent with a fair coin.

    Where one parent has it inactive, it comes from the other; where both do and the child needs it, it is drawn
    afresh.

    Raises:
        UsageError: the populations differ in size.
    """
    if first.shape != second.shape:
        raise UsageError(
            f"Crossover pairs the rows of two populations; got {len(first)} and {len(second)} of them. "
            "Give as many first as second parents."
        )
    a, b = space.active_mask(first), space.active_mask(second)
    from_first = a & (~b | rng.integers(2, size=first.shape, dtype=bool))
    child = np.where(from_first, first, second)
    return space.canonical(np.where(a | b, child, space.draw(rng, len(first))))


def neighbours(space: Space, arch: Arch) -> list[Arch]:
    """Every architecture that differs in one decision.

    A decision that this switches on takes its first allowed option.

    Raises:
        UsageError: the architecture belongs to another space.
    """
    arch = space.taken(arch)
    base = np.asarray([allowed[0] for allowed in space.allowed_codes], dtype=np.int16)
    code = np.where(arch.active, space.codes([arch])[0], base)
    rows = []
    for column in np.flatnonzero(arch.active):
        for option in space.allowed_codes[column]:
            if option != code[column]:
                row = code.copy()
                row[column] = option
                rows.append(row)
    return space.wrap(np.stack(rows)) if rows else []
