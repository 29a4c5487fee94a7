"""MAGIC-AT: Analyzing and Mitigating Interference in Neural Architecture Search (Xu et al., ICML 2022)."""

from __future__ import annotations

from supernet.methods.single_path.spos import WEIGHTS
from supernet.paper import Paper
from supernet.train import AlignToAnchor, CrossEntropy, HammingWalk, Rating, Recipe, Updates
from supernet.train.values._protocol import Number

PAPER = Paper(
    name="MAGIC-AT",
    title="Analyzing and Mitigating Interference in Neural Architecture Search",
    authors=("Xu", "Tan", "Song", "Luo", "Leng", "Qin", "Liu", "Li"),
    venue="ICML",
    year=2022,
    arxiv="2108.12821",
    provenance="reconstruction",
)


def magic_at(
    *,
    alignment: Number = 1.0,
    every: int = 1,
    rating: Rating | None = None,
    layers: tuple[str, ...] | None = None,
    restart: int | None = None,
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """MAGIC-AT: MAGIC-A whose paths are those of MAGIC-T, each in exactly one choice another than the one before.

    [arXiv 2108.12821](https://arxiv.org/abs/2108.12821). The settings are those of `magic_a` and `magic_t`, and with
    the same reservations a reconstruction.

    Args:
        alignment: λ, the factor on the alignment, which may change over time. Its default is a reconstruction, and
            large; see `magic_a`.
        every: The number of steps from one comparison of path and anchor to the next.
        rating: What compares them, such as `ValidationLoss(1000)`; None: their losses on the training batch.
        layers: The modules that are aligned, by name; None: every choice block.
        restart: The number of steps after which the walk begins anew with a path drawn uniformly; None: never.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How the supernet's weights are stepped.

    Raises:
        UsageError: λ is negative, `every` below 1, or the walk is to begin anew after less than one step.
    """
    program = AlignToAnchor(
        sampler=HammingWalk(restart=restart),
        objective=CrossEntropy(label_smoothing),
        weight=alignment,
        every=every,
        rating=rating,
        layers=layers,
    )
    return Recipe(name="magic_at", program=program, weights=weights)
