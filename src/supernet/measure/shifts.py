"""How much changes for a layer when the path around it does: its inputs, and what it is asked to become (Π-NAS)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations, pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.measure.conflict import agreement, measuring, path_gradients
from supernet.nn.batch import Batch, called
from supernet.nn.supernet import Supernet
from supernet.space import Arch
from supernet.tasks import Task


class Shift(NamedTuple):
    """A distance, 1 − cosine, between 0 and 2.

    Attributes:
        mean: The mean over the layers; None: no layer is shared by two paths.
        layers: The distance for each layer that paths share, by its name in the network.
    """

    mean: float | None
    layers: Mapping[str, float]


def feature_shift(net: Supernet, archs: Sequence[Arch], batch: Batch) -> Shift:
    """How different the inputs of a shared layer are, from path to path, for the same examples.

    Π-NAS ([arXiv 2108.09671](https://arxiv.org/abs/2108.09671), §3) calls feature shift that the inputs of a layer
    depend on the path that was drawn. The measure is a reconstruction: for each layer with parameters of its own, the
    mean over all pairs of paths that run it, and over the examples, of 1 − cos(x, x′) of its inputs x and x′. Inputs of
    different sizes, as of elastic layers, are not compared. Batch norm uses the statistics of the batch, nothing is
    dropped, and the supernet stays as it is.

    Args:
        net: The supernet.
        archs: The paths, two or more.
        batch: The examples, on the device of the supernet.

    Raises:
        UsageError: fewer than two paths.
    """
    _require_two(archs)
    inputs: list[dict[str, Tensor]] = []
    layers = net.module.named_modules()
    own = [(name, layer) for name, layer in layers if any(True for _ in layer.parameters(recurse=False))]
    with measuring(net), torch.no_grad():
        for arch in archs:
            seen: dict[str, Tensor] = {}
            handles = [layer.register_forward_pre_hook(partial(_keep, seen, name)) for name, layer in own]
            try:
                with net.active(arch):
                    called(net, batch.x)
            finally:
                for handle in handles:
                    handle.remove()
            inputs.append(seen)
    found: dict[str, list[float]] = {}
    for one, other in combinations(inputs, 2):
        for name in sorted(one.keys() & other.keys()):
            if one[name].shape == other[name].shape:
                cosines = F.cosine_similarity(one[name].flatten(1), other[name].flatten(1), dim=1)
                found.setdefault(name, []).append(1 - float(cosines.mean()))
    return _shift({name: sum(values) / len(values) for name, values in sorted(found.items())})


def parameter_shift(
    net: Supernet, archs: Sequence[Arch], batches: Sequence[Batch], *, task: Task | None = None
) -> Shift:
    """How different the updates are that a shared layer gets from one path to the next, on the next examples.

    Π-NAS ([arXiv 2108.09671](https://arxiv.org/abs/2108.09671), §3) calls parameter shift that the updates of a layer
    contradict each other where it lies in different paths in different steps. The measure is a reconstruction: for each
    layer the mean over consecutive paths that use it, each on examples of its own, of 1 − cos(g, g′) of its gradients g
    and g′ at the present weights. Above 1 the updates point against each other. The supernet stays as it is.

    Args:
        net: The supernet.
        archs: The paths in their order, two or more.
        batches: The examples of each path, on the device of the supernet.
        task: What the network is asked for; None: classification.

    Raises:
        UsageError: fewer than two paths, or another number of batches.
    """
    _require_two(archs)
    if len(archs) != len(batches):
        raise UsageError(f"{len(archs)} paths were given with {len(batches)} batches; give one batch for each path.")
    gradients = [path_gradients(net, [a], batch, task=task)[0] for a, batch in zip(archs, batches, strict=True)]
    return _shift({name: 1 - cosine for name, cosine in agreement(list(pairwise(gradients))).layers.items()})


def _keep(seen: dict[str, Tensor], name: str, _: nn.Module, given: tuple[Any, ...]) -> None:
    if given and isinstance(given[0], Tensor):
        seen[name] = given[0].float()


def _shift(layers: Mapping[str, float]) -> Shift:
    return Shift(sum(layers.values()) / len(layers) if layers else None, layers)


def _require_two(archs: Sequence[Arch]) -> None:
    if len(archs) < 2:
        raise UsageError(f"A shift is one between paths, but {len(archs)} was given; give two or more.")
