"""Mean teacher: the supernet agrees with the average of its own weights (Tarvainen and Valpola, NeurIPS 2017)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Literal

from supernet.errors import UsageError
from supernet.methods._wrapping import around, has_several_sets, with_part
from supernet.methods.single_path.spos import spos
from supernet.paper import Paper
from supernet.train import AverageInto, Consistency, CopyOfNet, Edit, Jump, Part, Ramp, Recipe
from supernet.train.phases import PhasesBySpace, rewrites
from supernet.train.values._protocol import Number

PAPER = Paper(
    name="Mean teacher",
    title="Mean teachers are better role models: Weight-averaged consistency targets improve semi-supervised deep "
    "learning results",
    authors=("Tarvainen", "Valpola"),
    venue="NeurIPS",
    year=2017,
    arxiv="1703.01780",
    provenance="reconstruction",
)

BASELINE = spos()
RAMP_UP = Ramp(0.0, 100.0, shape="sigmoid", until=80 / 300)
DECAY = Jump(0.99, 0.999, at=80 / 300)


def mean_teacher(
    recipe: Recipe = BASELINE,
    *,
    decay: Number = DECAY,
    weight: Number = RAMP_UP,
    distance: Literal["mse", "kl"] = "mse",
    runs: Literal["same", "largest"] = "same",
) -> Recipe:
    """Mean teacher: every path also agrees with what the average of the supernet's weights says of the same images.

    [arXiv 1703.01780](https://arxiv.org/abs/1703.01780). The teacher is a copy of the supernet whose weights follow
    those of the student, θ′ ← d θ′ + (1 − d) θ after every step; it has no gradient, and its batch norm uses the
    statistics of the batch. The paper trains one network with labels for few of the images; that the student is a path
    of a supernet, that all images have labels, and that the teacher runs the same path, is a reconstruction. A step
    costs one forward more per path. In a method of several phases, decay and weight begin anew with each.

    Args:
        recipe: The method whose paths agree with their teacher. Default: one uniform path per step, as in SPOS.
        decay: The share d of the average that a step keeps, at most 1 − 1 / (t + 1) after t steps. Default: 0.99 while
            the weight rises and 0.999 after, as in the paper.
        weight: The factor on the distance from the teacher. Default: 100, which the paper reaches after 80 epochs of
            300 along exp(−5 (1 − x)²).
        distance: `"mse"` of the probabilities, as in the paper's main experiments, or `"kl"`.
        runs: What the teacher runs: the `"same"` path, or the `"largest"` architecture.

    Raises:
        UsageError: the recipe has a part called `teacher` already, several sets of weights, a network
            that changes along the way, or no objective.
    """
    if has_several_sets(recipe):
        raise UsageError(
            f"mean_teacher averages one set of weights, but {recipe.name!r} makes several of them. Give it a method "
            "that has one, such as spos()."
        )
    if not isinstance(recipe.program, PhasesBySpace) and any(rewrites(phase) for phase in recipe.phases):
        raise UsageError(
            f"mean_teacher's teacher is a copy of the network as it begins, but {recipe.name!r} changes the network "
            "along the way. Give it a method that keeps its network, such as spos()."
        )
    taught = recipe.with_objective(partial(Consistency, weight=weight, distance=distance, runs=runs))
    return replace(
        taught,
        name=around("mean_teacher", recipe),
        parts=with_part("mean_teacher", recipe, "teacher", Part(build=CopyOfNet())),
        edits=(*recipe.edits, Edit(name="average", apply=AverageInto("teacher", decay))),
    )
