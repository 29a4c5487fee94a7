"""The cell space of DARTS (Liu et al., ICLR 2019): a normal and a reduction cell, stacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supernet.errors import UsageError
from supernet.nn import Statistics, Supernet
from supernet.paper import Paper
from supernet.zoo.cells.cell_network import Inputs, Stem, cell_supernet
from supernet.zoo.cells.cell_ops import OPERATIONS

PAPER = Paper(
    name="DARTS",
    title="DARTS: Differentiable Architecture Search",
    authors=("Liu", "Simonyan", "Yang"),
    venue="ICLR",
    year=2019,
    arxiv="1806.09055",
    provenance="official code",
)

TINY: dict[str, Any] = {"channels": 4, "layers": 5, "nodes": 3}


def darts(
    *,
    channels: int = 16,
    layers: int = 8,
    nodes: int = 4,
    operations: Sequence[str] = OPERATIONS,
    none: bool = False,
    inputs: Inputs = "pairs",
    several_ops: bool = False,
    stem: Stem = "cifar",
    stem_multiplier: int = 3,
    partial: int = 1,
    aux_skip: bool = False,
    auxiliary: bool = False,
    affine: bool = False,
    pool_norm: bool | None = None,
    norm_all: bool = False,
    statistics: Statistics = "track",
    num_classes: int = 10,
    in_channels: int = 3,
    image_size: int | None = None,
) -> Supernet:
    """DARTS: two cells of 4 nodes, each of which sums two edges of 7 operations; 1.08 · 10¹⁸ pairs of cells.

    Liu, Simonyan and Yang, ICLR 2019, [arXiv 1806.09055](https://arxiv.org/abs/1806.09055).

    In the cells `"normal"` and `"reduce"` the nodes 0 and 1 are the outputs of the two cells before, and node 2 sums
    both. A later node has a choice of the pair of nodes that it sums, such as `"normal.3.inputs"`; every edge has one
    of operations, such as `"normal.3<-1"`, which matters while the edge is kept. Cells of one kind share their choices.
    An architecture has the same decisions at any size of the network; `zoo.darts_genotype` writes it in the authors'
    notation. Under the names of all nodes, `"normal.2.inputs"` too, decisions may hold `EdgeWeights`.

    The defaults are those of the search on CIFAR-10. The final networks are `channels=36, layers=20, affine=True,
    auxiliary=True`, on ImageNet `channels=48, layers=14, stem="imagenet", num_classes=1000` with them. Layers read the
    settings `drop_path` (0), `skip_dropout` (0), and `aux_skip` (0) where there is one, see `Supernet.active`. Training
    may build the network anew over the same choices with other sizes, see `train.Rewriter`.

    Args:
        channels: Width C of the first cells. Each of the two reduction cells doubles it.
        layers: Number of cells, at least 3.
        nodes: Number of nodes per cell, inputs not counted.
        operations: The operations of every edge.
        none: Whether edges may also be `"none"`, zero. DARTS mixes it with the others and never ends with it.
        inputs: Which edges a node sums: `"pairs"` two of them, which is a choice; `"subsets"` one or more of them
            (EnTranNAS-DST); `"any"` also none, which makes the node zero (SparseNAS); `"all"` all of them (SNAS).
        several_ops: Whether an edge runs a set of operations rather than one (SparseNAS, arXiv 2007.16112).
        stem: `"cifar"`, one convolution; `"imagenet"`, three of stride 2.
        stem_multiplier: The stem of CIFAR has that many times C channels.
        partial: K of PC-DARTS ([arXiv 1907.05737](https://arxiv.org/abs/1907.05737)): operations run on C/K of the
            channels, the others pass by. Its searches take 4, and 2 on ImageNet.
        aux_skip: Whether a skip connection stands beside the operations of every edge, with the weight of the setting
            `aux_skip` (DARTS-, [arXiv 2009.01027](https://arxiv.org/abs/2009.01027)).
        auxiliary: Whether a second classifier stands behind the second reduction; the network then returns an
            `Output` in training.
        affine: Whether BatchNorms of the cells learn scale and shift. The searches go without.
        pool_norm: Whether a BatchNorm without scale and shift follows poolings. Default: unless `affine`, as in
            searches and final networks.
        norm_all: Whether every operation ends with a BatchNorm of the cells, identities and poolings too (the one-stage
            network of ISTA-NAS, arXiv 2010.06176).
        statistics: What BatchNorm uses outside training, see `supernet.nn.Statistics`.
        num_classes: Number of classes, the outputs of the classifier.
        in_channels: Number of channels of the images.
        image_size: Side of the images in pixels. Default: 32, or 224 with the stem for ImageNet.

    Returns:
        A supernet (B, in_channels, H, W) -> (B, num_classes).

    Raises:
        UsageError: a size that cannot be, an unknown operation, stem or set of inputs, channels that `partial` does
            not divide, or poolings that are to end with a BatchNorm and with none.

    >>> darts().space.size
    1076746950455072400
    """
    if "none" in operations or not operations:
        raise UsageError(
            f"operations={tuple(operations)}: give at least one, and 'none' by none=True, so that it comes first."
        )
    return cell_supernet(
        ("none", *operations) if none else tuple(operations),
        inputs=inputs,
        several_ops=several_ops,
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
        norm_all=norm_all,
        statistics=statistics,
        num_classes=num_classes,
        in_channels=in_channels,
        image_size=image_size,
    )
