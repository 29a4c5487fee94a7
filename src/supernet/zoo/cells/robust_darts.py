"""The spaces S1 to S4 of RobustDARTS (Zela et al., ICLR 2020), in which DARTS fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

from supernet.errors import UsageError
from supernet.nn import Statistics, Supernet
from supernet.paper import Paper
from supernet.zoo.arguments import check_at_least_one
from supernet.zoo.cells.cell_network import CELLS, Stem, cell_supernet, edge_names

PAPER = Paper(
    name="RobustDARTS",
    title="Understanding and Robustifying Differentiable Architecture Search",
    authors=("Zela", "Elsken", "Saikia", "Marrakchi", "Brox", "Hutter"),
    venue="ICLR",
    year=2020,
    arxiv="1909.09656",
    provenance="official code",
)

TINY: dict[str, Any] = {"channels": 4, "layers": 5, "nodes": 3}

Variant: TypeAlias = Literal["S1", "S2", "S3", "S4"]

_SHORT = {
    "skip": "skip_connect",
    "max": "max_pool_3x3",
    "avg": "avg_pool_3x3",
    "sep3": "sep_conv_3x3",
    "dil3": "dil_conv_3x3",
    "dil5": "dil_conv_5x5",
}
_S1 = {
    "normal": "skip dil3, skip dil5, skip dil5, skip sep3, skip dil3, max skip, skip sep3, skip sep3, skip dil3, "
    "skip sep3, max skip, skip dil3, dil3 dil5, dil3 dil5",
    "reduce": "max avg, max dil3, max avg, max avg, skip dil5, max avg, max sep3, skip dil3, skip dil5, max avg, "
    "max avg, skip dil5, skip dil5, skip dil5",
}
"""The two operations of every edge, found by an earlier search of the authors (src/spaces.py of their code)."""

_ALIKE: dict[str, tuple[str, ...]] = {
    "S2": ("skip_connect", "sep_conv_3x3"),
    "S3": ("none", "skip_connect", "sep_conv_3x3"),
    "S4": ("noise", "sep_conv_3x3"),
}


def robust_darts(
    *,
    variant: Variant = "S1",
    operations: Mapping[str, Sequence[str]] | None = None,
    channels: int = 16,
    layers: int = 8,
    nodes: int = 4,
    stem: Stem = "cifar",
    stem_multiplier: int = 3,
    partial: int = 1,
    aux_skip: bool = False,
    auxiliary: bool = False,
    affine: bool = False,
    pool_norm: bool | None = None,
    statistics: Statistics = "track",
    num_classes: int = 10,
    in_channels: int = 3,
    image_size: int | None = None,
) -> Supernet:
    """S1 to S4 of RobustDARTS: DARTS's cells with two or three operations on each edge; 2.1 · 10⁹ pairs of cells.

    Zela et al., ICLR 2020, [arXiv 1909.09656](https://arxiv.org/abs/1909.09656).

    Choices, settings and genotypes are those of `zoo.darts`; what varies is which operations an edge may take. In S3
    one is `"none"`, which the authors never derive. In S4 one is `"noise"`, standard normal noise in place of the
    input: in training it is drawn from torch's generator, in evaluation it is a function of the image.

    Args:
        variant: `"S1"`, two operations that differ from edge to edge; `"S2"`, skip and separable convolution; `"S3"`,
            these and none; `"S4"`, noise and separable convolution.
        operations: Instead of a variant's, the operations of every edge by its name, such as `"normal.3<-1"`.
        channels: Width C of the first cells. The authors train with 16 finally too.
        layers: Number of cells, at least 3.
        nodes: Number of nodes per cell, inputs not counted; S1 has 4 at most.
        stem: `"cifar"`, one convolution; `"imagenet"`, three of stride 2.
        stem_multiplier: The stem of CIFAR has that many times C channels.
        partial: K of PC-DARTS: operations run on C/K of the channels.
        aux_skip: Whether a skip connection of the weight `aux_skip` stands beside the operations (DARTS-).
        auxiliary: Whether a second classifier stands behind the second reduction, for the training.
        affine: Whether BatchNorms of the cells learn scale and shift. The searches go without.
        pool_norm: Whether a BatchNorm follows poolings. Default: unless `affine`.
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels. Default: 32, or 224 with the stem for ImageNet.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: an unknown variant, more nodes than S1 has, operations for other edges than there are, or what
            `zoo.darts` refuses.

    >>> robust_darts().space.size == robust_darts(variant="S4").space.size == (180 * 2**8) ** 2
    True
    """
    check_at_least_one(nodes=nodes)
    return cell_supernet(
        _operations(variant, nodes) if operations is None else operations,
        channels=channels,
        layers=layers,
        nodes=nodes,
        stem=stem,
        stem_multiplier=stem_multiplier,
        partial=partial,
        aux_skip=aux_skip,
        auxiliary=auxiliary,
        affine=affine,
        pool_norm=pool_norm,
        statistics=statistics,
        num_classes=num_classes,
        in_channels=in_channels,
        image_size=image_size,
    )


def _operations(variant: str, nodes: int) -> Sequence[str] | Mapping[str, Sequence[str]]:
    if variant not in get_args(Variant):
        raise UsageError(f"variant={variant!r} is unknown; use one of {', '.join(map(repr, get_args(Variant)))}.")
    if variant in _ALIKE:
        return _ALIKE[variant]
    if nodes > 4:
        raise UsageError(
            f"nodes={nodes}: the operations of S1 are known for 4 nodes; give 4 or fewer, or operations=…."
        )
    found: dict[str, tuple[str, ...]] = {}
    for cell in CELLS:
        pairs = _S1[cell].split(", ")
        found |= {
            e: tuple(map(_SHORT.__getitem__, p.split())) for e, p in zip(edge_names(cell, nodes), pairs, strict=False)
        }
    return found
