"""ABS: Angle-based Search Space Shrinking for Neural Architecture Search (Hu et al., ECCV 2020)."""

from __future__ import annotations

from typing import Any

from supernet.methods.single_path import rlnas, spos
from supernet.paper import Paper
from supernet.search import Evolution
from supernet.train import CopyOfNet, CrossEntropy, Part, Recipe, Sampler, TrainPaths, Uniform, Updates
from supernet.train.edits.drop_options import DropOptions
from supernet.train.edits.shrink import Shrink
from supernet.train.programs.shrink_by_stages import ShrinkByStages
from supernet.train.ratings.scored import Scored
from supernet.train.scores.angle import Angle

PAPER = Paper(
    name="ABS",
    title="Angle-based Search Space Shrinking for Neural Architecture Search",
    authors=("Hu", "Liang", "Guo", "Wan", "Zhang", "Wei", "Gu", "Sun"),
    venue="ECCV",
    year=2020,
    arxiv="2004.13431",
    provenance="official code",
)

WEIGHTS = rlnas.WEIGHTS.with_settings(inactive="freeze")  # here the released code takes gradients of zero away
DROP = DropOptions(rating=Scored(Angle(ends="last")), max_macs=600e6)
SEARCH = Evolution(population=50, parents=10, mutations=25, crossovers=25, mutation_p=0.5)

ANEW: dict[str, Any] = {"weights": spos.WEIGHTS.with_settings(clip_value=5.0)}
"""`spos(**ANEW)` trains a new supernet on what is left, for 100 epochs; `SEARCH` searches it for 20 generations."""

FINAL: dict[str, Any] = {"weights": spos.WEIGHTS.with_settings(clip_norm=5.0)}
"""`spos(**FINAL)` trains each of the two best subnets alone, for 300,000 steps of 1,024 images; so does RLNAS."""


def angle_shrinking(
    *,
    sampler: Sampler = Uniform(),
    drop: DropOptions = DROP,
    threshold: float = 1e6,
    first_epochs: float = 100,
    stage_epochs: float = 5,
    schedule_epochs: float = 250,
    rebase: int | None = 50,
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """ABS: single paths; after each stage the options whose subnets have turned least are dropped.

    [arXiv 2004.13431](https://arxiv.org/abs/2004.13431), algorithm 2. The training ends when at most `threshold`
    architectures are left; searches then take these alone, in these weights or in those of a new supernet (`ANEW`). The
    defaults are the released code's for SPOS on the MobileNet space of ImageNet: a first stage of 100 epochs and
    further ones of 5, along one schedule of 250; 7 options per stage, each rated by 1,000 subnets of at most 600 M
    MACs. On FairNAS's space it is `sampler=StrictFair()` with `count=None`, 330 M and a schedule of 200, on DARTS's
    `count=None`, stages of 150 and 20 along 400, no limit and `rebase=None`.

    Args:
        sampler: The rule that draws paths.
        drop: What is dropped after a stage.
        threshold: The number of architectures at which the space is small enough.
        first_epochs: The length of the first stage, relative to the others.
        stage_epochs: The length of each further stage.
        schedule_epochs: The length that the schedule of the learning rate is stretched over; no less than all stages.
        rebase: Once more options than this have been dropped, angles are measured from the weights of that time; None:
            always from the initial ones.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How the supernet's weights are stepped.

    Raises:
        UsageError: a number outside its range.
    """
    program = ShrinkByStages(
        program=TrainPaths(sampler=sampler, objective=CrossEntropy(label_smoothing)),
        shrink=Shrink(drop=drop, threshold=threshold, rebase=rebase),
        first=first_epochs,
        further=stage_epochs,
        schedule=schedule_epochs,
    )
    initial = Part(build=CopyOfNet(), mode="eval")
    return Recipe(name="angle_shrinking", program=program, weights=weights, parts={"initial": initial})
