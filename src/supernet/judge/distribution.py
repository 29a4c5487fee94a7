"""How likely architecture weights draw each architecture of a space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from supernet.errors import UsageError
from supernet.rank.checks import Floats, distribution
from supernet.space import Codes, Space


@dataclass(frozen=True, eq=False)
class Distribution:
    """Decisions drawn independently, as far as they matter: Pr(α) = ∏ over the active choices of α of p(option).

    A choice that the other decisions leave inactive is not drawn, so the probabilities of all architectures sum to 1
    in spaces with conditions too.

    Attributes:
        space: The space, or sub-space, that is drawn from.
        probabilities: Per choice of the space the probability of each option.
    """

    space: Space
    probabilities: tuple[Floats, ...]

    def log_probability(self, codes: Codes) -> Floats:
        """ln Pr(α) (N,) of each architecture of a population (N, D); −∞ for one that is never drawn."""
        active = self.space.active_mask(codes)
        total = np.zeros(len(codes))
        with np.errstate(divide="ignore"):
            for column, probability in enumerate(self.probabilities):
                total += np.where(active[:, column], np.log(probability)[codes[:, column]], 0.0)
        return total

    def probability(self, codes: Codes) -> Floats:
        """Pr(α) (N,) of each architecture of a population (N, D)."""
        return np.exp(self.log_probability(codes))

    def draw(self, rng: np.random.Generator, n: int) -> Codes:
        """A population (n, D), drawn with replacement."""
        columns = [rng.choice(len(p), size=n, p=p) for p in self.probabilities]
        return self.space.canonical(np.stack(columns, axis=1).astype(np.int16))

    @classmethod
    def independent(cls, space: Space, probabilities: Mapping[str, ArrayLike]) -> Distribution:
        """The distribution that architecture weights stand for where every choice has its own.

        For NAS-Bench-201 these are the softmax of the weights of each edge ("Evaluating supernet for neural
        architecture search", app. C.2).

        Args:
            space: The space that is drawn from; of a sub-space only the allowed options, with their probabilities
                rescaled.
            probabilities: Probabilities of the options of every choice, by its name, (number of its options,), in the
                order of its options.

        Raises:
            UsageError: a choice without probabilities or unknown to the space; not one number per option; negative, not
                finite or not summing to 1; nothing left on the allowed options.

        >>> from supernet.space import Choice
        >>> space = Space([Choice("op", ("skip", "conv"))])
        >>> Distribution.independent(space, {"op": [0.25, 0.75]}).probability(space.unindex([0, 1])).tolist()
        [0.25, 0.75]
        """
        for name in probabilities:
            space.column(name)
        missing = [name for name in space.names if name not in probabilities]
        if missing:
            raise UsageError(
                f"No probabilities were given for {', '.join(map(repr, missing))}; every choice needs them."
            )
        columns = []
        for choice, allowed in zip(space.choices, space.allowed_codes, strict=True):
            checked = distribution(probabilities[choice.name], len(choice), f"the choice {choice.name!r}")
            kept = np.zeros(len(choice))
            kept[allowed] = checked[allowed]
            if not kept.any():
                raise UsageError(
                    f"The options {space.allowed(choice.name)} that this sub-space allows for {choice.name!r} all have "
                    "probability 0, so no architecture of it can be drawn."
                )
            columns.append(kept / kept.sum())
        return cls(space, tuple(columns))
