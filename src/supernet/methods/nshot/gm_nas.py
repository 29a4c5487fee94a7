"""GM-NAS: Generalizing Few-Shot NAS with Gradient Matching (Hu et al., ICLR 2022)."""

from __future__ import annotations

from functools import partial
from typing import Literal, get_args

import torch

from supernet.errors import UsageError
from supernet.train import Cosine, CrossEntropy, Phase, Recipe, TrainPaths, Uniform, Updates
from supernet.train.adapt.copies import Copies
from supernet.train.edits.split_by_gradients import SplitByGradients
from supernet.train.samplers import Sampler
from supernet.train.samplers.within import Within
from supernet.train.schedules._protocol import LearningRate
from supernet.train.states._protocol import StateGroups
from supernet.train.updates import Inactive

Restart = Literal["final", "never"]


def gm_nas(
    *,
    epochs: tuple[float, ...] = (20, 20, 50),
    repeats: int = 100,
    balanced: bool = False,
    restart: Restart = "final",
    learning_rate: float = 0.025,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 1e-4,
    label_smoothing: float = 0.0,
    schedule: LearningRate | None = None,
    sampler: Sampler | None = None,
    states: StateGroups | None = None,
    inactive: Inactive = "decay",
    clip_norm: float | None = 5.0,
    reference_batch: int | None = None,
) -> Recipe:
    """GM-NAS: a supernet splits in two, again and again, where gradients of its options disagree most.

    After each stage every leaf is divided by the choice whose options disagree most on their shared weights, into the
    two groups with the minimum cut; k splits in succession make 2ᵏ leaves, which are trained one after another. Before
    the last stage all weights are drawn anew. Defaults are those of random search with parameter sharing on
    NAS-Bench-201 (batches of 64): stages of 20, 20 and 50 epochs.

    Args:
        epochs: Length of a leaf's training in every stage; stages are divided by splits. The steps of a run are divided
            in these proportions.
        repeats: Batches on which gradients are compared.
        balanced: Consider only groups of equal size, or sizes that differ by one, as the released code does.
        restart: `"final"`: the leaves of the last stage start from fresh weights; `"never"`: always from the weights
            of the leaf they were part of.
        learning_rate: Of SGD.
        momentum: Of SGD.
        nesterov: Whether the momentum is Nesterov's.
        weight_decay: On all parameters.
        label_smoothing: Of the cross-entropy in training; gradients are compared without.
        schedule: Factor on the learning rate in every phase; default cosine from 0.025 to 0.001.
            `ComplexityAwareLR()` makes it subnet-aware.
        sampler: Rule that draws paths, within a leaf from its sub-space; default `Uniform()`.
        states: Which paths share a momentum; default: all of a leaf. `MomentumSeparation()` separates groups.
        inactive: Treatment of unsampled parameters of the leaf that is trained.
        clip_norm: Largest gradient norm.
        reference_batch: Images per batch that `learning_rate` is meant for; None: any.

    Raises:
        UsageError: fewer than two stages, or an unknown `restart`.
    """
    if len(epochs) < 2:
        raise UsageError(f"GM-NAS was given the stages {tuple(epochs)}; it needs two or more, with a split between.")
    if restart not in get_args(Restart):
        raise UsageError(f"Weights are drawn anew at one of {get_args(Restart)}; got restart={restart!r}.")
    objective = CrossEntropy(label_smoothing)
    last = len(epochs) - 1
    phases = []
    for stage, share in enumerate(epochs):
        split = SplitByGradients(repeats=repeats, balanced=balanced, fresh=restart == "final" and stage == last)
        for leaf in range(2**stage):
            phases.append(
                Phase(
                    name=f"stage {stage}, leaf {leaf}",
                    share=share,
                    program=TrainPaths(sampler=Within(sampler or Uniform(), leaf), objective=objective),
                    enter=split if stage > 0 and leaf == 0 else None,
                )
            )
    return Recipe(
        name="gm_nas",
        adapt=Copies(2**last, splits=last),
        program=tuple(phases),
        weights=Updates(
            optimizer=partial(
                torch.optim.SGD, lr=learning_rate, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay
            ),
            schedule=schedule or Cosine(floor=0.04),
            clip_norm=clip_norm,
            inactive=inactive,
            reference_batch=reference_batch,
            states=states,
        ),
    )
