"""DNA, block-wise supervision by a teacher (Li et al., CVPR 2020)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from supernet.errors import UsageError
from supernet.nn.stage_modules import StageNames
from supernet.paper import Paper
from supernet.train import (
    CrossEntropy,
    DecayEarlierStages,
    FeatureDistance,
    Part,
    Phase,
    Projections,
    Recipe,
    Stage,
    StageLoss,
    StepDecay,
    TappedTeacher,
    TrainStage,
    Uniform,
    Updates,
    adam,
)
from supernet.train.objectives.feature_distance import Kind
from supernet.train.optimisers._protocol import check_number
from supernet.train.part import WEIGHTS as NET
from supernet.train.part import Slice

PAPER = Paper(
    name="DNA",
    title="Block-Wisely Supervised Neural Architecture Search with Knowledge Distillation",
    authors=("Li", "Peng", "Yuan", "Wang", "Liang", "Lin", "Chang"),
    venue="CVPR",
    year=2020,
    arxiv="1911.13053",
    provenance="official code",
)

WEIGHTS = adam(0.002, weight_decay=1e-4, schedule=StepDecay(0.9))  # 20 epochs for each stage, batches of 64
RATES = (1.0, 2.5, 2.5, 2.5, 2.5, 1.0)
TEACHER = TappedTeacher()
RATING = StageLoss(kind="normalised")
RELEASED = {
    "weights": replace(WEIGHTS, inactive="decay"),
    "rating": StageLoss(kind="rating"),
    "teacher_mode": "train",
}
"""What the released code does otherwise than the paper: `dna(**RELEASED)`."""


def dna(
    *,
    teacher: TappedTeacher = TEACHER,
    rates: tuple[float, ...] = RATES,
    stages: StageNames | None = None,
    loss: Kind = "mse",
    rating: StageLoss = RATING,
    teacher_mode: Literal["eval", "train"] | None = None,
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """DNA: stage after stage learns a teacher's feature maps from the teacher's own input, on uniform paths.

    [arXiv 1911.13053](https://arxiv.org/abs/1911.13053), §3. A phase for each stage: it is given what the teacher has
    at the end of the stage before (the first one the images), one uniform path of it runs, and the distance to the
    teacher's features is its loss; nothing else of the network runs or changes. Subnets rank by the sum of their
    stages' distances, which `search.Traversal` minimises over the whole space.

    Args:
        teacher: The network that teaches, and its taps. Default: the supernet itself as it begins, which makes sense
            for one that has learned before; the paper's is EfficientNet-B7.
        rates: Factors on the learning rate of each stage, as many as the network has stages.
        stages: The modules of each stage by name, see `nn.stage_modules.stage_names`; None: those that the network
            says it has.
        loss: The distance that a stage is trained under.
        rating: What subnets rank by. Default, as the paper says: the squared distance divided by the variance of the
            teacher's features; `StageLoss(kind="rating")` is the released code's, Σ mean |s − t| / std t.
        teacher_mode: Whether the teacher's batch norms use their own statistics (`"eval"`), or those of the batch
            (`"train"`, the released code). None: those of the batch where the supernet itself teaches, whose running
            averages belong to no subnet, and a network's own otherwise.
        label_smoothing: Share of the target that is spread evenly over the classes, where an architecture is trained
            alone.
        weights: How the supernet's weights, and projections, are stepped.

    Raises:
        UsageError: no rates, or one that is not positive; a program of `torch.export` in training mode.
    """
    if not rates:
        raise UsageError("No rates are given; give a factor on the learning rate for each stage, such as (1, 2.5, 1).")
    for rate in rates:
        check_number("The factor on the learning rate of a stage", rate, above=0)
    if teacher.is_file and teacher_mode == "train":
        raise UsageError(
            f"The teacher {str(teacher.network)!r} is a program of torch.export, which has no training mode. Leave "
            "teacher_mode out, or give a function that builds the teacher."
        )
    mode = teacher_mode or ("train" if teacher.network is None else "eval")
    teacher = replace(teacher, stages=stages)
    through = "projections" if teacher.project else None
    labels = CrossEntropy(label_smoothing)
    families = (NET,) if through is None else (NET, through)
    phases = tuple(
        Phase(
            name=f"stage {number}",
            share=1.0,
            program=TrainStage(
                sampler=Uniform(),
                forward=Stage(index=number, stages=stages, count=len(rates), through=through if number else None),
                objective=FeatureDistance(stage=number, kind=loss, through=through, labels=labels),
            ),
            updates={family: _scaled(weights, rate) for family in families},
            enter=DecayEarlierStages(index=number, stages=stages) if weights.inactive == "decay" else None,
        )
        for number, rate in enumerate(rates)
    )
    parts: dict[str, Part | Slice] = {"teacher": Part(build=teacher, mode=mode, kept=teacher.network is None)}
    if through is not None:
        parts[through] = Part(build=Projections(teacher=teacher, stages=stages), updates=weights)
    rating = replace(rating, names=stages, projections=through)
    return Recipe(name="dna", program=phases, weights=weights, parts=parts, ranks_by=rating)


def _scaled(weights: Updates, rate: float) -> Updates:
    """The same with another learning rate."""
    lr = getattr(weights.optimiser, "lr", None)
    if lr is None:
        if rate != 1:
            raise UsageError(
                f"Stages have rates of their own, but {weights.optimiser!r} has no field lr. Give rates of 1, or an "
                "optimiser such as Adam(lr=0.002)."
            )
        return weights
    return weights.with_settings(lr=lr * rate)
