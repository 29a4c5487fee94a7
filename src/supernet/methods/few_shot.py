"""Few-shot NAS: Few-Shot Neural Architecture Search (Zhao et al., ICML 2021)."""

from __future__ import annotations

from functools import partial

import torch

from supernet.errors import UsageError
from supernet.train import Cosine, CrossEntropy, Phase, Recipe, TrainPaths, Uniform, Updates
from supernet.train.partition import CopyPerOption, SplitByOption
from supernet.train.samplers import Sampler
from supernet.train.samplers.within import Within
from supernet.train.schedules import LearningRate
from supernet.train.states import StateGroups
from supernet.train.updates import Inactive


def few_shot(
    *,
    leaves: int = 5,
    choices: tuple[str, ...] | None = None,
    transfer: bool = True,
    parent_epochs: float = 600,
    leaf_epochs: float = 300,
    learning_rate: float = 0.025,
    momentum: float = 0.9,
    nesterov: bool = True,
    weight_decay: float = 1e-4,
    label_smoothing: float = 0.0,
    schedule: LearningRate | None = None,
    sampler: Sampler | None = None,
    states: StateGroups | None = None,
    inactive: Inactive = "decay",
    clip_norm: float | None = None,
    reference_batch: int | None = None,
) -> Recipe:
    """Few-shot NAS: a supernet is trained, then one per option of a choice, each from the weights of the first.

    Leaves are trained one after another; each is a copy of the supernet, limited to one option of the choice. With
    several choices there is a leaf per joint option. Defaults are the official ones for NAS-Bench-201 (batches of 48):
    600 epochs for the supernet, 300 for each of 5 leaves, optimiser and schedule starting anew. `transfer=False` trains
    leaves alone, from fresh weights.

    Args:
        leaves: Number of leaves: of (joint) options of the choices.
        choices: What to split by; None: the first choice of the space, in NAS-Bench-201 the edge `"1<-0"`.
        transfer: Whether a supernet of the whole space is trained first and leaves start from it.
        parent_epochs: Length of the first training, relative to `leaf_epochs`.
        leaf_epochs: Length of each leaf's training. The steps of a run are divided in these proportions.
        learning_rate: Of SGD.
        momentum: Of SGD.
        nesterov: Whether the momentum is Nesterov's.
        weight_decay: On all parameters.
        label_smoothing: Of the cross-entropy.
        schedule: Factor on the learning rate in every phase; default cosine from 0.025 to 0.001.
            `ComplexityAwareLR()` makes it subnet-aware.
        sampler: Rule that draws paths, within a leaf from its sub-space; default `Uniform()`.
        states: Which paths share a momentum; default: all of a leaf. `MomentumSeparation()` separates groups.
        inactive: Treatment of unsampled parameters of the leaf that is trained.
        clip_norm: Largest gradient norm.
        reference_batch: Images per batch that `learning_rate` is meant for; None: any.

    Raises:
        UsageError: fewer than two leaves.
    """
    if leaves < 2:
        raise UsageError(f"Few-shot NAS was asked for {leaves} leaves; give at least 2, one per option of a choice.")
    objective = CrossEntropy(label_smoothing)

    def train(leaf: int) -> TrainPaths:
        return TrainPaths(sampler=Within(sampler or Uniform(), leaf), objective=objective)

    split = SplitByOption(choices, fresh=not transfer)
    parent = (Phase(name="parent", share=parent_epochs, program=train(0)),) if transfer else ()
    children = tuple(
        Phase(name=f"leaf {leaf}", share=leaf_epochs, program=train(leaf), enter=None if leaf else split)
        for leaf in range(leaves)
    )
    return Recipe(
        name="few_shot",
        adapt=CopyPerOption(choices, leaves),
        program=parent + children,
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
