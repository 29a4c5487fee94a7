"""Few-shot NAS: Few-Shot Neural Architecture Search (Zhao et al., ICML 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from supernet.space import Space
from supernet.train import Cosine, CrossEntropy, Phase, Recipe, TrainPaths, Uniform, Updates
from supernet.train.adapt.copies import CopyPerOption, parts
from supernet.train.edits.split_by_option import SplitByOption
from supernet.train.move import Objective
from supernet.train.samplers import Sampler
from supernet.train.samplers.within import Within
from supernet.train.schedules._protocol import LearningRate
from supernet.train.states._protocol import StateGroups
from supernet.train.updates import Inactive


def few_shot(
    *,
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
        choices: What to split by; None: the first choice that can split the space, in NAS-Bench-201 the edge `"1<-0"`.
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
    """
    return Recipe(
        name="few_shot",
        adapt=CopyPerOption(choices),
        program=LeafAfterLeaf(
            choices=choices,
            parent=parent_epochs if transfer else None,
            leaf=leaf_epochs,
            sampler=sampler or Uniform(),
            objective=CrossEntropy(label_smoothing),
        ),
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


@dataclass(frozen=True, kw_only=True)
class LeafAfterLeaf:
    """Phases: the supernet of the whole space, if it has a share of the training; then each leaf.

    Args:
        choices: What the space is split by, see `SplitByOption`.
        parent: Share of the supernet; None: leaves are trained alone, from fresh weights.
        leaf: Share of each leaf.
        sampler: Draws paths, within a leaf from its sub-space.
        objective: Loss of a path.
    """

    choices: tuple[str, ...] | None
    parent: float | None
    leaf: float
    sampler: Sampler
    objective: Objective

    def phases(self, space: Space) -> tuple[Phase, ...]:
        """The phases, as many as the choices have joint options, and one more for the supernet."""
        split = SplitByOption(self.choices, fresh=self.parent is None)
        first = () if self.parent is None else (Phase(name="parent", share=self.parent, program=self._within(0)),)
        return first + tuple(
            Phase(name=f"leaf {leaf}", share=self.leaf, program=self._within(leaf), enter=None if leaf else split)
            for leaf in range(parts(space, self.choices))
        )

    def _within(self, leaf: int) -> TrainPaths:
        return TrainPaths(sampler=Within(self.sampler, leaf), objective=self.objective)
