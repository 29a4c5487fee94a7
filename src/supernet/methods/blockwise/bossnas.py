"""BossNAS: stages that learn without labels from an ensemble of their paths (Li et al., ICCV 2021)."""

from __future__ import annotations

from typing import Literal

from supernet.data.derived.viewed import Viewed
from supernet.data.derived.viewed_by import ViewedBy
from supernet.data.view_augment import BYOL_FIRST, BYOL_SECOND, ViewAugment
from supernet.errors import UsageError
from supernet.nn.stage_modules import StageNames
from supernet.paper import Paper
from supernet.train import (
    LARS,
    BootstrapStage,
    CopyOfNet,
    Cosine,
    Distinct,
    Edit,
    EnsemblePrediction,
    FollowOnline,
    Part,
    Phase,
    ProjectionHeads,
    Ramp,
    RatedBest,
    RatedStages,
    RateStage,
    Recipe,
    Sampler,
    Updates,
    Warmup,
)
from supernet.train.parts.stage_ratings import stage_ratings
from supernet.train.values._protocol import Number

PAPER = Paper(
    name="BossNAS",
    title="BossNAS: Exploring Hybrid CNN-transformers with Block-wisely Self-supervised Neural Architecture Search",
    authors=("Li", "Tang", "Wang", "Peng", "Wang", "Liang", "Chang"),
    venue="ICCV",
    year=2021,
    arxiv="2103.12424",
    provenance="official code",
)
WEIGHTS = Updates(optimiser=LARS(lr=4.8, weight_decay=1e-6, per=4096), schedule=Warmup(1 / 6, Cosine(), start=1e-4))
NATS = Updates(optimiser=LARS(lr=0.48, weight_decay=1e-6, per=4096), schedule=Warmup(2 / 50, Cosine(), start=1e-4))
DECAY = Ramp(0.99, 1.0, shape="cosine")


def bossnas(
    *,
    stages: int | StageNames = 4,
    sampler: Sampler = Distinct(4),
    pairs: int = 4,
    views: tuple[ViewAugment, ViewAugment] | None = (BYOL_FIRST, BYOL_SECOND),
    decay: Number = DECAY,
    earlier: Literal["frozen", "trained"] = "frozen",
    hidden: int = 4096,
    features: int = 256,
    images: int | None = None,
    stage_weights: tuple[float, ...] | None = None,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """BossNAS: stage by stage, paths predict the ensemble that an average network makes of other views of the images.

    [arXiv 2103.12424](https://arxiv.org/abs/2103.12424). Each stage has a phase of its own: its paths are trained
    without labels behind the best path of the stages before it, then all of them are rated by their distance from the
    centre of the population, and the best one is kept. Optimiser, warm-up, cosine and the ramp of the average begin
    anew with each. Searches and judgements rank by the sum of the ratings. The defaults are those of the released code
    on HyTra, 6 epochs per stage of batches of 4096; for its MBConv space take `sampler=StrictFair()`, for NATS-Bench's
    sizes besides `stages=3`, `pairs=1`, `weights=NATS` and 50 epochs per stage.

    Args:
        stages: The number of stages that are trained, from the first on; or their modules by name.
        sampler: The rule that draws the paths of a step, within those of a stage.
        pairs: The number of pairs of views of an image. Path i sees the pair i, and so does the average network on it.
        views: How both views of a pair are made, in training and for ratings; None: by the augmentation of the data.
        decay: What the average network keeps of itself in a step.
        earlier: Whether the stages before the one that is trained are `"frozen"`, or trained on along its best path
            (`"trained"`, the released code).
        hidden: Width between the two linear layers of projectors and predictors.
        features: Width of projections.
        images: Number of validation images that paths are rated on; None: all.
        stage_weights: The factors λ on the ratings of the stages; None: all are 1.
        weights: How the supernet's weights and the heads are stepped.

    Raises:
        UsageError: a value outside its range.
    """
    count = stages if isinstance(stages, int) else len(stages)
    if count < 1:
        raise UsageError(f"BossNAS was to train {count} stages; give at least 1.")
    phases = []
    for stage in range(count):
        program = BootstrapStage(
            objective=EnsemblePrediction(stage=stage), rule=sampler, pairs=pairs, stages=stages, earlier=earlier
        )
        rate = RateStage(program=program, images=images, views=views)
        phases.append(Phase(name=f"stage {stage}", share=1.0, program=program, leave=rate))
    return Recipe(
        name="bossnas",
        program=tuple(phases),
        weights=weights,
        parts={
            "heads": Part(build=ProjectionHeads(hidden=hidden, features=features, stages=stages), updates=weights),
            "target": Part(build=CopyOfNet()),
            "ratings": stage_ratings(),
        },
        edits=(Edit(name="average", apply=FollowOnline(decay=decay)),),
        derive=RatedBest(stages=stages),
        data=Viewed(2 * pairs) if views is None else ViewedBy(views * pairs),
        ranks_by=RatedStages(weights=stage_weights, stages_trained=stages),
    )
