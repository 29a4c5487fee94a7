"""ViTAS: Vision Transformer Architecture Search (Su et al., ECCV 2022)."""

from __future__ import annotations

from typing import Literal

from supernet.data import Mixed
from supernet.errors import UsageError
from supernet.paper import Paper
from supernet.train import (
    Cosine,
    CrossEntropy,
    DepthForCost,
    Recipe,
    Sampler,
    Sandwich,
    Slices,
    TrainPaths,
    Updates,
    Warmup,
    adam,
)

PAPER = Paper(
    name="ViTAS",
    title="ViTAS: Vision Transformer Architecture Search",
    authors=("Su", "You", "Xie", "Zheng", "Wang", "Qian", "Zhang", "Wang", "Xu"),
    venue="ECCV",
    year=2022,
    arxiv="2106.13700",
    provenance="official code",
)

WEIGHTS = adam(  # 5 of 300 epochs of warm-up, batches of 1024; the code is of 2021, when gradients were set to zero
    1e-3,
    decoupled=True,
    weight_decay=0.05,
    decay_vectors=False,
    schedule=Warmup(5 / 300, Cosine()),
    inactive="decay",
)


def vitas(
    *,
    sampler: Sampler = DepthForCost(low=0.9e9, high=1.0e9),
    slices: Literal["bilateral", "cyclic", "prefix"] = "bilateral",
    sandwich: int | None = None,
    mixed: Mixed | None = Mixed(cutmix=1.0, erase=0.25),
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """ViTAS: one subnet per step on both ends of every width, at depths of the wanted mean cost.

    [arXiv 2106.13700](https://arxiv.org/abs/2106.13700), §3. It is for `zoo.vitas`, whose class tokens, queries and
    keys are private and whose identities come last. The defaults are those of the released search of 1 G.

    Args:
        sampler: The rule that draws subnets; for other spaces and images give `DepthForCost` other bounds.
        slices: The entries of a width that a subnet has: the first and the last, whose logits are summed (BCNet);
            those from a drawn place on, going round the end; or the first alone.
        sandwich: The number of subnets of the sampler between the largest and the smallest, which are trained at every
            step too; None: one subnet of the sampler and no others, as in the released code.
        mixed: How training images are mixed and erased; None: they are not.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How the supernet's weights are stepped.

    Raises:
        UsageError: other slices.
    """
    if slices not in ("bilateral", "cyclic", "prefix"):
        raise UsageError(f"The slices {slices!r} are not known; use 'bilateral', 'cyclic' or 'prefix'.")
    program = TrainPaths(
        sampler=sampler if sandwich is None else Sandwich(sandwich, between=sampler),
        objective=CrossEntropy(label_smoothing),
        forward=None if slices == "prefix" else Slices(kind=slices),
    )
    return Recipe(name="vitas", program=program, weights=weights, data=mixed)
