"""Cream of the Crop: Distilling Prioritized Paths for One-Shot NAS (Peng et al., NeurIPS 2020)."""

from __future__ import annotations

from supernet.paper import Paper
from supernet.train import (
    BestOnBoard,
    BoardOfPaths,
    CrossEntropy,
    LearnFromBoard,
    Linear,
    MatchesOutputs,
    Part,
    Recipe,
    Uniform,
    Updates,
    Weighted,
    sgd,
)
from supernet.train.programs.learn_from_board import Keeps, Pick

PAPER = Paper(
    name="Cream",
    title="Cream of the Crop: Distilling Prioritized Paths for One-Shot Neural Architecture Search",
    authors=("Peng", "Du", "Yu", "Li", "Liao", "Fu"),
    venue="NeurIPS",
    year=2020,
    arxiv="2010.15821",
    provenance="official code",
)

WEIGHTS = sgd(1.0, nesterov=True, weight_decay=1e-4, schedule=Linear(), per=1024, inactive="decay", decay_vectors=False)
MATCHING = sgd(1e-4, nesterov=True, schedule=Linear(), clip_norm=1.0)

PRIOR = (0.05, 0.2, 0.05, 0.5, 0.05, 0.15)
"""Over the blocks of `zoo.cream`: kernels of 3, 5 and 7, each with expansions of 4 and 6."""


def cream(
    *,
    prior: tuple[float, ...] | None = PRIOR,
    board: int = 10,
    gap: float = 0.05,
    begin: float = 0.175,
    every: int = 200,
    examples: int = 4,
    pick: Pick = "match",
    keeps: Keeps = "own",
    step_ahead: bool = False,
    label_smoothing: float = 0.1,
    weights: Updates = WEIGHTS,
    matching: Updates = MATCHING,
) -> Recipe:
    """Cream: paths learn from the ten best so far, as much as a small network says that a teacher suits them.

    [arXiv 2010.15821](https://arxiv.org/abs/2010.15821), §3, and released code. The best path on the board is the
    derived architecture; there is no search. The defaults are those of the released code for ImageNet, 120 epochs with
    batches of 1,024, where the paper does not say otherwise. The space is `zoo.cream`; others have no prior: give
    `prior=None`.

    Args:
        prior: The probabilities that options are drawn with, by their position; None: all alike, as the released code
            does in effect, which hands its prior over in the place of another argument.
        board: The largest number of paths on the board.
        gap: The accuracy on a training batch by which a path has to beat the last one on the board where it costs more.
        begin: The share of the training before the board is begun; the published one is 21 of 120 epochs.
        every: The number of steps from one move on the matching net to the next.
        examples: The images of a slice, on which outputs are compared and the matching net learns.
        pick: Whether the teacher is the path that suits best (`"match"`), or the best one on the board (`"best"`), with
            ρ = ½ and no matching net.
        keeps: Whether the board keeps a path's `"own"` outputs, or those of its `"teacher"`, as the released code.
        step_ahead: Whether the weights take the step, too, that the matching net looks ahead, as in the released code.
        label_smoothing: Share of the target of the cross-entropy that is spread evenly over the classes.
        weights: How the supernet's weights are stepped.
        matching: How the matching net is stepped; its gradient alone is clipped.

    Raises:
        UsageError: a setting outside its range.
    """
    program = LearnFromBoard(
        sampler=Uniform() if prior is None else Weighted(prior),
        objective=CrossEntropy(label_smoothing),
        begin=begin,
        every=every,
        examples=examples,
        pick=pick,
        keeps=keeps,
        step_ahead=step_ahead,
    )
    parts = {"board": Part(build=BoardOfPaths(size=board, gap=gap))}
    if pick == "match":
        parts["matching"] = Part(build=MatchesOutputs(examples=examples), updates=matching)
    return Recipe(name="cream", program=program, weights=weights, parts=parts, derive=BestOnBoard())
