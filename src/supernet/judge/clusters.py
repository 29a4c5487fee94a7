"""Which families of architectures a supernet serves: clusters of similar ones, true against supernet scores.

"Evaluating supernet for neural architecture search", section 3: similarity is the number of equal decisions, families
come from hierarchical clustering cut at a threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from supernet.errors import UsageError
from supernet.rank.checks import Floats, score_lists
from supernet.space import Codes, Option, Space

Linkage = Literal["complete", "average", "single"]

MAX_CLUSTERED = 5_000
"""As many architectures at most: all pairs of distances are held in memory."""

_MEAN_MEMBERS = 5  # of the clusters when no threshold is given: a mean over fewer says little


@dataclass(frozen=True)
class Cluster:
    """A family of similar architectures.

    Attributes:
        members: Rows of the population, by their numbers.
        true: Mean true score of the members.
        predicted: Mean score of the members with the supernet's weights.
        common: The decisions all members share.
    """

    members: tuple[int, ...]
    true: float
    predicted: float
    common: Mapping[str, Option]

    @property
    def size(self) -> int:
        """Number of members."""
        return len(self.members)

    def to_json(self) -> dict[str, Any]:
        """Everything, and the size."""
        return {"size": self.size} | asdict(self)


@dataclass(frozen=True)
class Clusters:
    """The families, the truly best first.

    Attributes:
        shared: Number of equal options from which architectures belong together.
        linkage: The pairs that this threshold holds for, see `specialisation`.
        clusters: The families, the truly best first.
    """

    shared: float
    linkage: Linkage
    clusters: tuple[Cluster, ...]

    @property
    def labels(self) -> NDArray[np.int64]:
        """Number (N,) of the cluster of each architecture."""
        labels = np.empty(sum(cluster.size for cluster in self.clusters), dtype=np.int64)
        for number, cluster in enumerate(self.clusters):
            labels[list(cluster.members)] = number
        return labels

    def to_json(self) -> dict[str, Any]:
        """The threshold and the families."""
        return asdict(self) | {"clusters": [cluster.to_json() for cluster in self.clusters]}


def too_many(n: int) -> str:
    """Why n architectures cannot be clustered; empty where they can."""
    said = f"{n:,} architectures are too many to cluster; draw a sample of at most {MAX_CLUSTERED:,} of them."
    return said if n > MAX_CLUSTERED else ""


def similarity(space: Space, codes: Codes) -> Floats:
    """Number of decisions (N, N) that two architectures have in common; those that do not matter never count."""
    onehot = space.encode(codes)
    return np.asarray(onehot @ onehot.T, dtype=np.float64)


def specialisation(
    space: Space,
    codes: Codes,
    predicted: ArrayLike,
    true: ArrayLike,
    *,
    shared: float | None = None,
    linkage: Linkage = "complete",
) -> Clusters:
    """Group architectures by similarity, and set the mean supernet score of each group beside its mean true score.

    A supernet that has specialised scores some families of good architectures far above the rest.

    Args:
        space: The space that the architectures are from.
        codes: Population (N, D), 3 ≤ N ≤ 5,000, no architecture twice.
        predicted: Scores (N,) with the supernet's weights, the higher the better.
        true: True scores (N,), the higher the better.
        shared: Threshold, in equal decisions. With complete linkage any two members of a cluster share at least as
            many; with average linkage this holds on average between the parts that were merged; with single linkage
            each member shares them with some other. None: the largest whole number for which clusters have five
            members on average.
        linkage: The paper does not say which it used. Complete is the only one that keeps its threshold for every
            pair; single linkage chains a whole space together.

    Raises:
        UsageError: scores that are not usable, another number of architectures, too many of them, a threshold
            outside 0 … D, or an unknown linkage.
    """
    first, truth = score_lists(predicted, true)
    if len(codes) != len(truth):
        raise UsageError(f"There are {len(codes)} architectures and {len(truth)} scores; give one score for each.")
    if reason := too_many(len(codes)):
        raise UsageError(reason)
    if shared is not None and not 0 <= shared <= len(space):
        raise UsageError(f"The threshold of {shared} equal decisions is impossible; a number from 0 to {len(space)}.")
    if linkage not in ("complete", "average", "single"):
        raise UsageError(f"The linkage {linkage!r} does not exist; use 'complete', 'average' or 'single'.")
    from scipy.cluster import hierarchy  # here: half a second that a training that follows its ranking need not pay

    above = np.triu_indices(len(codes), 1)
    distance = len(space) - similarity(space, codes)[above]
    tree = hierarchy.linkage(distance, method=linkage)

    def cut(threshold: float) -> NDArray[np.int64]:
        """Number (N,) of the cluster of each architecture, counted from 1."""
        return np.asarray(hierarchy.fcluster(tree, len(space) - threshold + 1e-9, criterion="distance"))

    if shared is None:
        most = max(1, len(codes) // _MEAN_MEMBERS)
        shared = next(threshold for threshold in range(len(space), -1, -1) if cut(threshold).max() <= most)
    labels = cut(shared)
    active = space.active_mask(codes)
    clusters = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        common = _common(space, codes[members], active[members])
        clusters.append(
            Cluster(tuple(members.tolist()), float(truth[members].mean()), float(first[members].mean()), common)
        )
    return Clusters(shared, linkage, tuple(sorted(clusters, key=lambda cluster: -cluster.true)))


def _common(space: Space, codes: Codes, active: NDArray[np.bool_]) -> dict[str, Option]:
    same = active.all(axis=0) & (codes == codes[0]).all(axis=0)
    return {space.names[column]: space.choices[column].options[codes[0, column]] for column in np.flatnonzero(same)}
