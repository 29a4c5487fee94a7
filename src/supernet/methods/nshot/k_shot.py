"""K-shot NAS: Learnable Weight-Sharing for NAS with K-shot Supernets (Su et al., ICML 2021)."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch

from supernet.train import Cosine, CrossEntropy, Recipe, Uniform, Updates
from supernet.train.adapt.dictionary import Dictionary
from supernet.train.programs.weights_then_codes import WeightsThenCodes
from supernet.train.samplers import Sampler
from supernet.train.schedules._protocol import LearningRate
from supernet.train.states._protocol import StateGroups


def k_shot(
    *,
    k: int = 8,
    hidden: int = 64,
    temperature: float = 1.0,
    entropy: float = 0.0,
    code_rate: float = 0.1,
    code_data: Literal["train", "validation"] = "train",
    seed: int = 0,
    learning_rate: float = 0.1,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 4e-5,
    label_smoothing: float = 0.1,
    schedule: LearningRate | None = None,
    sampler: Sampler | None = None,
    states: StateGroups | None = None,
    clip_norm: float | None = 5.0,
    reference_batch: int | None = None,
) -> Recipe:
    """K-shot NAS: every architecture mixes K sets of weights by a code of its own, which a small network computes.

    The sets and the small network are trained in turn, on the paths of a step. That each architecture's weights are a
    convex combination, and that the two are trained iteratively, is the paper's. There is no official code: K, the
    small network, what it learns from and all settings of the optimiser are a reconstruction. Memory is that of K
    supernets; a step costs two passes and the mixing. Parameters that no path of a move used are left alone.

    Args:
        k: Sets of weights.
        hidden: Width of the hidden layer of the small network.
        temperature: Of the softmax that makes codes.
        entropy: Weight of the codes' entropy in the small network's objective, against collapse onto one set.
        code_rate: Learning rate of the small network, relative to that of the weights. Codes collapse where it is
            large.
        code_data: Split that the small network learns from.
        seed: Seed of the initial weights of all sets but the first, and of the small network.
        learning_rate: Of SGD.
        momentum: Of SGD.
        nesterov: Whether the momentum is Nesterov's.
        weight_decay: On weights; biases and norms have none.
        label_smoothing: Of the cross-entropy.
        schedule: Factor on the learning rate; default `Cosine()`. `ComplexityAwareLR()` makes it subnet-aware.
        sampler: Rule that draws paths; default `Uniform()`.
        states: Which paths share a momentum; default: all. `MomentumSeparation()` separates groups.
        clip_norm: Largest gradient norm, of each of the two.
        reference_batch: Images per batch that `learning_rate` is meant for; None: any.
    """
    return Recipe(
        name="k_shot",
        adapt=Dictionary(k, hidden, temperature, seed),
        program=WeightsThenCodes(
            sampler=sampler or Uniform(),
            objective=CrossEntropy(label_smoothing),
            rate=code_rate,
            entropy=entropy,
            data=code_data,
        ),
        weights=Updates(
            optimizer=partial(
                torch.optim.SGD, lr=learning_rate, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay
            ),
            schedule=schedule or Cosine(),
            clip_norm=clip_norm,
            decay_vectors=False,
            reference_batch=reference_batch,
            states=states,
        ),
    )
