"""Networks of DARTS's cells: stem, normal and reduction cells, heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import InputChoice, OpChoice, Output, Statistics, SubsetChoice, Supernet, Zero, batch_norm
from supernet.nn.diagram import Diagram, Edge, Node
from supernet.nn.norm import check_statistics
from supernet.space import Arch, Choice, subsets
from supernet.space.text import listed
from supernet.zoo.arguments import check_at_least_one
from supernet.zoo.cells import cell_edge
from supernet.zoo.cells.auxiliary_head import AuxiliaryHead
from supernet.zoo.cells.cell_ops import LABELS, SMALLEST_FIRST, FactorizedReduce, operation, relu_conv_bn, stem

CELLS = ("normal", "reduce")

REBUILT = (
    *("channels", "layers", "stem_multiplier", "partial", "aux_skip", "auxiliary", "affine", "pool_norm"),
    *("norm_all", "statistics"),
)
"""What a network built anew over the same choices may have otherwise."""

Inputs: TypeAlias = Literal["pairs", "subsets", "any", "all"]
Stem: TypeAlias = Literal["cifar", "imagenet"]


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """What a network of cells is like beside its choices; the arguments are those of `zoo.darts`.

    Raises:
        UsageError: a size that cannot be, an unknown stem or set of inputs, or channels that `partial` does not divide.
    """

    channels: int
    layers: int
    nodes: int
    inputs: Inputs = "pairs"
    several_ops: bool = False
    stem: Stem
    stem_multiplier: int
    partial: int
    aux_skip: bool
    auxiliary: bool
    affine: bool
    pool_norm: bool
    norm_all: bool = False
    statistics: Statistics
    num_classes: int
    in_channels: int
    image_size: int

    def __post_init__(self) -> None:
        names = ("channels", "nodes", "stem_multiplier", "partial", "num_classes", "in_channels", "image_size")
        check_at_least_one(**{name: getattr(self, name) for name in names})
        check_statistics(self.statistics)
        if self.norm_all and not self.pool_norm:
            raise UsageError(
                "norm_all=True ends all operations with a BatchNorm, but pool_norm=False poolings with none. Give one "
                "of them."
            )
        if self.layers < 3:
            raise UsageError(f"layers={self.layers}: a network needs 3 cells or more, two of which reduce.")
        if self.channels % self.partial or self.channels < 2:
            raise UsageError(
                f"channels={self.channels} is no multiple of partial={self.partial}, or below 2. Give a multiple, so "
                "that operations run on channels / partial of them."
            )
        for name, given, allowed in (("inputs", self.inputs, Inputs), ("stem", self.stem, Stem)):
            if given not in get_args(allowed):
                raise UsageError(f"{name}={given!r} is unknown; use one of {', '.join(map(repr, get_args(allowed)))}.")

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of an image."""
        return self.in_channels, self.image_size, self.image_size


def edge_names(cell: str, nodes: int) -> tuple[str, ...]:
    """The edges of a cell, target<-source, in the order of the authors' code.

    >>> edge_names("normal", 2)
    ('normal.2<-0', 'normal.2<-1', 'normal.3<-0', 'normal.3<-1', 'normal.3<-2')
    """
    return tuple(f"{cell}.{node}<-{source}" for node in range(2, nodes + 2) for source in range(node))


def cell_supernet(
    operations: Sequence[str] | Mapping[str, Sequence[str]],
    *,
    stem: Stem,
    affine: bool,
    pool_norm: bool | None,
    image_size: int | None,
    norm_all: bool = False,
    **others: Any,
) -> Supernet:
    """A supernet of cells with their choices.

    Args:
        operations: The operations of every edge, or those of each by its name.
        stem: As in `zoo.darts`, and so are the others.
        affine: Whether BatchNorms of the cells learn scale and shift.
        pool_norm: Whether a BatchNorm follows poolings; None: unless `affine`, and with `norm_all`.
        image_size: Side of the images in pixels; None: 32, or 224 with the stem for ImageNet.
        norm_all: Whether all operations end with a BatchNorm.
        others: The other fields of `Skeleton`.

    Raises:
        UsageError: as in `Skeleton`, an unknown operation, or operations for other edges than there are.
    """
    skeleton = Skeleton(
        stem=stem,
        affine=affine,
        pool_norm=(norm_all or not affine) if pool_norm is None else pool_norm,
        norm_all=norm_all,
        image_size=image_size or (32 if stem == "cifar" else 224),
        **others,
    )
    edges = [edge for cell in CELLS for edge in edge_names(cell, skeleton.nodes)]
    given = operations if isinstance(operations, Mapping) else dict.fromkeys(edges, operations)
    wrong = sorted(set(edges) ^ set(given))
    if wrong:
        raise UsageError(
            f"operations=… is to name every edge of both cells, and nothing else; {wrong[0]!r} is "
            f"{'missing' if wrong[0] in edges else 'no edge'}. The edges are {listed(sorted(edges))}."
        )
    cells = CellNetwork(skeleton, {cell: _choices(cell, skeleton, given) for cell in CELLS})
    return Supernet(cells, input_shape=skeleton.input_shape)


