"""GM-NAS: Generalizing Few-Shot NAS with Gradient Matching (Hu et al., ICLR 2022)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

from supernet.errors import UsageError
from supernet.methods._wrapping import around, one_set_of_weights
from supernet.methods.single_path.spos import spos
from supernet.paper import Paper
from supernet.train import Cosine, Recipe, SplitByGradients, StageAfterStage, sgd
from supernet.train.adapt.copies import Copies
from supernet.train.plans.stage_after_stage import Span

PAPER = Paper(
    name="GM-NAS",
    title="Generalizing Few-Shot NAS with Gradient Matching",
    authors=("Hu", "Wang", "Hong", "Li", "Hsieh", "Feng"),
    venue="ICLR",
    year=2022,
    arxiv="2203.15207",
    provenance="official code",
)

Restart = Literal["final", "never"]

WEIGHTS = sgd(
    0.025, nesterov=True, weight_decay=1e-4, schedule=Cosine(floor=0.04), clip_norm=5.0, inactive="decay"
)  # the released command for random search on NAS-Bench-201
BASELINE = replace(spos(label_smoothing=0.0, weights=WEIGHTS), name="gm_nas")


def gm_nas(
    recipe: Recipe = BASELINE,
    *,
    epochs: tuple[float, ...] = (20, 20, 50),
    repeats: int = 100,
    balanced: bool = True,
    restart: Restart = "final",
    schedule_over: Span = "training",
) -> Recipe:
    """GM-NAS: a supernet splits in two, again and again, where gradients of its options disagree most.

    [arXiv 2203.15207](https://arxiv.org/abs/2203.15207). After each stage every leaf is divided by the choice whose
    options disagree most on their shared weights, into the two groups with the minimum cut, and never twice by one
    choice; k splits in succession make 2ᵏ leaves, which are trained one after another. Before the last stage all
    weights are drawn anew. Defaults are those of the released command for random search on NAS-Bench-201 (batches of
    48): stages of 20, 20 and 50 epochs, SGD with Nesterov momentum along one cosine from 0.025 to 0.001 over the 90
    epochs of a leaf, unsampled parameters of the leaf that is trained decaying.

    Args:
        recipe: The method that trains each leaf, in the leaf's sub-space; the optimiser starts anew in each stage.
            Default: one uniform path per step, as in SPOS.
        epochs: The length of a leaf's training in every stage; stages are divided by splits. The steps of a run are
            divided in these proportions.
        repeats: The number of batches on which gradients are compared; without label smoothing.
        balanced: Whether only groups of equal size, or sizes that differ by one, are considered, as in the released
            code.
        restart: `"final"`: the leaves of the last stage start from fresh weights; `"never"`: always from the weights
            of the leaf they were part of.
        schedule_over: `"training"`: a leaf goes on in the schedule where the leaf that it was part of stopped, and one
            with fresh weights begins it again, so that it ends after 50 of 90 epochs at the learning rate 0.011;
            `"stage"`: every stage goes through the whole schedule.

    Raises:
        UsageError: fewer than two stages, an unknown `restart` or `schedule_over`, or a recipe that cannot be trained
            leaf by leaf.
    """
    if restart not in get_args(Restart):
        raise UsageError(f"Weights are drawn anew at one of {get_args(Restart)}; got restart={restart!r}.")
    stages = StageAfterStage(
        program=one_set_of_weights("gm_nas", recipe),
        epochs=tuple(epochs),
        split=SplitByGradients(repeats=repeats, balanced=balanced),
        fresh=restart == "final",
        schedule_over=schedule_over,
    )
    splits = len(epochs) - 1
    return replace(recipe, name=around("gm_nas", recipe), program=stages, adapt=Copies(2**splits, splits=splits))
