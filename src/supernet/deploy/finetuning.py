"""Further training of one subnet, through the same loop as the supernet."""

from __future__ import annotations

import copy
from functools import partial

import torch

from supernet.data import ImageData
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train import Cosine, CrossEntropy, Fixed, Recipe, TrainPaths, Updates, fit


def finetuned(
    net: Supernet,
    arch: Arch,
    data: ImageData,
    *,
    steps: int,
    batch_size: int = 64,
    learning_rate: float = 0.01,
    momentum: float = 0.9,
    weight_decay: float = 1e-4,
    label_smoothing: float = 0.1,
    seed: int = 0,
    progress: bool = True,
) -> Supernet:
    """A copy of the supernet in which one subnet has been trained further from its inherited weights.

    SGD with a cosine schedule. The copy is for exporting that subnet: what the others inherit there is spoilt.

    Args:
        net: The trained supernet; left as it is.
        arch: The subnet.
        data: Training images.
        steps: Steps.
        batch_size: Images per step.
        learning_rate: At the start.
        momentum: Of SGD.
        weight_decay: On weights; biases and norms have none.
        label_smoothing: Of the cross-entropy.
        seed: Of image order and augmentation.
        progress: Whether to show progress.

    Raises:
        UsageError: the architecture is not in the space, or a number is out of range.
        RunError: the loss is not finite.
    """
    recipe = Recipe(
        name="finetune",
        program=TrainPaths(sampler=Fixed(arch), objective=CrossEntropy(label_smoothing)),
        weights=Updates(
            optimizer=partial(torch.optim.SGD, lr=learning_rate, momentum=momentum, weight_decay=weight_decay),
            schedule=Cosine(),
            decay_vectors=False,
        ),
    )
    copied = copy.deepcopy(net)
    size = min(batch_size, len(data.train))
    fit(copied, recipe, data, steps=steps, batch_size=size, seed=seed, progress=progress)
    return copied