@dataclass(frozen=True)
class _NodeChoices:
    """The choice of a node's inputs under its name, None where it has none, and those of its edges' operations."""

    name: str
    inputs: Choice | None
    ops: tuple[Choice, ...]


def _choices(cell: str, skeleton: Skeleton, operations: Mapping[str, Sequence[str]]) -> tuple[_NodeChoices, ...]:
    """The choices of a cell, which all cells of its kind share."""
    found = []
    for node in range(2, skeleton.nodes + 2):
        name = f"{cell}.{node}"
        at_least = {"pairs": 2, "any": 0}.get(skeleton.inputs, 1)
        sets = subsets(range(node), at_least=at_least, at_most=2 if skeleton.inputs == "pairs" else None)
        inputs = None if skeleton.inputs == "all" or len(sets) == 1 else Choice(f"{name}.inputs", sets)
        ops = []
        for source in range(node):
            edge = f"{name}<-{source}"
            options = tuple(operations[edge])
            when = None if inputs is None else inputs.is_in([one for one in sets if source in one])
            if skeleton.several_ops:
                ops.append(Choice(edge, subsets(options), when=when))
            else:
                ops.append(Choice(edge, options, when=when, order=_by_size(options)))
        found.append(_NodeChoices(f"{name}.inputs", inputs, tuple(ops)))
    return tuple(found)


def _by_size(options: Sequence[str]) -> tuple[str, ...]:
    for name in options:
        if name not in SMALLEST_FIRST:
            raise UsageError(f"There is no operation {name!r}; the operations are {', '.join(SMALLEST_FIRST)}.")
    return tuple(sorted(options, key=SMALLEST_FIRST.index))


