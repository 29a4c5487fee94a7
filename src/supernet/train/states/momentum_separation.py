"""Which paths share the optimiser's state: separate momentum for groups of similar architectures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError, require
from supernet.space import Arch, Space
from supernet.train.adapt.copies import splits_of
from supernet.train.move import Path
from supernet.train.step import Step

Grouping = Literal["edge", "cluster"]

_SAMPLE = 2000


@dataclass(frozen=True, kw_only=True)
class MomentumSeparation:
    """One optimiser state per group of structurally similar subnets (MS; Jeon et al., CVPR 2025, §3.3).

    [arXiv 2503.10740](https://arxiv.org/abs/2503.10740).

    An update through a subnet α moves and uses the momentum μ_g of its group g alone:
    μ_g ← β μ_g + ∇L(α), W ← W − η μ_g. The weights stay shared. Memory grows by one state per further group.

    In a sub-space, such as a leaf of few-shot NAS, the groups are those of the sub-space: its edge is one that the
    space was not split by, and its clusters are of its own subnets. The supernet that few-shot NAS trains before its
    leaves is not separated by a choice that it will be split by either.

    Args:
        by: `"edge"`: the group is the option that a subnet has on one choice (the released code).
            `"cluster"`: the nearest of `groups` centres of k-means over the encodings of random subnets (what the
            paper's abstract describes; a reconstruction).
        choice: The choice for `"edge"`; None, or where a sub-space has fixed it, or leaves are made by it: one drawn
            from the seed of the training, as released.
        groups: Number of clusters, for `"cluster"` alone.
        exclude: Names of choices that are never drawn for `"edge"`.

    Raises:
        UsageError: an unknown grouping, fewer than one group, or an option that the grouping has no use for.
    """

    by: Grouping = "edge"
    choice: str | None = None
    groups: int = 5
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.by not in get_args(Grouping):
            raise UsageError(f"Subnets are grouped by one of {get_args(Grouping)}; got {self.by!r}.")
        if self.by == "cluster" and self.choice is not None:
            raise UsageError(f"Clusters have no use for the choice {self.choice!r}; group by='edge', or leave it out.")
        if self.exclude and (self.by == "cluster" or self.choice is not None):
            raise UsageError(
                f"The choices {self.exclude} were not to be drawn, but with by={self.by!r} and choice={self.choice!r} "
                "none is drawn; leave `exclude` out."
            )
        if self.groups < 1:
            raise UsageError(f"Subnets were to form {self.groups} groups; give at least 1.")

    def edge(self, space: Space, seed: int, splits: Sequence[str] = ()) -> str:
        """The choice whose option is the group of the architectures of a (sub-)space.

        It is the one that was named, as long as it has two options or more, or one that is drawn: from all choices, and
        again if the first is excluded or has lost options in the sub-space, from those that have all of theirs; where
        there are none, from those that have two or more.

        Args:
            space: The (sub-)space.
            seed: The seed of the training.
            splits: Names of choices that leaves are made by, none of which it is.

        Raises:
            UsageError: the space has no such choice or none that varies, or groups are clusters.
        """
        if self.by != "edge":
            raise UsageError("Groups by cluster belong to no choice; use MomentumSeparation(by='edge').")
        for name in self.exclude if self.choice is None else (self.choice,):
            space.column(name)
        options = dict(zip(space.names, space.counts.tolist(), strict=True))
        out = {*self.exclude, *splits}
        varying = [name for name in space.names if options[name] > 1 and name not in out]
        if not varying:
            raise UsageError(
                "Momentum is to be separated by a choice, but none that may be drawn has two options or more in the "
                "(sub-)space that is trained. Leave `states` out, exclude fewer, or split by fewer."
            )
        rng = np.random.default_rng([seed, 1])
        drawn = space.names[int(rng.integers(len(space)))]
        if self.choice in varying:
            return self.choice
        among = [name for name in varying if options[name] == len(space.choices[space.column(name)])] or varying
        return drawn if drawn in among else among[int(rng.integers(len(among)))]

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
        if not (arch.space.counts > 1).any():
            return 0  # the only architecture of a leaf
        if self.by == "edge":
            return int(arch.code[arch.space.column(self.edge(arch.space, step.seed, splits_of(step.net)))])
        point = arch.space.encode(arch.space.codes([arch])).astype(np.float64)
        return int(np.square(_centres(arch.space, self.groups, step.seed) - point).sum(axis=1).argmin())


@lru_cache(maxsize=64)
def _centres(space: Space, groups: int, seed: int) -> NDArray[np.float64]:
    """Centres (G, F) of the encodings of random architectures of a (sub-)space; G is at most the number of these."""
    require("scipy", "judge", "Grouping subnets by cluster")
    from scipy.cluster.vq import kmeans2

    rng = np.random.default_rng([seed, 1])
    points = space.encode(space.population(rng, _SAMPLE)).astype(np.float64)
    groups = min(groups, len(np.unique(points, axis=0)))
    return np.asarray(kmeans2(points, groups, minit="++", rng=rng)[0], dtype=np.float64)
