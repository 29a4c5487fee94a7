"""NAS-Bench-Macro (Su et al., CVPR 2021): a chain of eight choice blocks; 6,561 architectures."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import ElasticConv2d, OpChoice, Statistics, Supernet, batch_norm
from supernet.nn.diagram import Diagram
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Arch, Choice, Space
from supernet.zoo.arguments import check_at_least_one
from supernet.zoo.drawing import Block, chain

OPS = ("identity", "MB3_K3", "MB6_K5")
STAGES = (2, 3, 3)
LAYERS = tuple(f"layer{number}" for number in range(1, sum(STAGES) + 1))


PAPER = Paper(
    name="NAS-Bench-Macro",
    title="Prioritized Architecture Sampling with Monto-Carlo Tree Search",
    authors=("Su", "Huang", "Li", "You", "Wang", "Qian", "Zhang", "Xu"),
    venue="CVPR",
    year=2021,
    arxiv="2103.11922",
    provenance="official code",
)


def nasbench_macro(
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    channels: int = 32,
    head_channels: int = 1280,
    affine: bool = True,
    statistics: Statistics = "calibrate",
) -> Supernet:
    """NAS-Bench-Macro: eight layers in three stages, each identity, MB3_K3 or MB6_K5; 6,561 architectures.

    Su et al., CVPR 2021, [arXiv 2103.11922](https://arxiv.org/abs/2103.11922).

    Every stage halves the image and doubles the width in its first layer, where the identity becomes a 1 × 1
    convolution. Weights start from PyTorch's default initialisation, as in the benchmark.

    Args:
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        channels: Width of the stem; the stages have twice, four and eight times as many. 32 is the benchmark's.
        head_channels: Width before the classifier; 1280 is the benchmark's.
        affine: Whether BatchNorms of the candidates learn scale and shift; those of the fixed layers always do.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: a size below 1 or an unknown statistics policy.
    """
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, channels=channels, head_channels=head_channels)
    check_statistics(statistics)
    names = iter(LAYERS)
    layers: list[nn.Module] = []
    width = channels
    for depth in STAGES:
        for place in range(depth):
            width_out, stride = (2 * width, 2) if place == 0 else (width, 1)
            candidates = _candidates(width, width_out, stride, affine=affine, statistics=statistics)
            layers.append(OpChoice(Choice(next(names), OPS), candidates))
            width = width_out
    stem = _conv_bn_relu(in_channels, channels, 3, affine=True, statistics=statistics)
    head = nn.Sequential(
        *_conv_bn_relu(width, head_channels, 1, affine=True, statistics=statistics),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(head_channels, num_classes),
    )
    return Supernet(NasBenchMacro(stem, layers, head), input_shape=(in_channels, 32, 32))


def nasbench_macro_string(arch: Arch) -> str:
    """The benchmark's eight digits: 0 identity, 1 MB3_K3, 2 MB6_K5.

    Raises:
        UsageError: the architecture is of another space.
    """
    _check_space(arch.space)
    return "".join(map(str, arch.code))


def nasbench_macro_arch(space: Space, text: str) -> Arch:
    """The architecture that eight digits of the benchmark describe, such as `"22212220"`.

    Raises:
        UsageError: another space, or not eight digits from 0 to 2.
    """
    _check_space(space)
    if len(text) != len(LAYERS) or not set(text) <= set("012"):
        raise UsageError(
            f"{text!r} is not an architecture of NAS-Bench-Macro. Write eight digits, one per layer: "
            "0 identity, 1 MB3_K3, 2 MB6_K5, such as '22212220'."
        )
    return space.arch({layer: OPS[int(digit)] for layer, digit in zip(LAYERS, text, strict=True)})


class NasBenchMacro(nn.Module):
    """Stem, eight choice blocks, head: (B, C_in, H, W) -> (B, K)."""

    def __init__(self, stem: nn.Sequential, layers: list[nn.Module], head: nn.Sequential) -> None:
        super().__init__()
        self.stem, self.layers, self.head = stem, nn.Sequential(*layers), head

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.layers(self.stem(x)))
        return out

    def diagram(self, arch: Arch) -> Diagram:
        """The chain of stem, layers (those of identity included) and head."""
        stem, head = cast(nn.Conv2d, self.stem[0]), cast(nn.Conv2d, self.head[0])
        width, names = stem.out_channels, iter(LAYERS)
        blocks = [Block("conv 3×3", stem.in_channels, width)]
        for depth in STAGES:
            for place in range(depth):
                stride = 2 if place == 0 else 1
                op = str(arch[next(names)])
                label = op.replace("_K", " k") if op != "identity" else "identity" if stride == 1 else "conv 1×1"
                blocks.append(Block(label, width, width * stride, stride))
                width *= stride
        blocks.append(Block("conv 1×1", width, head.out_channels))
        return chain(blocks)


class InvertedResidual(nn.Module):
    """MobileNetV2's block: (B, C, H, W) -> (B, C', ⌈H/s⌉, ⌈W/s⌉), residual where the shape stays."""

    def __init__(
        self,
        width_in: int,
        width_out: int,
        *,
        expansion: int,
        kernel: int,
        stride: int,
        affine: bool,
        statistics: Statistics,
    ) -> None:
        super().__init__()
        hidden = expansion * width_in
        self.body = nn.Sequential(
            *_conv_bn_relu(width_in, hidden, 1, affine=affine, statistics=statistics),
            *_conv_bn_relu(hidden, hidden, kernel, stride=stride, groups=hidden, affine=affine, statistics=statistics),
            nn.Conv2d(hidden, width_out, 1, bias=False),
            batch_norm(width_out, affine=affine, statistics=statistics),
        )
        self.residual = stride == 1 and width_in == width_out

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x)
        return out + x if self.residual else out


def _candidates(
    width_in: int, width_out: int, stride: int, *, affine: bool, statistics: Statistics
) -> dict[str, nn.Module]:
    identity: nn.Module = nn.Identity()
    if stride > 1 or width_in != width_out:
        identity = nn.Sequential(
            nn.Conv2d(width_in, width_out, 1, stride=stride, bias=False),
            batch_norm(width_out, affine=affine, statistics=statistics),
        )

    def block(expansion: int, kernel: int) -> nn.Module:
        return InvertedResidual(
            width_in,
            width_out,
            expansion=expansion,
            kernel=kernel,
            stride=stride,
            affine=affine,
            statistics=statistics,
        )

    return {"identity": identity, "MB3_K3": block(3, 3), "MB6_K5": block(6, 5)}


def _conv_bn_relu(
    width_in: int,
    width_out: int,
    kernel: int,
    *,
    stride: int = 1,
    groups: int = 1,
    affine: bool,
    statistics: Statistics,
) -> nn.Sequential:
    return nn.Sequential(
        ElasticConv2d(width_in, width_out, kernel, stride=stride, groups=groups, bias=False),
        batch_norm(width_out, affine=affine, statistics=statistics),
        nn.ReLU(inplace=True),
    )


def _check_space(space: Space) -> None:
    if space.names != LAYERS or any(choice.options != OPS for choice in space.choices):
        raise UsageError(
            f"Strings of NAS-Bench-Macro belong to the space of zoo.nasbench_macro(); got a space with "
            f"{len(space)} choices ({', '.join(space.names[:3])} …)."
        )
