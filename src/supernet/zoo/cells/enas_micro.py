"""The cell space of ENAS (Pham et al., ICML 2018): a normal and a reduction cell of five nodes, stacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import InputChoice, OpChoice, Output, Statistics, Supernet, batch_norm
from supernet.nn.diagram import Diagram, Edge, Node
from supernet.nn.norm import check_statistics
from supernet.nn.turns import Turn
from supernet.paper import Paper
from supernet.space import Arch, Choice
from supernet.zoo.arguments import check_at_least_one, check_dropout, check_operations
from supernet.zoo.cells.auxiliary_head import AuxiliaryHead
from supernet.zoo.cells.cell_ops import LABELS, SMALLEST_FIRST, FactorizedReduce, operation, relu_conv_bn, stem
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

OPS = ("sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3", "skip_connect")
"""The operations in the order of the authors' code."""

CELLS = ("normal", "reduce")
SIDES = ("x", "y")


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
    reduction of both inputs; their final networks have stride 2 inside instead, and are not built here.

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
    check_at_least_one(
        channels=channels, nodes=nodes, num_classes=num_classes, in_channels=in_channels, image_size=image_size
    )
    check_statistics(statistics)
    check_dropout(dropout)
    if not isinstance(layers, int) or layers < 3:
        raise UsageError(f"layers={layers}: a network needs 3 normal cells or more, with two reductions among them.")
    check_operations(operations, OPS)
    if auxiliary and image_size < 17:
        raise UsageError(
            f"An auxiliary head pools over 5 pixels of maps that are reduced twice, but the images have {image_size} "
            "pixels a side. Build the space with auxiliary=False."
        )
    choices = {cell: _choices(cell, nodes, operations) for cell in CELLS}
    network = EnasMicro(
        choices,
        channels=channels,
        layers=layers,
        auxiliary=image_size if auxiliary else None,
        dropout=dropout,
        statistics=statistics,
        num_classes=num_classes,
        in_channels=in_channels,
    )
    he_normal(network)
    return Supernet(network, input_shape=(in_channels, image_size, image_size))


class _Pick:
    """One side of a node: a state, and an operation on it."""

    def __init__(self, name: str, states: int, operations: Sequence[str]) -> None:
        self.input = Choice(f"{name}.input", tuple((state,) for state in range(states)))
        order = tuple(sorted(operations, key=SMALLEST_FIRST.index))
        self.op = Choice(name, tuple(operations), order=order)


def _choices(cell: str, nodes: int, operations: Sequence[str]) -> list[list[_Pick]]:
    """The two sides of every node of a cell, which all cells of its kind share."""
    return [[_Pick(f"{cell}.{node}.{side}", node, operations) for side in SIDES] for node in range(2, nodes + 2)]


class EnasMicro(nn.Module):
    """Stem, cells, head: (B, C_in, H, W) -> (B, K); an `Output` with auxiliary logits while that head is trained."""

    def __init__(
        self,
        choices: dict[str, list[list[_Pick]]],
        *,
        channels: int,
        layers: int,
        auxiliary: int | None,
        dropout: float,
        statistics: Statistics,
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        third = layers // 3
        reductions = (third, 2 * third + 1)
        self.order = tuple(_turns(choices))
        self.stem = stem(in_channels, 3 * channels, statistics=statistics)
        self.cells = nn.ModuleList()
        before = last = 3 * channels
        width = channels
        for layer in range(layers + 2):
            reduces = layer in reductions
            width *= 2 if reduces else 1
            picks = choices["reduce" if reduces else "normal"]
            if reduces:
                before = last
            self.cells.append(Cell(picks, before, last, width, reduces=reduces, statistics=statistics))
            before, last = (width if reduces else last), width
        self.auxiliary: nn.Module | None = None
        self.auxiliary_after = reductions[1] + 1
        if auxiliary is not None:
            self.auxiliary = _auxiliary_head(width, -(-auxiliary // 4), num_classes, statistics)
        self.head = classifier([nn.ReLU()], width, num_classes, dropout=dropout, bias=False)

    def forward(self, x: Tensor) -> Tensor | Output:
        before = last = self.stem(x)
        aux = None
        for layer, cell in enumerate(self.cells):
            before, last = cell(before, last)
            if self.auxiliary is not None and layer == self.auxiliary_after:
                aux = self.auxiliary(last)
        logits: Tensor = self.head(last)
        return logits if aux is None else Output(logits, (aux,))

    def turns(self) -> tuple[Turn, ...]:
        """Cell by cell and node by node: both inputs, then both operations."""
        return self.order

    def diagram(self, arch: Arch) -> Diagram:
        """Both cells of an architecture."""
        nodes: list[Node] = []
        edges: list[Edge] = []
        for cell in CELLS:
            turns = [turn for turn in self.order if turn.chain == cell]
            names = ["last but one", "last", *(str(number) for number in range(2, len(turns) + 2))]
            nodes += [
                Node(f"{cell}.{place}", f"{cell}: {name}" if place < 2 else name, kind="input" if place < 2 else "node")
                for place, name in enumerate(names)
            ]
            nodes.append(Node(f"{cell}.out", f"{cell}: output", kind="output"))
            taken: set[int] = set()
            for target in range(2, len(names)):
                for side in SIDES:
                    option: Any = arch[f"{cell}.{target}.{side}.input"]
                    (source,) = option
                    taken.add(source)
                    label = LABELS[str(arch[f"{cell}.{target}.{side}"])]
                    edges.append(Edge(f"{cell}.{source}", f"{cell}.{target}", label))
            loose = [place for place in range(len(names)) if place not in taken]
            edges += [Edge(f"{cell}.{place}", f"{cell}.out") for place in loose]
        return Diagram(tuple(nodes), tuple(edges))


def _turns(choices: dict[str, list[list[_Pick]]]) -> list[Turn]:
    return [
        Turn((*(side.input.name for side in node), *(side.op.name for side in node)), cell, given=2)
        for cell in CELLS
        for node in choices[cell]
    ]


class Cell(nn.Module):
    """A cell: two inputs brought to one shape, nodes of two operations each, and what none of them takes.

    (B, C'', H'', W''), (B, C', H, W) -> the two inputs of the next cell; a reduction cell halves both of its own first.
    """

    def __init__(
        self,
        picks: list[list[_Pick]],
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
        self.output = LooseEnds([side.input for node in picks for side in node], len(picks) + 2, width)
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
    pooled = (side - 5) // 3 + 1
    return AuxiliaryHead(
        nn.ReLU(),
        nn.AvgPool2d(5, stride=3),
        nn.Conv2d(width, 128, 1, bias=False),
        batch_norm(128, statistics=statistics),
        nn.ReLU(),
        nn.Conv2d(128, 768, pooled, padding="same", bias=False),
        batch_norm(768, statistics=statistics),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(768, num_classes, bias=False),
    )
