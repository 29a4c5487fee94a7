"""DONNA, a library of blocks against a reference's blocks (Moons et al., ICCV 2021)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from supernet.methods.blockwise.dna import RATING, TEACHER, dna
from supernet.nn.stage_modules import StageNames
from supernet.paper import Paper
from supernet.train import (
    BesideTeachers,
    Cosine,
    CrossEntropy,
    Part,
    PathsOfStage,
    Recipe,
    StageLoss,
    TappedTeacher,
    Teachers,
    TrainPaths,
    Uniform,
    Updates,
    adam,
    sgd,
)
from supernet.train.objectives.feature_distance import Kind
from supernet.train.parts.outside import Network

PAPER = Paper(
    name="DONNA",
    title="Distilling Optimal Neural Networks: Rapid Search in Diverse Spaces",
    authors=("Moons", "Noorzad", "Skliar", "Mariani", "Mehta", "Lott", "Blankevoort"),
    venue="ICCV",
    year=2021,
    arxiv="2012.08859",
    provenance="reconstruction",
)

WEIGHTS = adam(0.001, schedule=Cosine())
FINE = sgd(0.01, weight_decay=1e-4, schedule=Cosine(), decay_vectors=False)  # 50 epochs
NETWORKS = 30
"""How many networks are fine-tuned for the predictor."""


def donna(
    *,
    reference: TappedTeacher = TEACHER,
    stages: StageNames | None = None,
    count: int = 5,
    loss: Kind = "normalised",
    rating: StageLoss = RATING,
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """DONNA: every option of every block learns the reference's block, all equally often, one block after the other.

    [arXiv 2012.08859](https://arxiv.org/abs/2012.08859), §3.2; a reconstruction, since there is no code. A phase for
    each stage: its paths run in turn, fed by the reference as in DNA. What the library is for follows the training: the
    stages' distances of about 30 networks that were fine-tuned from these weights are what a line predicts accuracy
    from (`measure.predictors.on_terms.OnTerms`), and an evolution searches its predictions.

    Args:
        reference: The network whose blocks are learned, and its taps. Default: the supernet itself as it begins, which
            makes sense for one that has learned before; the paper's is a trained network of the same outline.
        stages: The modules of each stage by name, see `nn.stage_modules.stage_names`; None: those that the network
            says it has.
        count: The number of stages.
        loss: The distance that a block is trained under: the paper's is divided by the variance of the features.
        rating: What subnets rank by before there is a predictor, whose terms it learns from.
        label_smoothing: Share of the target that is spread evenly over the classes, where an architecture is trained
            alone, such as in fine-tuning.
        weights: How the supernet's weights, and projections, are stepped.

    Raises:
        UsageError: as `dna`.
    """
    base = dna(
        teacher=reference,
        rates=(1.0,) * count,
        stages=stages,
        loss=loss,
        rating=rating,
        label_smoothing=label_smoothing,
        weights=weights,
    )
    phases = tuple(
        replace(phase, program=replace(cast(Any, phase.program), sampler=PathsOfStage(index=number, stages=stages)))
        for number, phase in enumerate(base.phases)
    )
    return replace(base, name="donna", program=phases)


def fine_tuning(
    *,
    reference: Network,
    weight: float = 0.5,
    sharpness: float = 1.0,
    label_smoothing: float = 0.1,
    weights: Updates = FINE,
) -> Recipe:
    """What fine-tunes a network from DONNA's library: the labels, and what the reference says of the same images.

    It is the `recipe` of `deploy.retrained(…, start="inherited")`, and `supernet retrain --start inherited --method
    supernet.methods.blockwise.donna:fine_tuning -M reference=reference.pt2`. A reconstruction.

    Args:
        reference: The whole reference, with its classifier: the directory of a run, a file, or a function that builds
            it, as in `Teachers`.
        weight: The share of the reference in the loss, above 0 and at most 1; labels have the rest.
        sharpness: The factor on the reference's logits before their softmax; 1 / T for a temperature T.
        label_smoothing: Share of the target that is spread evenly over the classes.
        weights: How the network's weights are stepped.

    Raises:
        UsageError: a value outside its range, or something that is no file or function.
    """
    objective = BesideTeachers(weight=weight, labels=CrossEntropy(label_smoothing))
    teachers = Teachers(networks=(reference,), sharpness=sharpness)
    return Recipe(
        name="donna, fine-tuning",
        program=TrainPaths(sampler=Uniform(), objective=objective),
        weights=weights,
        parts={"teachers": Part(build=teachers, mode="eval", kept=False)},
    )
