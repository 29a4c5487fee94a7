"""How well the sum of stages that a teacher feeds tells what the whole network does (DNA)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch import nn

from supernet.data import Data
from supernet.measure.scores.score import Subnet
from supernet.nn import Supernet
from supernet.rank.measures import kendall_tau
from supernet.space import Arch
from supernet.train.scores.stage_loss import StageLoss


class Added(NamedTuple):
    """Distances of stages that a teacher feeds beside those of the same stages in the whole network.

    Attributes:
        fed: The terms of each architecture, each stage fed by the teacher.
        own: The same, each stage fed by the network's own earlier stages.
        error: The mean of |sum fed / sum own − 1| over the architectures.
        tau: Kendall's τ between both sums; None where one of them is constant.
    """

    fed: tuple[tuple[float, ...], ...]
    own: tuple[tuple[float, ...], ...]
    error: float
    tau: float | None


def additivity(
    score: StageLoss, net: Supernet, archs: Sequence[Arch], parts: Mapping[str, nn.Module], data: Data
) -> Added:
    """Rate architectures stage by stage and as whole networks, with the same images and statistics policy.

    A search over the tables of stages takes the first for the second: what a stage gets wrong is not seen by those
    behind it.

    Args:
        score: The sum over stages.
        net: The trained supernet.
        archs: The architectures, one or more.
        parts: The modules beside the supernet, among them the teacher.
        data: The data, of which training and validation examples are used.

    Raises:
        UsageError: as `StageLoss`; or features are projected, so that stages do not follow each other.
    """
    kept: dict[object, object] = {}
    subnets = [Subnet(net, arch, parts, kept, data) for arch in archs]
    fed = tuple(tuple(score.terms(subnet)) for subnet in subnets)
    own = tuple(score.whole(subnet) for subnet in subnets)
    sums, truth = (np.asarray(terms).sum(axis=1) for terms in (fed, own))
    varied = len(archs) > 1 and np.ptp(sums) > 0 and np.ptp(truth) > 0
    return Added(fed, own, float(np.abs(sums / truth - 1).mean()), float(kendall_tau(sums, truth)) if varied else None)
