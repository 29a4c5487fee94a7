"""The cell space of ENAS (Pham et al., ICML 2018): a normal and a reduction cell of five nodes, stacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from supernet.nn import InputChoice, OpChoice, Statistics, Supernet, batch_norm
from supernet.paper import Paper
from supernet.zoo.cells.auxiliary_head import AuxiliaryHead
from supernet.zoo.cells.cell_ops import FactorizedReduce, operation, relu_conv_bn, stem
from supernet.zoo.cells.enas_choices import (
    OPS,
    CellPicks,
    CellStack,
    behind_the_entrance,
    inputs_of,
    picks_of,
    reductions_after,
)
from supernet.zoo.cells.loose_ends import LooseEnds
from supernet.zoo.initialisation import he_normal
from supernet.zoo.layers import classifier

PAPER = Paper(
    name="ENAS",
    title="Efficient Neural Architecture Search via Parameter Sharing",
    authors=("Pham", "Guan", "Zoph", "Le", "Dean"),
    venue="ICML",
    year=2018,
    arxiv="1802.03268",
    provenance="official code",
)

TINY: dict[str, Any] = {"channels": 4, "layers": 3, "nodes": 3}


def enas_micro(
    *,
    channels: int = 20,
    layers: int = 6,
    nodes: int = 5,
    operations: Sequence[str] = OPS,
    auxiliary: bool = True,
    dropout: float = 0.1,
    statistics: Statistics = "batch",
    num_classes: int = 10,
    in_channels: int = 3,
    image_size: int = 32,
) -> Supernet:
    """ENAS's cells: 5 nodes, each the sum of two operations on earlier states; (5⁵ · 6!)⁴ ≈ 2.6 · 10²⁵ pairs of cells.

    Pham et al., ICML 2018, [arXiv 1802.03268](https://arxiv.org/abs/1802.03268), §2.4.

    In the cells `"normal"` and `"reduce"` the states 0 and 1 are the outputs of the two cells before. The nodes 2 … 6
    have two sides x and y, each with a choice of the state it takes, such as `"normal.2.x.input"` with the options
    `(0,)` and `(1,)`, and of its operation, `"normal.2.x"`. Every operation has weights for each state that it may run
    on. What no node takes is the output of the cell, through a 1 × 1 convolution, see `LooseEnds`. Cells of one kind
    share their choices; `zoo.enas_micro_arch` reads the authors' notation.

    The defaults are those of the authors' search on CIFAR-10. In it a reduction cell runs at stride 1 behind a
    reduction of both inputs; their final networks, with stride 2 inside instead, are `zoo.enas_micro_final`.

    Args:
        channels: Width C of the first cells. Each of the two reduction cells doubles it.
        layers: L, the number of normal cells, at least 3; a reduction cell follows the first ⌊L/3⌋ and the first
            2⌊L/3⌋ of them.
        nodes: Number of nodes per cell, inputs not counted.
        operations: The operations, of `OPS`.
        auxiliary: Whether a second classifier stands behind the first cell after the second reduction; the network
            then returns an `Output` in training. It needs images of 17 pixels a side or more.
        dropout: Probability with which features are dropped before the classifier.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`. The authors score by the
            statistics of the batch.
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: a size that cannot be, or an unknown operation.

    >>> enas_micro(channels=4, auxiliary=False).space.size == (5**5 * 720) ** 4
    True
    """
    picks = picks_of(
        nodes=nodes,
        operations=operations,
        layers=layers,
        auxiliary=auxiliary,
        dropout=dropout,
        statistics=statistics,
        image_size=image_size,
        channels=channels,
        num_classes=num_classes,
        in_channels=in_channels,
    )
    reductions = reductions_after(layers)
    first = stem(in_channels, 3 * channels, statistics=statistics)
    cells = nn.ModuleList()
    before = last = 3 * channels
    width = channels
    for layer in range(layers + 2):
        reduces = layer in reductions
        width *= 2 if reduces else 1
        if reduces:
            before = last
        kind = picks["reduce" if reduces else "normal"]
        cells.append(Cell(kind, before, last, width, reduces=reduces, statistics=statistics))
        before, last = (width if reduces else last), width
    aux = _auxiliary_head(width, -(-image_size // 4), num_classes, statistics) if auxiliary else None
    head = classifier([nn.ReLU()], width, num_classes, dropout=dropout, bias=False)
    network = CellStack(picks, first, cells, aux, reductions[1] + 1, head)
    he_normal(network)
    return Supernet(network, input_shape=(in_channels, image_size, image_size))


class Cell(nn.Module):
    """A cell: two inputs brought to one shape, nodes of two operations each, and what none of them takes.

    (B, C'', H'', W''), (B, C', H, W) -> the two inputs of the next cell; a reduction cell halves both of its own first.
    """

    def __init__(
        self,
        picks: CellPicks,
        before: int,
        last: int,
        width: int,
        *,
        reduces: bool,
        statistics: Statistics,
    ) -> None:
        super().__init__()
        norm: dict[str, Any] = {"affine": True, "statistics": statistics}
        self.reduction: nn.Module | None = None
        if reduces:
            self.reduction = FactorizedReduce(last, width, relu=False, **norm)
            last = width
        self.before = _fitted(before, width, halve=reduces, **norm)
        self.last = _fitted(last, width, halve=False, **norm)
        self.sides = nn.ModuleList(
            InputChoice(
                side.input,
                [
                    OpChoice(side.op, {name: _operation(name, width, norm) for name in side.op.options})
                    for _ in range(n)
                ],
            )
            for n, node in enumerate(picks, start=2)
            for side in node
        )
        self.output = LooseEnds(
            inputs_of(picks), [nn.Conv2d(width, width, 1, bias=False) for _ in range(len(picks) + 2)]
        )
        self.norm = batch_norm(width, statistics=statistics)

    def forward(self, before: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        if self.reduction is not None:
            before, last = last, self.reduction(last)
        states = [self.before(before), self.last(last)]
        sides = list(self.sides)
        for x, y in zip(sides[::2], sides[1::2], strict=True):
            states.append(x(states) + y(states))
        return last, self.norm(self.output(states))


def _operation(name: Any, width: int, norm: dict[str, Any]) -> nn.Module:
    return operation(str(name), width, stride=1, pool_norm=False, **norm)


def _fitted(given: int, width: int, *, halve: bool, **norm: Any) -> nn.Module:
    """What brings an input of a cell to its shape."""
    if halve:
        return FactorizedReduce(given, width, **norm)
    return nn.Identity() if given == width else relu_conv_bn(given, width, **norm)


def _auxiliary_head(width: int, side: int, num_classes: int, statistics: Statistics) -> AuxiliaryHead:
    entrance = nn.Sequential(nn.ReLU(), nn.AvgPool2d(5, stride=3), nn.Conv2d(width, 128, 1, bias=False))
    return AuxiliaryHead(*entrance, *behind_the_entrance(side, num_classes, statistics))
