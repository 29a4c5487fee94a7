"""How likely architecture weights draw each architecture of a space."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from supernet.errors import UsageError
from supernet.rank.checks import Floats, distribution
from supernet.space import Choice, Codes, Space

_INPUTS = ".inputs"


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

    @classmethod
    def of_weights(cls, space: Space, probabilities: Mapping[str, ArrayLike], *, none: str = "none") -> Distribution:
        """The distribution that the architecture weights of a method stand for, also where nodes choose their edges.

        Where every choice has weights this is `independent`. In a cell of DARTS a node keeps two of its edges: a choice
        `"normal.3.inputs"` of pairs of sources, and one of operations per edge, `"normal.3<-1"`, which alone has
        weights. The papers leave open how such a cell is drawn from them. The rule here follows the discretisation of
        DARTS step by step, with "the largest" replaced by "drawn in proportion":

        1. The strength s of an edge is the largest probability among its operations other than `none`.
        2. A node draws two edges one after the other, without replacement, in proportion to strength. With S = Σ s,
           Pr({i, j}) = s_i/S · s_j/(S − s_i) + s_j/S · s_i/(S − s_j).
        3. Each edge draws its operation from its probabilities without `none`, rescaled.

        Args:
            space: The space.
            probabilities: Probabilities by the names of choices; of `….inputs` too where a method learns these.
            none: The operation that is no edge at all.

        Raises:
            UsageError: a choice without probabilities that does not choose a pair of edges, a node with fewer than two
                edges whose strength is above 0, or as `independent`.
        """
        nodes = [c for c in space.choices if c.name.endswith(_INPUTS) and c.name not in probabilities]
        if not nodes:
            return cls.independent(space, probabilities)
        told, strengths = dict(probabilities), dict[str, float]()
        for choice in space.choices:
            if choice.name not in probabilities or choice.name.endswith(_INPUTS):
                continue
            checked = distribution(probabilities[choice.name], len(choice), f"the choice {choice.name!r}")
            real = np.asarray([option != none for option in choice.options])
            ops = np.where(real, checked, 0.0)
            strengths[choice.name] = float(ops.max())
            # An edge that is never kept may have nothing but `none`; its operation is never drawn.
            told[choice.name] = ops / ops.sum() if ops.any() else real / real.sum()
        return cls.independent(space, told | {node.name: _pairs(node, strengths) for node in nodes})


def pair_probabilities(strengths: ArrayLike, name: str = "the node") -> Floats:
    """Probability of each unordered pair of E edges, as `itertools.combinations` lists them (E(E − 1)/2,).

    Args:
        strengths: Strength (E,) of each edge.
        name: What the pairs are of, for the error message.

    Raises:
        UsageError: negative or not finite strengths, or fewer than two above 0.

    >>> pair_probabilities([1.0, 1.0, 2.0]).round(4).tolist()
    [0.1667, 0.4167, 0.4167]
    """
    s = np.asarray(strengths, dtype=np.float64)
    if s.ndim != 1 or not np.isfinite(s).all() or (s < 0).any() or (s > 0).sum() < 2:
        raise UsageError(
            f"Two edges are to be drawn for {name}, with the strengths {s.tolist()}; "
            "at least two must be above 0 and all must be finite and not negative."
        )
    s = s / s.sum()
    first, second = np.triu_indices(len(s), 1)
    return np.asarray(s[first] * s[second] * (1 / (1 - s[first]) + 1 / (1 - s[second])), dtype=np.float64)


def _pairs(node: Choice, strengths: Mapping[str, float]) -> Floats:
    """Probability of each option of a node that chooses two of its edges."""
    name = node.name.removesuffix(_INPUTS)
    sources = sorted({source for option in node.options if isinstance(option, tuple) for source in option})
    pairs = list(itertools.combinations(sources, 2))
    edges = [f"{name}<-{source}" for source in sources]
    if set(node.options) != set(pairs) or not strengths.keys() >= set(edges):
        raise UsageError(
            f"No probabilities were given for {node.name!r}, and it does not choose every pair of edges whose "
            f"operations have some ({', '.join(edges) or 'none'}). Give the probabilities of its options."
        )
    chances = dict(zip(pairs, pair_probabilities([strengths[edge] for edge in edges], name), strict=True))
    return np.asarray([chances[option] for option in node.options], dtype=np.float64)  # type: ignore[index]
