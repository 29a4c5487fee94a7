"""Two paths that have an operation in common (DC-NAS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Arch, Space
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step

_TRIES = 256


@dataclass(frozen=True)
class SharingPair:
    """A uniform path, and another one that is uniform among those that share an option with it.

    DC-NAS (Pan et al., CVPR 2022; an interpretation, see `methods.dc_nas`). Two paths share a choice where it matters
    in both and they decide it alike; they may be the same. Where 256 draws do not hit such a path, the last one takes
    over as many choices as it lacks.

    Args:
        share: The least number of choices that the two share.

    Raises:
        UsageError: it is below 1; when it is checked, the space has fewer choices.
    """

    share: int = 1

    def __post_init__(self) -> None:
        if self.share < 1:
            raise UsageError(f"Two paths were to share {self.share} options; give at least 1, or take Uniform(2).")

    @property
    def draws(self) -> Draws:
        return "joint"

    def check(self, net: Supernet) -> None:
        always = sum(choice.when is None for choice in net.space.choices)
        if always < self.share:
            raise UsageError(
                f"Two paths were to share {self.share} options, but only {always} choices are in every architecture. "
                "Give share a smaller number."
            )

    def paths(self, step: Step) -> Sequence[Arch]:
        space, rng = step.space, step.rng
        codes = space.population(rng, 1 + _TRIES)
        first, others = codes[:1], codes[1:]
        hits = np.flatnonzero(shared(space, first, others).sum(axis=1) >= self.share)
        second = others[hits[:1]] if len(hits) else self._made(space, first, others[-1:], rng)
        return space.wrap(np.concatenate([first, second]))

    def _made(self, space: Space, first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        always = [column for column, choice in enumerate(space.choices) if choice.when is None]
        lacking = [column for column in rng.permutation(always) if first[0, column] != second[0, column]]
        taken = lacking[: max(0, self.share - (len(always) - len(lacking)))]
        made = second.copy()
        made[0, taken] = first[0, taken]
        return space.canonical(made)


def shared(space: Space, one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which choices (N, D) each of the architectures (N, D) shares with one (1, D): decided alike, and in both."""
    alike: np.ndarray = (one == others) & space.active_mask(one) & space.active_mask(others)
    return alike
