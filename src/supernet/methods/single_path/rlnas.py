"""RLNAS: Neural Architecture Search with Random Labels (Zhang et al., CVPR 2021)."""

from __future__ import annotations

from supernet.data.derived.random_labels import RandomLabelled
from supernet.measure import Score
from supernet.paper import Paper
from supernet.search import Evolution
from supernet.train import CopyOfNet, Cosine, CrossEntropy, Linear, Part, Recipe, Sampler, TrainPaths, Uniform, Updates
from supernet.train.scores.angle import Angle
from supernet.train.updates import sgd

PAPER = Paper(
    name="RLNAS",
    title="Neural Architecture Search with Random Labels",
    authors=("Zhang", "Hou", "Zhang", "Sun"),
    venue="CVPR",
    year=2021,
    arxiv="2101.11834",
    provenance="official code",
)

# Unsampled parameters decay: the released code has gradients of zero (PyTorch 1.4).
WEIGHTS = sgd(
    0.25,
    weight_decay=4e-5,
    schedule=Linear(floor=0.002),
    decay_vectors=False,
    clip_value=5.0,
    per=512,
    inactive="decay",
)
NAS_BENCH_201 = sgd(0.025, nesterov=True, weight_decay=5e-4, schedule=Cosine(floor=0.04), inactive="decay")
DARTS_CIFAR = sgd(0.025, weight_decay=3e-4, schedule=Cosine(floor=0.04), clip_norm=5.0, inactive="decay")
DARTS_IMAGENET = WEIGHTS.with_settings(lr=0.1, per=None, schedule=Linear(floor=0.005))
SEARCH = Evolution(population=50, parents=10, mutations=25, crossovers=25)
NAS_BENCH_201_SEARCH = Evolution(population=100, parents=30, mutations=50, crossovers=50)


def rlnas(
    *,
    labels: int = 0,
    sampler: Sampler = Uniform(),
    score: Score | None = Angle(),
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """RLNAS: uniform single paths on random labels; subnets rank by the angle between initial and trained weights.

    [arXiv 2101.11834](https://arxiv.org/abs/2101.11834), §3. Each training image has one label, drawn uniformly. The
    defaults are those of the released code on the MobileNet space of ImageNet: 120 epochs of batches of 512, SGD from
    0.25 along a line to 5e-4, entries of the gradient clipped at 5, label smoothing 0.1. `NAS_BENCH_201` is the SGD of
    250 epochs there, without label smoothing. Searches and judgements rank by `score`: `SEARCH` and
    `NAS_BENCH_201_SEARCH` are the published ones, 20 generations each.

    Args:
        labels: The seed of the random labels.
        sampler: The rule that draws paths.
        score: What subnets are ranked by; None: accuracy, the paper's ablation that finds nothing on random labels.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How the supernet's weights are stepped.
    """
    return Recipe(
        name="rlnas",
        program=TrainPaths(sampler=sampler, objective=CrossEntropy(label_smoothing)),
        weights=weights,
        parts={"initial": Part(build=CopyOfNet(), mode="eval")},
        data=RandomLabelled(labels),
        ranks_by=score,
    )
