"""What derived cells are like: width and depth, loss along random directions, variance of gradients (Shu et al.).

"Understanding Architectures Learnt by Cell-based Neural Architecture Search", ICLR 2020,
[arXiv 1909.09569](https://arxiv.org/abs/1909.09569): differentiable methods prefer wide and shallow cells, whose loss
is smoother and whose gradients vary less, which makes them train fast and need not make them better.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from supernet.data import ImageData
from supernet.errors import UsageError
from supernet.io.schema import CellShape
from supernet.measure import Calibration, loss
from supernet.measure.scores.calibration import DEFAULT
from supernet.measure.scores.recalibration import calibrated
from supernet.measure.untouched import batch_like
from supernet.nn import Supernet
from supernet.nn.batch import called
from supernet.nn.output import as_output
from supernet.rank.checks import Floats
from supernet.space import Arch, Space

_EDGE = re.compile(r"(?:(?P<cell>.+)\.)?(?P<target>\d+)<-(?P<source>\d+)")
_MOST = 2000  # architectures that a mean is taken over


@dataclass(frozen=True)
class Cell:
    """A directed graph of numbered nodes without cycles.

    Attributes:
        edges: Pairs (source, target) of the edges that carry something; several between two nodes count each.
        inputs: The nodes that the cell receives.
        output: The node that it returns; None: all nodes but the inputs, concatenated.
    """

    edges: tuple[tuple[int, int], ...]
    inputs: tuple[int, ...] = (0, 1)
    output: int | None = None

    @property
    def _used(self) -> list[tuple[int, int]]:
        """The edges on a way from an input to the output."""
        reached, needed = set(self.inputs), {target for _, target in self.edges}
        for source, target in sorted(self.edges):  # a source has a smaller number than its target
            if source in reached:
                reached.add(target)
        if self.output is not None:
            needed = {self.output}
            for source, target in sorted(self.edges, key=lambda edge: -edge[1]):
                if target in needed:
                    needed.add(source)
        return [(source, target) for source, target in self.edges if source in reached and target in needed]

    @property
    def width(self) -> float:
        """Sum over the nodes of the share of their edges that come from an input of the cell, in units of its channels.

        The paper takes the width of the nodes that are connected to the inputs, each less the share of its edges that
        come from other nodes. The cell of DARTS has 3.5, that of SNAS 4.

        >>> Cell(((0, 2), (1, 2), (0, 3), (1, 3), (1, 4), (0, 4), (0, 5), (2, 5))).width
        3.5
        """
        used = self._used
        shares = [
            [source in self.inputs for source, target in used if target == node] for node in {edge[1] for edge in used}
        ]
        return float(sum(sum(share) / len(share) for share in shares))

    @property
    def depth(self) -> int:
        """Number of connections on the longest way from an input to the output; concatenation is one of them.

        0 where nothing reaches the output. The cell of DARTS has 3, that of SNAS 2.

        >>> Cell(((0, 2), (1, 2), (0, 3), (1, 3), (1, 4), (0, 4), (0, 5), (2, 5))).depth
        3
        """
        longest = dict.fromkeys(self.inputs, 0)
        used = self._used
        for source, target in sorted(used, key=lambda edge: edge[1]):
            longest[target] = max(longest.get(target, 0), longest[source] + 1)
        return max(longest.values()) + 1 if self.output is None and used else longest.get(self.output or 0, 0)


def cells_of(arch: Arch, *, none: str = "none") -> dict[str, Cell]:
    """The cells of an architecture whose choices are named like edges; none where they are not.

    `"normal.3<-1"` is the edge from node 1 to node 3 of the cell `normal`; without a name, as in NAS-Bench-201, there
    is one cell, called `"cell"`. Nodes that are no target receive the cell's input. With one of these the last node is
    the output (NAS-Bench-201; the paper has no such cells, this is a reconstruction), with two all others are (DARTS).

    Args:
        arch: The architecture; of its choices those count that matter to it.
        none: The operation that is no edge at all.
    """
    named: dict[str, list[tuple[int, int]]] = {}
    for name in arch.space.names:
        if edge := _EDGE.fullmatch(name):
            named.setdefault(edge["cell"] or "cell", []).append((int(edge["source"]), int(edge["target"])))
    active = {
        (edge["cell"] or "cell", int(edge["source"]), int(edge["target"]))
        for name, option in arch.options().items()
        if (edge := _EDGE.fullmatch(name)) and option != none
    }
    cells = {}
    for name, possible in named.items():
        targets = {target for _, target in possible}
        inputs = tuple(sorted({source for source, _ in possible} - targets))
        edges = tuple((source, target) for source, target in possible if (name, source, target) in active)
        cells[name] = Cell(edges, inputs, max(targets) if len(inputs) == 1 else None)
    return cells


def cell_shapes(arch: Arch, *, seed: int = 0) -> dict[str, CellShape]:
    """Width and depth of each cell of an architecture, beside the means over its space.

    Args:
        arch: The architecture.
        seed: The seed of the architectures that the means are taken over: all of a space of up to 2,000, else as many
            drawn uniformly.
    """
    found = cells_of(arch)
    others = [cells_of(other) for other in _others(arch.space, seed)] if found else []
    return {
        name: CellShape(
            width=cell.width,
            depth=cell.depth,
            random_width=float(np.mean([other[name].width for other in others])),
            random_depth=float(np.mean([other[name].depth for other in others])),
        )
        for name, cell in found.items()
    }


def _others(space: Space, seed: int) -> Sequence[Arch]:
    if space.size <= _MOST:
        return list(space.enumerate())
    return space.wrap(space.population(np.random.default_rng(seed), _MOST, per="architecture"))


# -- of trained weights ----------------------------------------------------------------------------------------


def loss_along(
    net: Supernet,
    arch: Arch,
    data: ImageData,
    *,
    distances: Sequence[float] = tuple(np.linspace(-1, 1, 11)),
    directions: int = 2,
    calibration: Calibration | None = DEFAULT,
    images: int | None = None,
    seed: int = 0,
) -> Floats:
    """Loss in nats along random directions from the weights of an architecture, (directions, len(distances)).

    A direction is normal noise in which every filter has the norm of the filter it is added to; vectors (biases, norms)
    stay as they are (Li et al., NeurIPS 2018, [arXiv 1712.09913](https://arxiv.org/abs/1712.09913), §4). A smooth
    landscape has a loss that rises slowly and evenly. The network is left as it was.

    Args:
        net: The network, best one in which the architecture was trained alone.
        arch: The architecture.
        data: The data set: validation images are measured, training images calibrate batch norm.
        distances: How far to go, in units of the filters' norms; 0 is where the weights are.
        directions: Number of directions.
        calibration: Batch norm statistics at each place; None keeps those of the network.
        images: Number of validation images; None: all.
        seed: The seed of the directions.

    Raises:
        UsageError: as `measure.scores`.
        RunError: an output is not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    weights = [parameter for parameter in net.parameters() if parameter.ndim > 1]
    before = [weight.detach().clone() for weight in weights]
    found = np.empty((directions, len(distances)))
    try:
        for row in range(directions):
            noise = [_like_filters(weight, generator) for weight in before]
            for column, distance in enumerate(distances):
                with torch.no_grad():
                    for weight, origin, step in zip(weights, before, noise, strict=True):
                        weight.copy_(origin + distance * step)
                found[row, column] = loss(net, arch, data, calibration=calibration, images=images)
    finally:
        with torch.no_grad():
            for weight, origin in zip(weights, before, strict=True):
                weight.copy_(origin)
    return found


def _like_filters(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Noise whose rows (filters) have the norms of those of a weight."""
    noise = torch.randn(weight.shape, generator=generator).to(weight)
    along = tuple(range(1, weight.ndim))
    norms = [torch.linalg.vector_norm(values, dim=along, keepdim=True) for values in (weight, noise)]
    scaled: Tensor = noise * (norms[0] / norms[1].clamp_min(1e-12))
    return scaled


def gradient_variance(
    net: Supernet,
    arch: Arch,
    data: ImageData,
    *,
    batches: int = 8,
    batch_size: int = 64,
    calibration: Calibration = DEFAULT,
) -> float:
    """Variance of the gradient over batches of training images: mean of ‖g − ḡ‖², summed over all weights in use.

    Gradients are those of the cross-entropy in evaluation mode, so that only the images differ between them.

    Args:
        net: The network; left as it was, but for gradients, which it has none of afterwards.
        arch: The architecture.
        data: The data set.
        batches: Number of batches, at least 2.
        batch_size: Number of images of each.
        calibration: Batch norm statistics.

    Raises:
        UsageError: fewer than two batches, or there are not as many images.
    """
    if batches < 2 or batches * batch_size > len(data.train):
        raise UsageError(
            f"{batches} batches of {batch_size} examples were asked for, out of {len(data.train)}; a variance needs at "
            "least 2 batches, and no example twice. Give other numbers."
        )
    gradients = []
    with calibrated(net, arch, data, calibration):
        for given in data.train.batches(batch_size, limit=batches * batch_size):
            net.zero_grad()
            batch = batch_like(net, given)
            torch.autograd.backward(data.task.loss(as_output(called(net, batch.x)), batch))
            gradients.append(_gradient(net))
    net.zero_grad()
    stacked = torch.stack(gradients)
    return float((stacked - stacked.mean(0)).square().sum(1).mean())


def _gradient(net: nn.Module) -> Tensor:
    return torch.cat([p.grad.reshape(-1).double() for p in net.parameters() if p.grad is not None])
