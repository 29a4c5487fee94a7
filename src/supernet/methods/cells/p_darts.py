"""P-DARTS: Progressive Differentiable Architecture Search (Chen, Xie, Wu and Tian, ICCV 2019)."""

from __future__ import annotations

from collections.abc import Sequence

from supernet.errors import UsageError
from supernet.paper import Paper
from supernet.train import (
    Bilevel,
    Cosine,
    DropoutDecay,
    KeepStrongest,
    PerEpoch,
    Phase,
    RebuildNetwork,
    Recipe,
    SkipLimited,
    Updates,
    adam,
    sgd,
)
from supernet.train.parametrisations.option_logits import option_logits

PAPER = Paper(
    name="P-DARTS",
    title="Progressive Differentiable Architecture Search: Bridging the Depth Gap between Search and Evaluation",
    authors=("Chen", "Xie", "Wu", "Tian"),
    venue="ICCV",
    year=2019,
    arxiv="1904.12760",
    provenance="official code",
)

WEIGHTS = sgd(0.025, weight_decay=3e-4, schedule=Cosine(), clip_norm=5.0)
ARCHITECTURE = adam(6e-4, betas=(0.5, 0.999), weight_decay=1e-3, clip_norm=5.0)
LAYERS, KEEP, SKIP_DROPOUT = (5, 11, 17), (5, 3), (0.1, 0.4, 0.7)


def p_darts(
    *,
    layers: Sequence[int] = LAYERS,
    keep: Sequence[int] = KEEP,
    skip_dropout: Sequence[float] = SKIP_DROPOUT,
    channels: Sequence[int] | None = None,
    begin: float = 0.4,
    skips: int | None = 2,
    exclude: tuple[str, ...] = ("none",),
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """P-DARTS: DARTS in stages, from one to the next in a deeper network with fewer operations on every edge.

    [arXiv 1904.12760](https://arxiv.org/abs/1904.12760). Each stage builds the network anew, with fresh weights, α and
    optimisers, and trains it as DARTS does (first order), the weights alone at first. Skip connections have dropout,
    whose rate falls within a stage (`DropoutDecay`). Between stages edges keep the operations with the largest α.
    The normal cell that is derived has two skip connections at most (`SkipLimited`). The space is
    `zoo.darts(none=True)`, whatever its number of cells, and a search on CIFAR-10 is three stages of 25 epochs, 75 in
    all, with batches of 96.
    Split the training images in half for the two moves (`validation=0.5` of the data loaders).

    Args:
        layers: The number of cells in each stage.
        keep: The number of operations that every edge keeps at the beginning of each stage but the first.
        skip_dropout: The rate of the dropout behind skip connections at the beginning of each stage.
        channels: The width of the first cells in each stage; None: that of the network that is given.
        begin: The share of each stage before α starts to learn.
        skips: The number of skip connections that the normal cell may have; None: any.
        exclude: The options that may not be derived.
        weights: How the supernet's weights are stepped.
        architecture: How the architecture parameters α are stepped.

    Raises:
        UsageError: there is no stage, or there are more or fewer of one kind of number than there are stages.
    """
    widths: list[int | None] = [None] * len(layers) if channels is None else [*channels]
    if not layers or {1 + len(keep), len(skip_dropout), len(widths)} != {len(layers)}:
        raise UsageError(
            f"P-DARTS was given layers={tuple(layers)}, which are {len(layers)} stages, keep={tuple(keep)}, "
            f"skip_dropout={tuple(skip_dropout)} and channels={channels}. Give one number of each per stage, and "
            "of keep one less."
        )
    kept: list[int | None] = [None, *keep]
    stages = zip(layers, widths, kept, skip_dropout, strict=True)
    phases = tuple(
        Phase(
            name=f"stage {number}",
            share=1.0,
            program=Bilevel(begin=begin),
            enter=RebuildNetwork(
                options={"layers": cells} if width is None else {"layers": cells, "channels": width},
                keep=None if left is None else KeepStrongest(left),
            ),
            settings={"skip_dropout": PerEpoch(DropoutDecay(start=rate, begin=begin))},
        )
        for number, (cells, width, left, rate) in enumerate(stages, start=1)
    )
    return Recipe(
        name="p_darts",
        program=phases,
        weights=weights,
        parts={"architecture": option_logits(architecture)},
        derive=SkipLimited(limit=skips, exclude=exclude),
    )
