"""PAD-NAS: Progressive Automatic Design of Search Space for One-Shot NAS (Xia et al., WACV 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from supernet.errors import UsageError
from supernet.paper import Paper
from supernet.search import NSGA2
from supernet.search.frequent import DropRare
from supernet.train import CrossEntropy, Linear, Phase, Recipe, Sampler, Scaled, TrainPaths, Uniform, Updates, sgd
from supernet.train.optimisers._protocol import check_number

PAPER = Paper(
    name="PAD-NAS",
    title="Progressive Automatic Design of Search Space for One-Shot Neural Architecture Search",
    authors=("Xia", "Xiao", "Wang", "Zheng"),
    venue="WACV",
    year=2022,
    arxiv="2005.07564",
    provenance="reconstruction",
)

WEIGHTS = sgd(0.5, weight_decay=4e-5, schedule=Linear(), decay_vectors=False, per=1024)
SEARCH = NSGA2(population=64)
"""What searches the space that is left, for 40 generations."""


def pad_nas(
    *,
    sampler: Sampler = Uniform(),
    drop: DropRare = DropRare(),
    epochs: Sequence[float] = (120, 80, 40),
    rates: Sequence[float] = (1.0, 0.2, 0.2),
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
) -> Recipe:
    """PAD-NAS: single paths in stages; between them operations that an evolution hardly ever chooses are dropped.

    [arXiv 2005.07564](https://arxiv.org/abs/2005.07564). After each stage but the last the space that is left is
    searched by NSGA-II within bounds of a cost, and the operations of every layer that are rare in the first fronts
    are dropped (`DropRare`). The weights go on with a smaller learning rate, that falls to 0 again. What is left after
    the last stage is searched (`SEARCH`), and what is found trained from scratch for 240 epochs.

    No code was released; the numbers are the paper's: stages of 120, 80 and 40 epochs on ImageNet, at the rates 0.5,
    0.1 and 0.1 for batches of 1,024. Label smoothing and what of the weights decays are SPOS's, a reconstruction.

    Args:
        sampler: The rule that draws paths.
        drop: What is dropped between the stages; the bounds of the cost are `drop.low` and `drop.high`.
        epochs: The lengths of the stages, relative to each other.
        rates: A factor on the learning rate for each stage.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How the supernet's weights are stepped.

    Raises:
        UsageError: no stage, as many rates as there are not, or a number outside its range.
    """
    if not epochs or len(epochs) != len(rates):
        raise UsageError(
            f"PAD-NAS was given stages of {tuple(epochs)} epochs at the rates {tuple(rates)}; give a length and a rate "
            "for each of at least one stage."
        )
    for rate in rates:
        check_number("The factor on the learning rate of a stage", rate, above=0)
    program = TrainPaths(sampler=sampler, objective=CrossEntropy(label_smoothing))
    phases = tuple(
        Phase(
            name=f"stage {number}",
            share=length,
            program=program,
            enter=drop if number > 1 else None,
            updates={} if rate == 1 else {"weights": replace(weights, schedule=Scaled(rate, weights.schedule))},
        )
        for number, (length, rate) in enumerate(zip(epochs, rates, strict=True), start=1)
    )
    return Recipe(name="pad_nas", program=phases, weights=weights)
