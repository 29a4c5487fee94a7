"""The final networks of ENAS's cells (Pham et al., ICML 2018), in which a found pair of cells is trained for use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from supernet.nn import DropPath, InputChoice, OpChoice, Statistics, Supernet, batch_norm
from supernet.paper import Paper
from supernet.space import Choice
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
from supernet.zoo.cells.loose_ends import LooseEnds, WhileLoose
from supernet.zoo.initialisation import he_normal

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


def enas_micro_final(
    *,
    channels: int = 36,
    layers: int = 15,
    nodes: int = 5,
    operations: Sequence[str] = OPS,
    auxiliary: bool = True,
    dropout: float = 0.2,
    statistics: Statistics = "track",
    num_classes: int = 10,
    in_channels: int = 3,
    image_size: int = 32,
) -> Supernet:
    """ENAS's cells as they are trained finally: stride 2 in reduction cells, loose ends side by side, drop-path.

    Pham et al., ICML 2018, [arXiv 1802.03268](https://arxiv.org/abs/1802.03268), §2.4 and official code. Choices and
    architectures are those of `zoo.enas_micro`, so that what was found there is retrained here, with
    `methods.enas_final`. The defaults are those of the authors' final network on CIFAR-10: with the cells that they
    release it has 3,894,372 parameters without the auxiliary head, where the paper states 4.6 million.

    Otherwise than in the search, the states that no node takes are the output as they are, side by side; operations on
    the inputs of a reduction cell have stride 2; and the last input of a cell goes through one more convolution.
    Drop-path stands behind all operations but the identity: cell ℓ of 1 … L + 2 has ℓ / (L + 2) of the setting
    `drop_path`.

    Args:
        channels: Width C of the first cells. Each of the two reduction cells doubles it.
        layers: L, the number of normal cells, at least 3; a reduction cell follows the first ⌊L/3⌋ and the first
            2⌊L/3⌋ of them.
        nodes: Number of nodes per cell, inputs not counted.
        operations: The operations, of `OPS`.
        auxiliary: Whether a second classifier stands behind the first cell after the second reduction; the network
            then returns an `Output` in training. It needs images of 17 pixels a side or more.
        dropout: Probability with which features are dropped before the classifier.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: a size that cannot be, or an unknown operation.

    >>> from supernet import zoo
    >>> search, final = zoo.enas_micro(channels=4), zoo.enas_micro_final(channels=4, layers=3, auxiliary=False)
    >>> final.space.fingerprint == search.space.fingerprint
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
    cells = nn.ModuleList()
    before = last = _States((), 1, 3 * channels, halved=0)
    width = channels
    for layer in range(layers + 2):
        reduces = layer in reductions
        width *= 2 if reduces else 1
        kind = picks["reduce" if reduces else "normal"]
        share = (layer + 1) / (layers + 2)
        cells.append(FinalCell(kind, before, last, width, reduces=reduces, share=share, statistics=statistics))
        before, last = last, _States(tuple(inputs_of(kind)), nodes + 2, width, halved=last.halved + reduces)
        if layer == reductions[1] + 1:
            behind = last
    aux = _auxiliary_head(behind, -(-image_size // 4), num_classes, statistics) if auxiliary else None
    head = last.through(lambda c: nn.Sequential(*_pooled(), nn.Dropout(dropout), nn.Linear(c, num_classes, bias=False)))
    first = _Alone(stem(in_channels, 3 * channels, statistics=statistics))
    network = CellStack(picks, first, cells, aux, reductions[1] + 1, head)
    he_normal(network)
    return Supernet(network, input_shape=(in_channels, image_size, image_size))


class _States(NamedTuple):
    """What a cell gives: its states, of which the loose ones are its output."""

    picks: tuple[Choice, ...]
    number: int
    width: int
    halved: int

    def through(self, part: Callable[[int], nn.Module]) -> LooseEnds:
        """The loose ends side by side through a linear layer, a part of it for each state."""
        return LooseEnds(self.picks, [part(self.width) for _ in range(self.number)])


class _Alone(nn.Module):
    """A stem, as the only state there is."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.layers(x)]


class FinalCell(nn.Module):
    """A cell: two inputs brought to one shape, and nodes of two operations each.

    States of the two cells before -> those of the last one and its own; of a reduction cell all have half the height
    and width that matter later: the nodes, and inputs that no node takes.
    """

    def __init__(
        self,
        picks: CellPicks,
        before: _States,
        last: _States,
        width: int,
        *,
        reduces: bool,
        share: float,
        statistics: Statistics,
    ) -> None:
        super().__init__()
        norm: dict[str, Any] = {"affine": True, "statistics": statistics}
        halve = before.halved < last.halved
        self.before = nn.Sequential(
            before.through(
                lambda c: FactorizedReduce(c, width, relu=False, norm=False, **norm) if halve else _conv(c, width)
            ),
            batch_norm(width, statistics=statistics),
        )
        self.last = nn.Sequential(
            last.through(lambda c: _conv(c, width)),
            batch_norm(width, statistics=statistics),
            *relu_conv_bn(width, width, **norm),
        )

        def candidate(name: str, stride: int) -> nn.Module:
            if name != "skip_connect":
                op = operation(name, width, stride=stride, pool_norm=False, **norm)
                return nn.Sequential(op, DropPath(share))
            return FactorizedReduce(width, width, relu=False, **norm) if stride == 2 else nn.Identity()

        self.sides = nn.ModuleList(
            InputChoice(
                side.input,
                [
                    OpChoice(
                        side.op,
                        {op: candidate(str(op), 2 if reduces and source < 2 else 1) for op in side.op.options},
                    )
                    for source in range(n)
                ],
            )
            for n, node in enumerate(picks, start=2)
            for side in node
        )
        self.inputs: nn.ModuleList | None = None
        if reduces:
            self.inputs = nn.ModuleList(
                WhileLoose(inputs_of(picks), state, FactorizedReduce(width, width, relu=False, **norm))
                for state in range(2)
            )

    def forward(self, before: list[Tensor], last: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        states = [self.before(before), self.last(last)]
        sides = list(self.sides)
        for x, y in zip(sides[::2], sides[1::2], strict=True):
            states.append(x(states) + y(states))
        if self.inputs is not None:
            states[:2] = [halve(state) for halve, state in zip(self.inputs, states[:2], strict=True)]
        return last, states


def _conv(width_in: int, width_out: int) -> nn.Conv2d:
    return nn.Conv2d(width_in, width_out, 1, bias=False)


def _pooled() -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten()]


def _auxiliary_head(states: _States, side: int, num_classes: int, statistics: Statistics) -> AuxiliaryHead:
    entrance = states.through(lambda c: nn.Sequential(nn.AvgPool2d(5, stride=3), _conv(c, 128)))
    return AuxiliaryHead(entrance, *behind_the_entrance(side, num_classes, statistics))
