"""The candidate pool of a training: the architectures that were rated best (GreedyNAS, §3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from supernet.errors import UsageError
from supernet.io.run_directory import RunDirectory
from supernet.space import Arch, Codes, Space
from supernet.train import checkpoint

__all__ = ["load_candidates"]

Code: TypeAlias = tuple[int, ...]

_KEY = "pool"


class CandidatePool:
    """The lowest-rated architectures, kept in the memory of a training.

    An architecture is held once, with its latest rating and the step of it; ascending by rating.

    Args:
        memory: The mapping `Step.memory`, in which the pool is kept, so that it is in checkpoints.
        capacity: The largest number of architectures that the pool holds.

    >>> pool = CandidatePool({}, capacity=2)
    >>> pool.push([(0, 0), (0, 1), (1, 1)], [0.3, 0.1, 0.2], step=0)
    >>> pool.codes()
    [(0, 1), (1, 1)]
    """

    def __init__(self, memory: dict[str, Any], capacity: int) -> None:
        self._memory, self.capacity = memory, capacity

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def _entries(self) -> list[tuple[float, int, list[int]]]:
        entries: list[tuple[float, int, list[int]]] = self._memory.get(_KEY, [])
        return entries

    def codes(self) -> list[Code]:
        """The architectures, the best first."""
        return [tuple(code) for _, _, code in self._entries]

    def draw(self, count: int, space: Space, rng: np.random.Generator) -> Codes:
        """Different members that lie in the (sub-)space (n, D), uniformly; n is `count`, or less where it has fewer."""
        members = np.asarray([code for _, _, code in self._entries], dtype=np.int16).reshape(len(self), len(space))
        members = members[space.contains(members)]
        return members[rng.permutation(len(members))[:count]]

    def push(self, codes: Sequence[Code], ratings: Sequence[float], *, step: int) -> None:
        """Take in new ratings, which replace older ones, and keep the `capacity` lowest."""
        entries = {tuple(entry[2]): entry for entry in self._entries}
        for code, rating in zip(codes, ratings, strict=True):
            entries[code] = (rating, step, list(code))
        ranked = sorted(entries.values(), key=lambda entry: (entry[0], entry[2]))
        self._memory[_KEY] = [list(entry) for entry in ranked[: self.capacity]]


class Candidate(NamedTuple):
    """A member of the pool.

    Attributes:
        arch: The architecture.
        rating: Its latest rating, the lower the better; a loss, unless another rating was asked for.
        step: Steps done when it was rated. The weights have changed since: an old rating is stale.
    """

    arch: Arch
    rating: float
    step: int


def candidates(space: Space, memory: Mapping[str, Any]) -> list[Candidate]:
    """The candidate pool in the memory of a training, the best first; empty if it kept none."""
    entries = memory.get(_KEY, [])
    codes = np.asarray([code for _, _, code in entries], dtype=np.int16).reshape(len(entries), len(space))
    return [Candidate(arch, rating, step) for arch, (rating, step, _) in zip(space.wrap(codes), entries, strict=True)]


def load_candidates(space: Space, run: Path | str) -> list[Candidate]:
    """The candidate pool of the newest checkpoint of a run directory, the best first.

    Raises:
        UsageError: the directory has no checkpoint, one of another space, or one without a pool.
        RunError: the checkpoint is damaged.
    """
    directory = RunDirectory(run)
    newest = checkpoint.latest(directory.checkpoints)
    if newest is None:
        raise UsageError(f"{directory.path} holds no checkpoint; train first (supernet train --out {directory.path}).")
    meta = checkpoint.load(newest)[1]
    if meta["identity"]["space"] != space.fingerprint:
        raise UsageError(
            f"{newest} was trained on the space {meta['identity']['space']}, and its candidates were asked for in "
            f"the space {space.fingerprint}. Give the space of the run."
        )
    found = candidates(space, meta["memory"])
    if not found:
        raise UsageError(
            f"The training in {directory.path} kept no candidate pool; those by GreedyNAS do (--method greedynas)."
        )
    return found
