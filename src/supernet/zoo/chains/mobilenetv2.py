"""Single-path spaces on MobileNetV2's chain of blocks: FairNAS, ProxylessNAS, GreedyNAS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import nn

from supernet.errors import UsageError
from supernet.nn import OpChoice, Statistics, Supernet, batch_norm
from supernet.nn.norm import check_statistics
from supernet.paper import Paper
from supernet.space import Arch, Choice, Space
from supernet.zoo.arguments import check_at_least_one, check_dropout
from supernet.zoo.cells.darts_cell import darts_cell, named_genotype
from supernet.zoo.cells.darts_genotype import Genotype
from supernet.zoo.chains.chain import Chain, Place, foreign, places
from supernet.zoo.chains.inverted_residual import InvertedResidual
from supernet.zoo.chains.mobilenetv2_variants import GATED_OPS, IDENTITY, OPS, VARIANTS, Stages, Variant
from supernet.zoo.layers import Norm, classifier, conv_bn
from supernet.zoo.scaling import scaled_depths, scaled_width, strides_for

PAPER = (
    Paper(
        name="FairNAS",
        title="FairNAS: Rethinking Evaluation Fairness of Weight Sharing Neural Architecture Search",
        authors=("Chu", "Zhang", "Xu"),
        venue="ICCV",
        year=2021,
        arxiv="1907.01845",
        provenance="official code",
    ),
    Paper(
        name="ProxylessNAS",
        title="ProxylessNAS: Direct Neural Architecture Search on Target Task and Hardware",
        authors=("Cai", "Zhu", "Han"),
        venue="ICLR",
        year=2019,
        arxiv="1812.00332",
        provenance="official code",
    ),
    Paper(
        name="GreedyNAS",
        title="GreedyNAS: Towards Fast One-Shot NAS with Greedy Supernet",
        authors=("You", "Huang", "Yang", "Wang", "Qian", "Zhang"),
        venue="CVPR",
        year=2020,
        arxiv="2003.11236",
        provenance="reconstruction",
    ),
)

TINY: dict[str, Any] = {"width_multiplier": 0.25, "depth_multiplier": 0.4}


def mobilenetv2(
    *,
    variant: Variant = "fairnas",
    cells: Mapping[str, Genotype | str] | None = None,
    num_classes: int = 1000,
    in_channels: int = 3,
    image_size: int = 224,
    width_multiplier: float = 1.0,
    depth_multiplier: float | Sequence[float] = 1.0,
    strides: Sequence[int] | None = None,
    head_width: int | None = None,
    affine: bool = True,
    statistics: Statistics = "calibrate",
    dropout: float = 0.0,
) -> Supernet:
    """MobileNetV2 chains of FairNAS, ProxylessNAS and GreedyNAS: kernel and expansion of the block in each layer.

    FairNAS: [arXiv 1907.01845](https://arxiv.org/abs/1907.01845); ProxylessNAS:
    [arXiv 1812.00332](https://arxiv.org/abs/1812.00332); GreedyNAS: [arXiv 2003.11236](https://arxiv.org/abs/2003.11236).

    The choices `"layer1"`, `"layer2"` … have the options `MB3_K3`, `MB6_K3`, `MB3_K5`, `MB6_K5`, `MB3_K7`, `MB6_K7`
    (expansion and kernel), with `greedynas_augmented` each again with squeeze and excitation (`MB3_K3_SE` …), and where
    the variant allows it `identity`. The defaults are the published ImageNet settings; smaller images keep fewer
    strides. Weights start from PyTorch's default initialisation.

    Args:
        variant: `"fairnas"` (19 layers), `"proxyless"`, `"proxyless_gpu"`, `"greedynas"` or `"greedynas_augmented"`
            (21 layers).
        cells: Cells that a search has derived, as further options of every layer: by the name of the option a
            `Genotype`, its text, or the name of published cells, see `zoo.darts_cell`. None: the published options.
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels; sets the default of `strides`.
        width_multiplier: Factor on all widths, rounded to multiples of 8.
        depth_multiplier: Factor on the layers of the six stages, rounded up; one number or one per stage.
        strides: Strides of the stem and of the first layer of each stage; published (2, 2, 2, 2, 1, 2, 1). None: of
            these the leading ones become 1 until the last feature map has at least 4 × 4 pixels.
        head_width: Width before the classifier; None: the published one × `width_multiplier`.
        affine: Whether BatchNorms of the candidates learn scale and shift; those of the fixed layers always do.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.
        dropout: Probability of dropping a feature before the classifier.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an unknown variant, an option out of range, a cell that cannot be a block, or whose name is taken.

    >>> net = mobilenetv2(num_classes=10, image_size=32, width_multiplier=0.5)
    >>> net.space.size == 6 ** 19
    True
    """
    if variant not in VARIANTS:
        raise UsageError(f"The variant {variant!r} does not exist; use one of {tuple(VARIANTS)}.")
    published = VARIANTS[variant]
    if head_width is None:
        head_width = scaled_width(published.head, width_multiplier)
    check_at_least_one(num_classes=num_classes, in_channels=in_channels, image_size=image_size, head_width=head_width)
    check_statistics(statistics)
    check_dropout(dropout)
    strides = strides_for(image_size, published=published.strides, given=strides)
    stem_width, first_width, *widths = (
        scaled_width(width, width_multiplier) for width in (published.stem, published.first, *published.widths)
    )
    norm = partial(batch_norm, statistics=statistics)
    dense = partial(conv_bn, norm=norm, activation=published.activation)
    depths = scaled_depths(published.depths, depth_multiplier)
    standing = places(first_width, widths, depths, strides[1:])
    genotypes = {name: named_genotype(given) for name, given in (cells or {}).items()}
    for name in genotypes:
        if name in (*GATED_OPS, IDENTITY):
            raise UsageError(f"The cell {name!r} has the name of a block; give it another.")
    cell = partial(darts_cell, affine=affine, statistics=statistics)
    layers = [_layer(place, published, partial(norm, affine=affine), genotypes, cell) for place in standing]
    stem = dense(in_channels, stem_width, 3, stride=strides[0])
    first = _block("MB1_K3", published, stem_width, first_width, 1, norm)
    head = classifier(dense(widths[-1], head_width), head_width, num_classes, dropout=dropout)
    net = Chain(stem, layers, head, first=first, image_size=image_size, depths=depths)
    return Supernet(net, input_shape=(in_channels, image_size, image_size))


def mobilenetv2_ids(arch: Arch) -> tuple[int, ...]:
    """The published block numbers of an architecture, see `mobilenetv2_arch`.

    Raises:
        UsageError: the architecture is of another space, or has a block without a number.
    """
    _check_space(arch.space)
    unnumbered = [str(option) for option in arch.options().values() if option not in (*OPS, IDENTITY)]
    if unnumbered:
        raise UsageError(
            f"The block {unnumbered[0]} has no published number; write architectures with gated blocks or cells as "
            "JSON, with arch.to_json()."
        )
    return tuple(-1 if option == IDENTITY else OPS.index(option) for option in arch.options().values())


def mobilenetv2_arch(space: Space, ids: Sequence[int]) -> Arch:
    """The architecture that block numbers of the released code of ABS and RLNAS describe.

    Args:
        space: A space of `mobilenetv2`.
        ids: A number for each layer, 0 … 5 for `MB3_K3`, `MB6_K3`, `MB3_K5`, `MB6_K5`, `MB3_K7`, `MB6_K7`, or -1 for
            `identity`.

    Raises:
        UsageError: another space, another number of layers, a number that stands for nothing, or an identity where
            the space has none.

    >>> net = mobilenetv2(variant="proxyless", image_size=32, width_multiplier=0.25, depth_multiplier=0.5)
    >>> mobilenetv2_arch(net.space, (1, -1, 0, 5, 2, -1, 0, 0, 3, 4, 0)).options()["layer4"]
    'MB6_K7'
    """
    _check_space(space)
    if len(ids) != len(space) or any(number not in range(-1, len(OPS)) for number in ids):
        raise UsageError(
            f"{tuple(ids)} is no architecture of this space. Give {len(space)} numbers, one per layer: 0 to 5 for "
            f"{', '.join(OPS)}, and -1 for the identity."
        )
    options = (*OPS, IDENTITY)  # -1 is the last one
    return space.arch({name: options[number] for name, number in zip(space.names, ids, strict=True)})


def _layer(
    place: Place, published: Stages, norm: Norm, cells: Mapping[str, Genotype], cell: Callable[..., nn.Module]
) -> OpChoice:
    _, width_in, width_out, stride, first = place
    options = published.options(first=first)
    candidates: dict[str, nn.Module] = {
        op: _block(op, published, width_in, width_out, stride, norm) for op in options if op != IDENTITY
    }
    if IDENTITY in options:
        stays = stride == 1 and width_in == width_out
        shortcut = [] if stays else conv_bn(width_in, width_out, stride=stride, norm=norm)
        candidates[IDENTITY] = nn.Identity() if stays else nn.Sequential(*shortcut)
    cheapest_first: list[str] = sorted(options, key=_cost)
    found = {name: cell(genotype, width_in, width_out, stride=stride) for name, genotype in cells.items()}
    for name in sorted(found, key=lambda name: _params(found[name])):
        cheapest_first.insert(sum(_params(block) <= _params(found[name]) for block in candidates.values()), name)
        candidates[name] = found[name]
    return OpChoice(Choice(place.name, (*options, *found), order=cheapest_first), candidates)


def _params(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _block(op: str, published: Stages, width_in: int, width_out: int, stride: int, norm: Norm) -> InvertedResidual:
    expansion, kernel, gated = _parts(op)
    made = partial(InvertedResidual, expansion=expansion, kernel=kernel, gated=gated, activation=published.activation)
    return made(width_in, width_out, stride=stride, norm=norm)


def _parts(op: str) -> tuple[int, int, bool]:
    """Expansion, kernel and whether it is gated, of a name such as `MB6_K5_SE`."""
    expansion, kernel, *rest = op.removeprefix("MB").split("_")
    return int(expansion), int(kernel.removeprefix("K")), bool(rest)


def _cost(op: str) -> tuple[int, int, bool]:
    return (0, 0, False) if op == IDENTITY else _parts(op)


def _check_space(space: Space) -> None:
    ours = all(name == f"layer{number}" for number, name in enumerate(space.names, start=1))
    if not ours or any(not {*OPS} <= {*choice.options} for choice in space.choices):
        raise foreign(space, "Block numbers", "mobilenetv2")
