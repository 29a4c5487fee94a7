"""How much the gradients of paths agree: cosines on what they share, as a whole and layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import combinations
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn.batch import Batch, called
from supernet.nn.modes import all_but_normalisation, evaluating, untouched_buffers
from supernet.nn.output import as_output
from supernet.nn.supernet import Supernet
from supernet.space import Arch
from supernet.tasks import Classification, Task

Gradient: TypeAlias = Mapping[str, Tensor]
"""The gradient of one path, by the names of the parameters that it uses."""


class Agreement(NamedTuple):
    """Cosines between gradients.

    Attributes:
        cosine: The mean cosine of a pair, over all that the two share; None: no pair shares anything.
        negative: The share of pairs that share something and have an obtuse angle; None: there is none.
        layers: The mean cosine of a pair on each layer that a pair shares, by the layer's name in the network.
    """

    cosine: float | None
    negative: float | None
    layers: Mapping[str, float]


def path_gradients(net: Supernet, archs: Sequence[Arch], batch: Batch, *, task: Task | None = None) -> list[Gradient]:
    """The gradient of the task's loss for each architecture, on the same examples.

    Batch norm uses the statistics of the batch, nothing is dropped, and the supernet stays as it is: parameters, their
    gradients, buffers and modes.

    Args:
        net: The supernet.
        archs: The architectures.
        batch: The examples, on the device of the supernet.
        task: What the network is asked for; None: classification.
    """
    task = Classification() if task is None else task
    parameters = [(name.removeprefix("module."), p) for name, p in net.named_parameters() if p.requires_grad]
    found: list[Gradient] = []
    with measuring(net):
        for arch in archs:
            with net.active(arch):
                loss = task.loss(as_output(called(net, batch.x)), batch)
                gradients = torch.autograd.grad(loss, [p for _, p in parameters], allow_unused=True)
            named = zip(parameters, gradients, strict=True)
            found.append({name: g.detach() for (name, _), g in named if g is not None})
    return found


def agreement(pairs: Sequence[tuple[Gradient, Gradient]]) -> Agreement:
    """The cosines of pairs of gradients on the parameters that both of a pair have.

    A gradient of zero has no direction; where one of a pair is zero, the pair does not count.

    Args:
        pairs: The pairs.
    """
    whole: list[float] = []
    layers: dict[str, list[float]] = {}
    for one, other in pairs:
        by_layer: dict[str, Tensor] = {}
        for name in one.keys() & other.keys():
            layer = name.rpartition(".")[0]
            by_layer[layer] = by_layer.get(layer, torch.zeros(3, dtype=torch.float64)) + _products(
                one[name], other[name]
            )
        for layer, products in sorted(by_layer.items()):
            if (cosine := _cosine(products)) is not None:
                layers.setdefault(layer, []).append(cosine)
        total = torch.stack([by_layer[layer] for layer in sorted(by_layer)]).sum(0) if by_layer else torch.zeros(3)
        if (cosine := _cosine(total)) is not None:
            whole.append(cosine)
    return Agreement(
        cosine=_mean(whole) if whole else None,
        negative=_mean([float(cosine < 0) for cosine in whole]) if whole else None,
        layers={layer: _mean(layers[layer]) for layer in sorted(layers)},
    )


def gradient_conflict(net: Supernet, archs: Sequence[Arch], batch: Batch, *, task: Task | None = None) -> Agreement:
    """The cosines between the gradients of all pairs of architectures on the same examples.

    1: all ask for the same change of what they share; 0: none minds the other; below 0: what serves one harms the
    other, to first order (MAGIC, [arXiv 2108.12821](https://arxiv.org/abs/2108.12821); NASViT,
    [OpenReview](https://openreview.net/forum?id=Qaw16njk6L)).

    Args:
        net: The supernet, which stays as it is.
        archs: The architectures, two or more.
        batch: The examples, on the device of the supernet.
        task: What the network is asked for; None: classification.

    Raises:
        UsageError: fewer than two architectures.
    """
    if len(archs) < 2:
        raise UsageError(f"Gradients were to be compared between {len(archs)} architecture(s); give two or more.")
    return agreement(list(combinations(path_gradients(net, archs, batch, task=task), 2)))


@contextmanager
def measuring(net: Supernet) -> Iterator[None]:
    """Statistics of the batch, no dropout, and everything as it was afterwards."""
    training = {module: module.training for module in net.modules()}
    net.train()
    try:
        with evaluating(all_but_normalisation(net)), untouched_buffers(net), torch.enable_grad():
            yield
    finally:
        for module, mode in training.items():
            module.training = mode


def _products(one: Tensor, other: Tensor) -> Tensor:
    """⟨a, b⟩, |a|², |b|² in double precision (3,)."""
    a, b = one.double().flatten(), other.double().flatten()
    return torch.stack([a @ b, a @ a, b @ b]).cpu()


def _cosine(products: Tensor) -> float | None:
    between, first, second = products.tolist()
    return between / (first * second) ** 0.5 if first * second > 0 else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
