"""What ENAS's networks of cells have in common, in the search and finally: their choices, and what frames them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Output, Statistics, batch_norm
from supernet.nn.diagram import Diagram, Edge, Node
from supernet.nn.norm import check_statistics
from supernet.nn.turns import Turn
from supernet.space import Arch, Choice
from supernet.zoo.arguments import check_at_least_one, check_dropout, check_operations
from supernet.zoo.cells.cell_ops import LABELS, SMALLEST_FIRST

OPS = ("sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3", "skip_connect")
"""The operations in the order of the authors' code."""

CELLS = ("normal", "reduce")
SIDES = ("x", "y")


class Pick:
    """One side of a node: a state, and an operation on it."""

    def __init__(self, name: str, states: int, operations: Sequence[str]) -> None:
        self.input = Choice(f"{name}.input", tuple((state,) for state in range(states)))
        order = tuple(sorted(operations, key=SMALLEST_FIRST.index))
        self.op = Choice(name, tuple(operations), order=order)


CellPicks: TypeAlias = list[list[Pick]]
"""The two sides of every node of a cell, which all cells of its kind share."""


def inputs_of(picks: CellPicks) -> list[Choice]:
    """The choices of inputs of a cell."""
    return [side.input for node in picks for side in node]


def reductions_after(layers: int) -> tuple[int, int]:
    """The places of the two reduction cells among L normal ones: behind the first ⌊L/3⌋ and the first 2⌊L/3⌋."""
    third = layers // 3
    return third, 2 * third + 1


def picks_of(
    *,
    nodes: int,
    operations: Sequence[str],
    layers: int,
    auxiliary: bool,
    dropout: float,
    statistics: Statistics,
    image_size: int,
    **sizes: int,
) -> dict[str, CellPicks]:
    """The choices of both kinds of cells.

    Args:
        nodes: As in `zoo.enas_micro`, and so are the others.
        operations: The operations.
        layers: Number of normal cells.
        auxiliary: Whether there is an auxiliary head.
        dropout: Probability.
        statistics: What BatchNorm uses outside training.
        image_size: Side of the images in pixels.
        sizes: Numbers that are at least 1.

    Raises:
        UsageError: a size that cannot be, or an unknown operation.
    """
    check_at_least_one(nodes=nodes, image_size=image_size, **sizes)
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
    return {
        cell: [[Pick(f"{cell}.{node}.{side}", node, operations) for side in SIDES] for node in range(2, nodes + 2)]
        for cell in CELLS
    }


class CellStack(nn.Module):
    """Stem, cells, head: (B, C_in, H, W) -> (B, K); an `Output` with auxiliary logits while that head is trained.

    Args:
        picks: The choices of the cells.
        stem: What both inputs of the first cell are.
        cells: Each makes the two inputs of the next one of its own.
        auxiliary: A second classifier, for the training alone; or None.
        auxiliary_after: The place of the cell behind which that stands.
        head: The classifier.
    """

    def __init__(
        self,
        picks: Mapping[str, CellPicks],
        stem: nn.Module,
        cells: nn.ModuleList,
        auxiliary: nn.Module | None,
        auxiliary_after: int,
        head: nn.Module,
    ) -> None:
        super().__init__()
        self.order = tuple(
            Turn((*(side.input.name for side in node), *(side.op.name for side in node)), cell, given=2)
            for cell in CELLS
            for node in picks[cell]
        )
        self.stem, self.cells = stem, cells
        self.auxiliary, self.auxiliary_after = auxiliary, auxiliary_after
        self.head = head

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


def behind_the_entrance(side: int, num_classes: int, statistics: Statistics) -> list[nn.Module]:
    """The layers of the authors' auxiliary head behind its 128 channels of maps of (side − 5) // 3 + 1 pixels."""
    pooled = (side - 5) // 3 + 1
    return [
        batch_norm(128, statistics=statistics),
        nn.ReLU(),
        nn.Conv2d(128, 768, pooled, padding="same", bias=False),
        batch_norm(768, statistics=statistics),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(768, num_classes, bias=False),
    ]
