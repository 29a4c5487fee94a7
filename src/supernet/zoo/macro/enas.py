"""The space of whole networks of ENAS (Pham et al., ICML 2018): an operation and a set of skips per layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import AvgPool3x3, InputChoice, OpChoice, Statistics, Supernet, batch_norm
from supernet.nn.diagram import Diagram, Edge, Node
from supernet.nn.norm import check_statistics
from supernet.nn.turns import Turn
from supernet.paper import Paper
from supernet.space import Arch, Choice, subsets
from supernet.zoo.arguments import check_at_least_one, check_dropout, check_operations
from supernet.zoo.cells.cell_ops import FactorizedReduce, stem
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

TINY: dict[str, Any] = {"channels": 8, "layers": 4}

OPS = ("conv_3x3", "sep_conv_3x3", "conv_5x5", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3")
"""The operations in the order of the authors' code."""

_SMALLEST_FIRST = ("avg_pool_3x3", "max_pool_3x3", "sep_conv_3x3", "sep_conv_5x5", "conv_3x3", "conv_5x5")
_LABELS = {
    "conv_3x3": "conv 3×3",
    "sep_conv_3x3": "sep 3×3",
    "conv_5x5": "conv 5×5",
    "sep_conv_5x5": "sep 5×5",
    "avg_pool_3x3": "avg pool 3×3",
    "max_pool_3x3": "max pool 3×3",
}
_CHAIN = "layers"


def enas_macro(
    *,
    channels: int = 36,
    layers: int = 12,
    operations: Sequence[str] = OPS,
    dropout: float = 0.1,
    statistics: Statistics = "batch",
    num_classes: int = 10,
    in_channels: int = 3,
    image_size: int = 32,
) -> Supernet:
    """ENAS's whole networks: 12 layers of one operation of six and any set of skips; 6¹² · 2⁶⁶ ≈ 1.6 · 10²⁹ networks.

    Pham et al., ICML 2018, [arXiv 1802.03268](https://arxiv.org/abs/1802.03268), §2.3.

    The layer n = 0 … 11 runs one operation, the choice `"n"`, on the output of the layer before it, and adds the
    outputs of any set of those before that, the choice `"n.skips"` with options such as `()` and `(0, 2)`: 0 is the
    stem, and j the layer j − 1. Behind a third and two thirds of the layers everything so far is halved.
    `zoo.enas_macro_arch` reads the authors' notation.

    The defaults are those of the authors' search on CIFAR-10, in which sums keep the width. Their final networks join
    skips side by side through a 1 × 1 convolution instead, double the channels at each reduction, and are not built
    here.

    Args:
        channels: Width C of all layers, an even number.
        layers: Number of layers, at least 3 and at most 16.
        operations: The operations, of `OPS`.
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

    >>> enas_macro(channels=2).space.size == 6**12 * 2**66
    True
    """
    check_at_least_one(channels=channels, num_classes=num_classes, in_channels=in_channels, image_size=image_size)
    check_statistics(statistics)
    check_dropout(dropout)
    if not isinstance(layers, int) or not 3 <= layers <= 16:
        raise UsageError(
            f"layers={layers}: a network has 3 layers or more, and 16 at most, since the last one may take any set of "
            "those before it."
        )
    if channels % 2:
        raise UsageError(f"channels={channels}: a reduction halves them between two convolutions. Give an even number.")
    check_operations(operations, OPS)
    network = EnasMacro(
        tuple(operations),
        channels=channels,
        layers=layers,
        dropout=dropout,
        statistics=statistics,
        num_classes=num_classes,
        in_channels=in_channels,
    )
    he_normal(network)
    return Supernet(network, input_shape=(in_channels, image_size, image_size))


