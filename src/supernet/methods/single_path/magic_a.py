"""MAGIC-A: Analyzing and Mitigating Interference in Neural Architecture Search (Xu et al., ICML 2022)."""

from __future__ import annotations

from supernet.methods.single_path.spos import WEIGHTS
from supernet.paper import Paper
from supernet.train import AlignToAnchor, CrossEntropy, Rating, Recipe, Updates
from supernet.train.values._protocol import Number

PAPER = Paper(
    name="MAGIC-A",
    title="Analyzing and Mitigating Interference in Neural Architecture Search",
    authors=("Xu", "Tan", "Song", "Luo", "Leng", "Qin", "Liu", "Li"),
    venue="ICML",
    year=2022,
    arxiv="2108.12821",
    provenance="reconstruction",
)


def magic_a(
    *,
    alignment: Number = 1.0,
    every: int = 1,
    rating: Rating | None = None,
    layers: tuple[str, ...] | None = None,
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """MAGIC-A: the layers of each path are drawn to those of an anchor, the best path so far.

    [arXiv 2108.12821](https://arxiv.org/abs/2108.12821). Two subnets disturb each other's training of an operation the
    less, the more alike is what goes into it and comes out. So the loss of a path has λ Σ_l MSE(h_l(path), h_l(anchor))
    beside that of the labels, h_l being what layer l returns. No code was released, and λ and when the anchor is
    replaced are not known: they, optimiser and label smoothing are a reconstruction. The home of the method is BERT,
    `zoo.bert_like`; any space of operations will do whose layers keep their shape.

    Args:
        alignment: λ, which may change over time. The paper's is not known: 1 is the plain sum of both losses, a
            reconstruction. It is large where features are: on digits 0.1 drew the layers of paths together in each of
            six trainings, and 1 made features shrink besides. Begin with 0.1 and look at `term/alignment` in the log.
        every: The number of steps from one comparison of path and anchor to the next.
        rating: What compares them, such as `ValidationLoss(1000)`; None: their losses on the training batch.
        layers: The modules that are aligned, by name; None: every choice block.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How the supernet's weights are stepped.

    Raises:
        UsageError: λ is negative, or `every` below 1.
    """
    program = AlignToAnchor(
        objective=CrossEntropy(label_smoothing), weight=alignment, every=every, rating=rating, layers=layers
    )
    return Recipe(name="magic_a", program=program, weights=weights)
