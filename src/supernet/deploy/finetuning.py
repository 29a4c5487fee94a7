"""Further training of one subnet from its inherited weights."""

from __future__ import annotations

from supernet.data import ImageData
from supernet.deploy.train_one import plain_sgd, retrained
from supernet.nn import Supernet
from supernet.space import Arch


def finetuned(
    net: Supernet,
    arch: Arch,
    data: ImageData,
    *,
    steps: int,
    batch_size: int = 64,
    lr: float = 0.01,
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
        lr: Learning rate at the start.
        momentum: Of SGD.
        weight_decay: On weights; biases and norms have none.
        label_smoothing: Of the cross-entropy.
        seed: Of image order and augmentation.
        progress: Whether to show progress.

    Raises:
        UsageError: the architecture is not in the space, or a number is out of range.
        RunError: the loss is not finite.
    """
    recipe = plain_sgd(lr, momentum=momentum, weight_decay=weight_decay, label_smoothing=label_smoothing)
    return retrained(
        net,
        arch,
        data,
        steps=steps,
        start="inherited",
        recipe=recipe,
        batch_size=batch_size,
        seed=seed,
        progress=progress,
    )
