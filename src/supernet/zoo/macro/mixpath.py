"""MixPath's space S1 (Chu et al., ICCV 2023): several depthwise kernels at once in every layer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Literal, TypeAlias, get_args

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import NormBank, OpChoice, Statistics, SubsetChoice, Supernet, batch_norm
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Arch, Choice, subsets
from supernet.zoo.arguments import check_at_least_one
from supernet.zoo.chains.chain import Chain
from supernet.zoo.initialisation import fan_out_normal
from supernet.zoo.layers import Norm, classifier, conv_bn
from supernet.zoo.scaling import scaled_width

Initialisation: TypeAlias = Literal["released", "torch"]

STEM = 32
WIDTHS = (48, 48, 96, 96, 96, 192, 192, 192, 256, 256, 320, 320)
REDUCED = (2, 5)
HEAD = 1280

PAPER = Paper(
    name="MixPath",
    title="MixPath: A Unified Approach for One-shot Neural Architecture Search",
    authors=("Chu", "Lu", "Li", "Zhang"),
    venue="ICCV",
    year=2023,
    arxiv="2001.05887",
    provenance="official code",
)

TINY: dict[str, Any] = {"layers": 4, "width_multiplier": 0.25}


def mixpath(
    *,
    paths: int = 4,
    kernels: Sequence[int] = (3, 5, 7, 9),
    rates: Sequence[int] = (3, 6),
    shadow: bool = True,
    layers: int = 12,
    width_multiplier: float = 1.0,
    num_classes: int = 10,
    in_channels: int = 3,
    image_size: int = 32,
    head_width: int | None = None,
    statistics: Statistics = "track",
    initialisation: Initialisation = "released",
) -> Supernet:
    """MixPath's S1: up to m of four depthwise kernels run in each of 12 layers and are summed; 30¹² for m = 4.

    Chu et al., ICCV 2023, [arXiv 2001.05887](https://arxiv.org/abs/2001.05887), for CIFAR-10.

    Layer n is an inverted residual block with the choices `"layer{n}.rate"` of the expansion and `"layer{n}.kernels"`
    of the set of kernels. Every kernel has a BatchNorm and an activation of its own; their sum is projected, and
    normalised by the BatchNorm of the number of kernels (shadow batch norm). The two rates share no weight. The third
    and the sixth layer have stride 2.

    Args:
        paths: m, the largest number of kernels in a layer.
        kernels: Sides of the kernels to choose from.
        rates: Expansions to choose from.
        shadow: Whether there is a BatchNorm for every number of kernels; otherwise one for all (the paper's ablation).
        layers: Number of layers, the first ones of the 12 published.
        width_multiplier: Factor on all widths, rounded to multiples of 8.
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels.
        head_width: Width before the classifier; None: 1280 × `width_multiplier`.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.
        initialisation: `"released"`: convolutions normal with the variance 2 / (k² · C_out), the classifier uniform in
            ±1 / √K, biases 0, as in the released code; or `"torch"`.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: a size that cannot be, more paths than kernels, an even kernel, or an unknown initialisation.

    >>> net = mixpath(paths=2, width_multiplier=0.25)
    >>> net.space.size == 20 ** 12
    True
    """
    check_at_least_one(paths=paths, layers=layers, num_classes=num_classes, in_channels=in_channels)
    check_at_least_one(image_size=image_size, **{f"kernel {kernel}": kernel for kernel in kernels})
    check_statistics(statistics)
    if paths > len(kernels) or layers > len(WIDTHS) or any(kernel % 2 == 0 for kernel in kernels):
        raise UsageError(
            f"paths={paths} of the kernels {tuple(kernels)} in {layers} layers cannot be: at most {len(kernels)} of "
            f"them run in a layer, their sides are odd, and there are {len(WIDTHS)} layers."
        )
    if not rates or not kernels or len(set(kernels)) < len(kernels) or len(set(rates)) < len(rates):
        raise UsageError(f"Kernels {tuple(kernels)} and rates {tuple(rates)} are to choose from; give each once.")
    if initialisation not in get_args(Initialisation):
        raise UsageError(
            f"The initialisation {initialisation!r} does not exist; use one of {get_args(Initialisation)}."
        )
    head = scaled_width(HEAD, width_multiplier) if head_width is None else head_width
    check_at_least_one(head_width=head)
    widths = [scaled_width(width, width_multiplier) for width in (STEM, *WIDTHS[:layers])]
    norm = partial(batch_norm, statistics=statistics)
    dense = partial(conv_bn, norm=norm, activation="relu6")
    net = MixedChain(
        dense(in_channels, widths[0], 3),
        [
            _layer(number, *pair, paths, tuple(kernels), tuple(rates), norm, statistics if shadow else None)
            for number, pair in enumerate(pairwise(widths), start=1)
        ],
        classifier(dense(widths[-1], head), head, num_classes),
        image_size=image_size,
    )
    if initialisation == "released":
        fan_out_normal(net)
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


class MixedChain(Chain):
    """A chain whose layers run several kernels each: (B, C_in, H, W) -> (B, K)."""

    def label(self, name: str, block: Any, arch: Arch) -> str:
        """The expansion and the kernels of a layer."""
        kernels: Any = arch[name.replace(".rate", ".kernels")]
        return f"MB{arch[name]} k{'+'.join(map(str, kernels))}"


class MixedBlock(nn.Module):
    """Expand, several depthwise kernels at once, project: (B, c_in, H, W) -> (B, c_out, ⌈H/s⌉, ⌈W/s⌉).

    Args:
        width_in: Input width c_in.
        width_out: Output width c_out.
        rate: Ratio of hidden to input width.
        kernels: The choice of the set of kernels.
        sides: Sides of all kernels.
        stride: Stride s.
        norm: Maker of BatchNorms.
        shadow: Policy of the shadow batch norm; None: one BatchNorm behind the projection.
    """

    def __init__(
        self,
        width_in: int,
        width_out: int,
        *,
        rate: int,
        kernels: Choice,
        sides: Sequence[int],
        stride: int,
        norm: Norm,
        shadow: Statistics | None,
    ) -> None:
        super().__init__()
        self.width_in, self.width_out, self.stride = width_in, width_out, stride
        self.residual = stride == 1 and width_in == width_out
        hidden = rate * width_in
        depthwise = partial(conv_bn, hidden, hidden, stride=stride, groups=hidden, norm=norm, activation="relu6")
        self.expand = nn.Sequential(*conv_bn(width_in, hidden, norm=norm, activation="relu6"))
        self.mixed = SubsetChoice(kernels, {side: nn.Sequential(*depthwise(side)) for side in sides})
        self.project = nn.Conv2d(hidden, width_out, 1, bias=False)
        bank = None if shadow is None else NormBank(width_out, kernels.map(len), statistics=shadow)
        self.norm = norm(width_out) if bank is None else bank

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(self.project(self.mixed(self.expand(x))))
        return out + x if self.residual else out


def _layer(
    number: int,
    width_in: int,
    width_out: int,
    paths: int,
    sides: tuple[int, ...],
    rates: tuple[int, ...],
    norm: Norm,
    shadow: Statistics | None,
) -> OpChoice:
    sets = subsets(sides, at_most=paths)
    kernels = Choice(f"layer{number}.kernels", sets, order=sorted(sets, key=_weight))
    block = partial(
        MixedBlock,
        width_in,
        width_out,
        kernels=kernels,
        sides=sides,
        stride=2 if number - 1 in REDUCED else 1,
        norm=norm,
        shadow=shadow,
    )
    return OpChoice(Choice(f"layer{number}.rate", rates), {rate: block(rate=rate) for rate in rates})


def _weight(sides: Any) -> int:
    """Weights of a set of kernels, per channel."""
    return sum(side**2 for side in sides)