class CellNetwork(nn.Module):
    """Stem, cells, head: (B, C_in, H, W) -> (B, K); an `Output` with auxiliary logits while that head is trained.

    The cells ⌊L/3⌋ and ⌊2L/3⌋ of L reduce height and width and double the channels; each cell takes the outputs of the
    two before it. An auxiliary head stands behind the second reduction.
    """

    def __init__(self, skeleton: Skeleton, kinds: Mapping[str, Sequence[_NodeChoices]]) -> None:
        super().__init__()
        self.skeleton, self.kinds = skeleton, dict(kinds)
        width, layers = skeleton.channels, skeleton.layers
        self.stem, self.stem_tail, before, last = _stem(skeleton)
        reduced = self.stem_tail is not None
        reductions = (layers // 3, 2 * layers // 3)
        self.cells = nn.ModuleList()
        for layer in range(layers):
            reduces = layer in reductions
            width *= 2 if reduces else 1
            choices = kinds["reduce" if reduces else "normal"]
            cell = Cell(skeleton, choices, before, last, width, reduces=reduces, reduced=reduced, name=f"cells.{layer}")
            self.cells.append(cell)
            before, last, reduced = last, skeleton.nodes * width, reduces
            if layer == reductions[1] and skeleton.auxiliary:
                self.auxiliary: nn.Module | None = _auxiliary_head(last, skeleton)
        if not skeleton.auxiliary:
            self.auxiliary = None
        self.auxiliary_after, self.nodes = reductions[1], skeleton.nodes
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(last, skeleton.num_classes)

    def forward(self, x: Tensor) -> Tensor | Output:
        before: Tensor = self.stem(x)
        last: Tensor = before if self.stem_tail is None else self.stem_tail(before)
        aux = None
        for layer, cell in enumerate(self.cells):
            before, last = last, cell(before, last)
            if self.auxiliary is not None and layer == self.auxiliary_after:
                aux = self.auxiliary(last)
        logits: Tensor = self.classifier(self.flatten(self.pool(last)))
        return logits if aux is None else Output(logits, (aux,))

    def rebuilt(self, **options: Any) -> CellNetwork:
        """A network of the same choices with fresh weights, such as one of more cells: `rebuilt(layers=11)`.

        Args:
            options: Arguments of `zoo.darts` that change no choice: `channels`, `layers`, `stem_multiplier`, `partial`,
                `aux_skip`, `auxiliary`, `affine`, `pool_norm`, `norm_all` and `statistics`.

        Raises:
            UsageError: another option, or a value that cannot be.
        """
        for name in options:
            if name not in REBUILT:
                raise UsageError(
                    f"A network of cells cannot be built anew with another {name!r}; what may change is "
                    f"{', '.join(REBUILT)}."
                )
        return CellNetwork(replace(self.skeleton, **options), self.kinds)

    def diagram(self, arch: Arch) -> Diagram:
        """Both cells of an architecture; edges that do not run are left out."""
        nodes: list[Node] = []
        edges: list[Edge] = []
        for cell in CELLS:
            targets = range(2, 2 + self.nodes)
            titles = {0: f"{cell}: last but one", 1: f"{cell}: last"}
            nodes += [Node(f"{cell}.{place}", title, kind="input") for place, title in titles.items()]
            nodes += [Node(f"{cell}.{target}", str(target), kind="node") for target in targets]
            nodes.append(Node(f"{cell}.out", f"{cell}: output", kind="output"))
            for target in targets:
                for source in range(target):
                    op: Any = arch[f"{cell}.{target}<-{source}"]
                    names = [name for name in (op if isinstance(op, tuple) else (op,)) if name not in (None, "none")]
                    if names:
                        label = " + ".join(LABELS.get(name, name) for name in names)
                        edges.append(Edge(f"{cell}.{source}", f"{cell}.{target}", label))
                edges.append(Edge(f"{cell}.{target}", f"{cell}.out"))
        return Diagram(tuple(nodes), tuple(edges))


class Cell(nn.Module):
    """A cell: two inputs, nodes that each sum edges from all before, and their concatenation.

    (B, C'', H'', W''), (B, C', H, W) -> (B, nodes · C, ⌈H/s⌉, ⌈W/s⌉) with s = 2 in a reduction cell.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        choices: Sequence[_NodeChoices],
        before: int,
        last: int,
        width: int,
        *,
        reduces: bool,
        reduced: bool,
        name: str,
    ) -> None:
        super().__init__()
        norm: dict[str, Any] = {"affine": skeleton.affine, "statistics": skeleton.statistics}
        entrance = FactorizedReduce if reduced else relu_conv_bn
        self.before, self.last = entrance(before, width, **norm), relu_conv_bn(last, width, **norm)
        self.nodes = nn.ModuleList(
            InputChoice(
                node.inputs,
                [
                    _edge(skeleton, op, width, stride=2 if reduces and source < 2 else 1, name=f"{name}.partial")
                    for source, op in enumerate(node.ops)
                ],
                name=node.name if node.inputs is None else None,
                empty=Zero(2 if reduces else 1) if skeleton.inputs == "any" else None,
            )
            for node in choices
        )

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        states = [self.before(before), self.last(last)]
        for node in self.nodes:
            states.append(node(states))
        return torch.cat(states[2:], dim=1)


def _edge(skeleton: Skeleton, choice: Choice, width: int, *, stride: int, name: str) -> cell_edge.Edge:
    """An edge; where operations run on a part of the channels, these have a name."""
    options: tuple[Any, ...] = choice.options
    names = dict.fromkeys(name for option in options for name in (option if skeleton.several_ops else (option,)))

    def operations(channels: int) -> nn.Module:
        candidates = {
            name: operation(
                name,
                channels,
                stride=stride,
                affine=skeleton.affine,
                pool_norm=skeleton.pool_norm,
                norm_all=skeleton.norm_all,
                statistics=skeleton.statistics,
            )
            for name in names
        }
        return (SubsetChoice if skeleton.several_ops else OpChoice)(choice, candidates)

    partial = skeleton.partial
    op = (
        operations(width)
        if partial == 1
        else cell_edge.PartialChannels(operations, width, partial, stride=stride, name=name)
    )
    if not skeleton.aux_skip:
        return cell_edge.Edge(op)
    reduce = FactorizedReduce(width, width, affine=False, statistics=skeleton.statistics)
    return cell_edge.Edge(op, nn.Identity() if stride == 1 else reduce)


def _stem(skeleton: Skeleton) -> tuple[nn.Module, nn.Module | None, int, int]:
    """What comes before the cells, in one part or two, and the widths of the first cell's inputs."""
    statistics, channels = skeleton.statistics, skeleton.channels
    if skeleton.stem == "cifar":
        width = skeleton.stem_multiplier * channels
        return stem(skeleton.in_channels, width, statistics=statistics), None, width, width
    half = channels // 2

    def halved(width_in: int, width_out: int) -> list[nn.Module]:
        conv = nn.Conv2d(width_in, width_out, 3, stride=2, padding=1, bias=False)
        return [conv, batch_norm(width_out, statistics=statistics)]

    first = nn.Sequential(*halved(skeleton.in_channels, half), nn.ReLU(), *halved(half, channels))
    return first, nn.Sequential(nn.ReLU(), *halved(channels, channels)), channels, channels


def _auxiliary_head(width: int, skeleton: Skeleton) -> AuxiliaryHead:
    """The pooling and, for ImageNet, the missing second BatchNorm are those of the authors' code.

    That is so at 8 × 8 and 7 × 7 pixels; other sizes are pooled to 2 × 2.
    """
    cifar = skeleton.stem == "cifar"
    side = skeleton.image_size // (4 if cifar else 32)
    published = nn.AvgPool2d(5, stride=3 if cifar else 2, count_include_pad=False)
    norms = [batch_norm(768, statistics=skeleton.statistics)] if cifar else []
    return AuxiliaryHead(
        nn.ReLU(),
        published if side == (8 if cifar else 7) else nn.AdaptiveAvgPool2d(2),
        nn.Conv2d(width, 128, 1, bias=False),
        batch_norm(128, statistics=skeleton.statistics),
        nn.ReLU(),
        nn.Conv2d(128, 768, 2, bias=False),
        *norms,
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(768, skeleton.num_classes),
    )
