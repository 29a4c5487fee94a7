"""NASViT: gradients of the largest subnet that contradict the others are projected (Gong et al., ICLR 2022)."""

from __future__ import annotations

from typing import Literal

from supernet.data.derived.augmented import Augmented
from supernet.data.derived.chained import chained
from supernet.data.derived.mixed import Mixed
from supernet.errors import UsageError
from supernet.paper import Paper
from supernet.train import (
    AdaptiveDivergence,
    Combine,
    Cosine,
    FirstApart,
    FromTeachers,
    Objective,
    Part,
    ProjectLargest,
    Recipe,
    Sandwich,
    Teachers,
    TrainPaths,
    Updates,
    Warmup,
    adam,
)
from supernet.train.objectives.cross_entropy import CrossEntropy

PAPER = Paper(
    name="NASViT",
    title="NASViT: Neural Architecture Search for Efficient Vision Transformers with Gradient Conflict aware Supernet "
    "Training",
    authors=("Gong", "Wang", "Li", "Chen", "Yan", "Tian", "Liu", "Chandra"),
    venue="ICLR",
    year=2022,
    url="https://openreview.net/forum?id=Qaw16njk6L",
    provenance="official code",
)

WEIGHTS = adam(  # 400 epochs from 5e-7 over 3e-4 to 5e-6, for batches of 512
    3e-4, decoupled=True, schedule=Warmup(5 / 400, Cosine(floor=5e-6 / 3e-4), start=5e-7 / 3e-4), per=512
)
MIXED = Mixed(mixup=0.01, cutmix=0.01, erase=0.01)
AVERAGE = 0.99985
"""The decay of the released code's average of the weights, for `fit(average=…)`."""


def nasvit(
    *,
    teachers: Teachers | Literal["labels"] = "labels",
    combine: Combine = ProjectLargest(),
    alphas: tuple[float, float] = (-1.0, 1.0),
    clip: float = 5.0,
    random: int = 2,
    augmented: Augmented | None = Augmented(rand_augment=(1, 3)),
    mixed: Mixed | None = MIXED,
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """NASViT: the sandwich rule, the largest subnet's gradient projected where it contradicts the others'.

    [OpenReview](https://openreview.net/forum?id=Qaw16njk6L), and released code. The largest subnet learns from
    teachers, the smallest and two random ones from the largest by AlphaNet's divergence; with teachers no label counts.
    Nothing is dropped and no weight decays. Switchable scaling, the paper's second idea, is the space's, `zoo.nasvit`,
    whose statistics should be `"calibrate"`.

    Args:
        teachers: Who teaches the largest subnet: networks, as in `Teachers(networks=("a.pt2", "b.pt2"))`; or the
            `"labels"`, for want of them, which the paper does not do.
        combine: How the gradients of the subnets become one.
        alphas: The two α of the divergence, see `AdaptiveDivergence`.
        clip: β, at which the powers of the ratio of probabilities are cut.
        random: The number of random subnets per step.
        augmented: How training images are augmented beside what the data set says; None: not.
        mixed: How training images are mixed and erased; None: they are not.
        label_smoothing: Share of the target that is spread evenly over the classes, where labels teach: here, and where
            an architecture is trained alone.
        weights: How the supernet's weights are stepped.

    Raises:
        UsageError: other teachers, or a value outside its range.
    """
    if not isinstance(teachers, Teachers) and teachers != "labels":
        raise UsageError(
            f"The largest subnet was to learn from {teachers!r}; give Teachers(networks=(…)), or 'labels'."
        )
    labels, parts = CrossEntropy(label_smoothing), {}
    first: Objective = labels
    if isinstance(teachers, Teachers):
        first = FromTeachers(labels=labels)
        parts["teachers"] = Part(build=teachers, mode="eval", kept=False)
    program = TrainPaths(
        sampler=Sandwich(random, smallest="second"),
        objective=FirstApart(first=first, others=AdaptiveDivergence(alphas=alphas, clip=clip)),
        combine=combine,
        regularise="first",
    )
    return Recipe(name="nasvit", program=program, weights=weights, parts=parts, data=chained(augmented, mixed))