class EnasMacro(nn.Module):
    """Stem, layers with skips and two reductions, head: (B, C_in, H, W) -> (B, K).

    A reduction halves the outputs of the stem and of all layers so far, each by weights of its own.
    """

    def __init__(
        self,
        operations: tuple[str, ...],
        *,
        channels: int,
        layers: int,
        dropout: float,
        statistics: Statistics,
        num_classes: int,
        in_channels: int,
    ) -> None:
        super().__init__()
        self.stem = stem(in_channels, channels, statistics=statistics)
        self.layers = nn.ModuleList(Layer(number, operations, channels, statistics) for number in range(layers))
        third = layers // 3
        self.reduced_after = (third - 1, 2 * third - 1)
        self.reductions = nn.ModuleList(
            nn.ModuleList(
                FactorizedReduce(channels, channels, affine=True, statistics=statistics, relu=False)
                for _ in range(after + 2)
            )
            for after in self.reduced_after
        )
        self.head = classifier([], channels, num_classes, dropout=dropout, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        states = [self.stem(x)]
        reductions = iter(self.reductions)
        for number, layer in enumerate(self.layers):
            states.append(layer(states))
            if number in self.reduced_after:
                halves: Any = next(reductions)
                states = [halve(state) for halve, state in zip(halves, states, strict=True)]
        out: Tensor = self.head(states[-1])
        return out

    def turns(self) -> tuple[Turn, ...]:
        """Layer by layer: the operation, then the skips."""
        return tuple(Turn((str(n), f"{n}.skips") if n else ("0",), _CHAIN) for n in range(len(self.layers)))

    def diagram(self, arch: Arch) -> Diagram:
        """The layers one after another, with the skips between them."""
        nodes = [Node("0", "stem", kind="input")]
        edges: list[Edge] = []
        for number in range(len(self.layers)):
            here = str(number + 1)
            nodes.append(Node(here, _LABELS[str(arch[str(number)])], kind="node"))
            edges.append(Edge(str(number), here))
            skips: Any = arch[f"{number}.skips"] if number else ()
            edges += [Edge(str(source), here, "skip") for source in skips]
        nodes.append(Node("output", "output", kind="output"))
        return Diagram(tuple(nodes), (*edges, Edge(str(len(self.layers)), "output")))


class Layer(nn.Module):
    """An operation on the last of the states so far, plus a set of the others: states (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, number: int, operations: tuple[str, ...], width: int, statistics: Statistics) -> None:
        super().__init__()
        order = tuple(sorted(operations, key=_SMALLEST_FIRST.index))
        choice = Choice(str(number), operations, order=order)
        self.op = OpChoice(choice, {name: _operation(name, width, statistics) for name in operations})
        self.skips: nn.Module | None = None
        if number:
            sets = Choice(f"{number}.skips", subsets(range(number), at_least=0))
            self.skips = InputChoice(sets, [nn.Identity() for _ in range(number)])
            self.norm = batch_norm(width, statistics=statistics)

    def forward(self, states: list[Tensor]) -> Tensor:
        out: Tensor = self.op(states[-1])
        if self.skips is None:
            return out
        if not getattr(self.skips, "silent", False):
            out = out + self.skips(states)
        normed: Tensor = self.norm(out)
        return normed


def _operation(name: str, width: int, statistics: Statistics) -> nn.Module:
    """1 × 1 convolution, BatchNorm and ReLU, then a pooling, or a convolution with BatchNorm and ReLU behind it."""
    entrance = [nn.Conv2d(width, width, 1, bias=False), batch_norm(width, statistics=statistics), nn.ReLU()]
    if name == "avg_pool_3x3":
        return nn.Sequential(*entrance, AvgPool3x3())
    if name == "max_pool_3x3":
        return nn.Sequential(*entrance, nn.MaxPool2d(3, stride=1, padding=1))
    kernel, separable = int(name[-1]), name.startswith("sep")
    groups = width if separable else 1
    convolution = [nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=groups, bias=False)]
    if separable:
        convolution.append(nn.Conv2d(width, width, 1, bias=False))
    return nn.Sequential(*entrance, *convolution, batch_norm(width, statistics=statistics, eps=1e-3), nn.ReLU())
