"""Which paths share the optimiser's state: separate momentum for groups of similar architectures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError, require
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.move import Path, Step

Grouping = Literal["edge", "cluster"]

_SAMPLE = 2000
_centres: WeakKeyDictionary[Supernet, dict[tuple[int, int], NDArray[np.float64]]] = WeakKeyDictionary()


class StateGroups(Protocol):
    """Sorts paths into groups; each has its own optimiser state over the same parameters."""

    def group(self, step: Step, paths: Sequence[Path]) -> int:
        """The group of the paths of an update, from 0."""
        ...


@dataclass(frozen=True, kw_only=True)
class MomentumSeparation:
    """One optimiser state per group of structurally similar subnets (MS; Jeon et al., CVPR 2025, §3.3).

    An update through a subnet α moves and uses the momentum μ_g of its group g alone:
    μ_g ← β μ_g + ∇L(α), W ← W − η μ_g. The weights stay shared. Memory grows by one state per further group.

    Args:
        by: `"edge"`: the group is the option that a subnet has on one choice (the released code).
            `"cluster"`: the nearest of `groups` centres of k-means over the encodings of random subnets (what the
            paper's abstract describes; a reconstruction).
        choice: The choice for `"edge"`; None: one drawn from the seed of the training, as released.
        groups: Number of clusters.

    Raises:
        UsageError: an unknown grouping, fewer than one group, or an option that the grouping has no use for.
    """

    by: Grouping = "edge"
    choice: str | None = None
    groups: int = 5

    def __post_init__(self) -> None:
        if self.by not in get_args(Grouping):
            raise UsageError(f"Subnets are grouped by one of {get_args(Grouping)}; got {self.by!r}.")
        if self.by == "cluster" and self.choice is not None:
            raise UsageError(f"Clusters have no use for the choice {self.choice!r}; group by='edge', or leave it out.")
        if self.groups < 1:
            raise UsageError(f"Subnets were to form {self.groups} groups; give at least 1.")

    def edge(self, net: Supernet, seed: int) -> str:
        """The choice whose option is the group.

        Raises:
            UsageError: the space has no such choice, or groups are clusters.
        """
        if self.by != "edge":
            raise UsageError("Groups by cluster belong to no choice; use MomentumSeparation(by='edge').")
        names = net.space.names if self.choice is None else (self.choice,)
        edge = names[int(np.random.default_rng([seed, 1]).integers(len(names)))]
        net.space.column(edge)
        return edge

    def group(self, step: Step, paths: Sequence[Path]) -> int:
        """The group of the paths of an update.

        Raises:
            UsageError: the paths belong to several groups, or one is not a single architecture.
        """
        found = {self._group(step, path) for path in paths}
        if len(found) > 1:
            raise UsageError(
                f"The paths of one update belong to {len(found)} groups, but they share one momentum. Wrap the sampler "
                "as OneGroup(sampler, states), or sample one path per step."
            )
        return found.pop()

    def _group(self, step: Step, path: Path) -> int:
        arch = path.decisions
        if not isinstance(arch, Arch):
            raise UsageError(
                "Momentum is separated by architecture, but a path of this method is a mixture of several. "
                "Leave `states` out."
            )
        if self.by == "edge":
            return int(arch.code[step.space.column(self.edge(step.net, step.seed))])
        point = step.space.encode(step.space.codes([arch])).astype(np.float64)
        return int(np.square(self._clusters(step.net, step.seed) - point).sum(axis=1).argmin())

    def _clusters(self, net: Supernet, seed: int) -> NDArray[np.float64]:
        known = _centres.setdefault(net, {})
        if (self.groups, seed) not in known:
            require("scipy", "judge", "Grouping subnets by cluster")
            from scipy.cluster.vq import kmeans2

            rng = np.random.default_rng([seed, 1])
            points = net.space.encode(net.space.population(rng, _SAMPLE)).astype(np.float64)
            known[self.groups, seed] = kmeans2(points, self.groups, minit="++", rng=rng)[0]
        return known[self.groups, seed]
