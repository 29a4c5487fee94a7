"""Distillation from the network as it was when the training began (Hinton et al., NIPS Deep Learning Workshop 2015)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from supernet.errors import UsageError
from supernet.methods._wrapping import around, has_several_sets, with_part
from supernet.methods.single_path.spos import spos
from supernet.paper import Paper
from supernet.train import CopyOfNet, Distillation, Objective, Part, Recipe
from supernet.train.phases import PhasesBySpace, rewrites

PAPER = Paper(
    name="Knowledge distillation",
    title="Distilling the Knowledge in a Neural Network",
    authors=("Hinton", "Vinyals", "Dean"),
    venue="NIPS Deep Learning Workshop",
    year=2015,
    arxiv="1503.02531",
    provenance="reconstruction",
)

BASELINE = spos()


def distilled(recipe: Recipe = BASELINE, *, weight: float = 0.9, temperature: float = 4.0) -> Recipe:
    """Knowledge distillation: every path also learns from the largest subnet as it was when the training began.

    [arXiv 1503.02531](https://arxiv.org/abs/1503.02531), §2. For a model that `supernet.elastic` made a supernet of,
    the teacher is that model: subnets are trained to say what it says. It runs in evaluation mode, once per batch for
    all paths of a step, and never learns. The loss is (1 − w) times that of the recipe and w T² times the cross-entropy
    between the softmaxes at temperature T. That paths of a supernet are the students is a reconstruction; the paper
    trains a network of its own, and leaves w ("a considerably lower weight" for the labels) and T (1 to 20) open.

    Args:
        recipe: The method whose paths learn from the teacher too. Default: one uniform path per step, as in SPOS.
        weight: The weight w of the teacher; 1: labels do not count.
        temperature: The temperature T of both softmaxes.

    Raises:
        UsageError: the recipe has a part called `teacher` already, several sets of weights, a network that changes
            along the way, or no objective; or a value outside its range.
    """
    if not 0 < weight <= 1:
        raise UsageError(f"The weight of the teacher is {weight}; give one above 0 and up to 1.")
    if has_several_sets(recipe):
        raise UsageError(
            f"distilled's teacher is a copy of one network, but {recipe.name!r} makes several sets of its weights. "
            "Give it a method that has one, such as spos()."
        )
    if not isinstance(recipe.program, PhasesBySpace) and any(rewrites(phase) for phase in recipe.phases):
        raise UsageError(
            f"distilled's teacher is a copy of the network as it begins, but {recipe.name!r} changes the network along "
            "the way. Give it a method that keeps its network, such as spos()."
        )
    taught = recipe.with_objective(partial(_taught, weight, temperature))
    teacher = Part(build=CopyOfNet(), mode="eval")
    return replace(taught, name=around("distilled", recipe), parts=with_part("distilled", recipe, "teacher", teacher))


def _taught(weight: float, temperature: float, labels: Objective) -> Objective:
    return Distillation(labels=labels, labels_weight=1 - weight, weight=weight, temperature=temperature)
