"""Where a network makes its feature maps smaller."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.batch import called, mapped, placed
from supernet.nn.input_shape import example
from supernet.nn.output import as_output
from supernet.nn.supernet import Supernet
from supernet.nn.taps import tapped


class Stages(NamedTuple):
    """The stages of a network but for its last one.

    Attributes:
        names: The modules that end them, by name below `Supernet.module`.
        channels: The channels C of what each returns.
        sides: Its height H.
        classes: The logits K that the network returns.
        before: The parameters that come before the stages, by name: those of the stem.
    """

    names: tuple[str, ...]
    channels: tuple[int, ...]
    sides: tuple[int, ...]
    classes: int
    before: tuple[str, ...]


_known: WeakKeyDictionary[Supernet, tuple[int, Stages]] = WeakKeyDictionary()


def stages(net: Supernet) -> Stages:
    """The modules of the longest row of a network, of its layers or cells, that return smaller maps than those before.

    They are found by a pass of its smallest architecture, once for every structure of the network.

    Raises:
        UsageError: the network does not know the shape of its images, or no module makes the maps smaller.
    """
    if net in _known and _known[net][0] == net.structure:
        return _known[net][1]
    if net.input_shape is None:
        raise UsageError(
            "Stages are found by the size of feature maps, but the network does not know the shape of its images. Give "
            "it: net.input_shape = (C, H, W)."
        )
    rows = {"": net.module, **dict(net.module.named_children())}
    lengths = {name: len(row) for name, row in rows.items() if isinstance(row, nn.Sequential | nn.ModuleList)}
    row = max(lengths, key=lengths.__getitem__) if lengths else ""
    prefix = f"{row}." if row else ""
    members = [f"{prefix}{number}" for number in range(lengths.get(row, 0))]
    training = net.training
    net.eval()
    try:
        device = next(net.parameters(), torch.zeros(())).device
        x = mapped(example(net.input_shape, 2), lambda t: placed(t, device))
        with torch.no_grad(), net.active(net.space.smallest()), tapped(net.module, members) as seen:
            logits = as_output(called(net.module, x)).logits
    finally:
        net.train(training)
    maps: list[tuple[str, Tensor]] = [(name, seen[name]) for name in members if name in seen and seen[name].ndim == 4]
    ends = [here for (_, last), here in pairwise(maps) if here[1].shape[2] < last.shape[2]]
    if not ends:
        raise UsageError(
            f"No layer of {type(net.module).__name__} makes its feature maps smaller, so the network has no stages. "
            "Take one whose layers stand in a Sequential or a ModuleList, such as zoo.darts or zoo.nasbench201."
        )
    before: list[str] = []
    for name, child in net.module.named_children() if row else ():
        if name == row:
            break
        before += [f"module.{name}.{inner}" for inner, _ in child.named_parameters()]
    found = Stages(
        tuple(name for name, _ in ends),
        tuple(int(value.shape[1]) for _, value in ends),
        tuple(int(value.shape[2]) for _, value in ends),
        int(logits.shape[1]),
        tuple(before),
    )
    _known[net] = (net.structure, found)
    return found
