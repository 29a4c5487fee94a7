"""NAS-Bench-Macro (Su et al., CVPR 2021): a chain of eight choice blocks; 6,561 architectures."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn

from supernet.errors import UsageError
from supernet.nn import OpChoice, Statistics, Supernet, batch_norm
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Arch, Choice, Space
from supernet.zoo.arguments import check_at_least_one
from supernet.zoo.chains.chain import Chain, Place, foreign, places
from supernet.zoo.chains.inverted_residual import InvertedResidual
from supernet.zoo.layers import Norm, classifier, conv_bn

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

TINY: dict[str, Any] = {"channels": 8, "head_channels": 64}


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
    norm = partial(batch_norm, statistics=statistics)
    dense = partial(conv_bn, norm=norm, activation="relu")
    widths = (2 * channels, 4 * channels, 8 * channels)
    layers = [
        OpChoice(Choice(place.name, OPS), _candidates(place, partial(norm, affine=affine)))
        for place in places(channels, widths, STAGES, (2, 2, 2))
    ]
    stem = dense(in_channels, channels, 3)
    head = classifier(dense(widths[-1], head_channels), head_channels, num_classes)
    return Supernet(Chain(stem, layers, head, depths=STAGES), input_shape=(in_channels, 32, 32))


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


def _candidates(place: Place, norm: Norm) -> dict[str, nn.Module]:
    _, width_in, width_out, stride, first = place
    shortcut = conv_bn(width_in, width_out, stride=stride, norm=norm) if first else []
    block = partial(InvertedResidual, width_in, width_out, stride=stride, norm=norm)
    return {
        "identity": nn.Sequential(*shortcut) if first else nn.Identity(),
        "MB3_K3": block(expansion=3, kernel=3),
        "MB6_K5": block(expansion=6, kernel=5),
    }


def _check_space(space: Space) -> None:
    if space.names != LAYERS or any(choice.options != OPS for choice in space.choices):
        raise foreign(space, "Strings of NAS-Bench-Macro", "nasbench_macro")
