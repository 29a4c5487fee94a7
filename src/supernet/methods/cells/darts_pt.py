"""DARTS-PT: Rethinking Architecture Selection in Differentiable NAS (Wang et al., ICLR 2021)."""

from __future__ import annotations

from typing import Literal

from supernet.methods.cells.darts import ARCHITECTURE, WEIGHTS
from supernet.paper import Paper
from supernet.train import Bilevel, Decided, Part, ProjectAlong, Recipe, Strongest, Updates, sgd
from supernet.train.parametrisations.option_logits import LogitPerOption

PAPER = Paper(
    name="DARTS-PT",
    title="Rethinking Architecture Selection in Differentiable NAS",
    authors=("Wang", "Cheng", "Chen", "Tang", "Hsieh"),
    venue="ICLR",
    year=2021,
    arxiv="2108.04392",
    provenance="official code",
)

TUNING = sgd(0.0025, weight_decay=3e-4, clip_norm=5.0)  # a tenth of the first learning rate, constant
NAS_BENCH_201_EPOCHS = 100.0


def darts_pt(
    *,
    fixed: bool = False,
    measure: Literal["error", "loss"] = "error",
    deletion: Literal["cumulative", "released"] = "cumulative",
    supernet_epochs: float = 50,
    interval: float = 5,
    weights: Updates = WEIGHTS,
    tuning: Updates = TUNING,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """DARTS-PT: DARTS trains the supernet, and options are kept without which its validation accuracy falls most.

    [arXiv 2108.04392](https://arxiv.org/abs/2108.04392), algorithm 1. After the supernet every choice of operations is
    decided in random order, one per kind of cell at a time (`ProjectOperations`), then the inputs of every node with
    more than two (`ProjectInputs`); in between the supernet is tuned, α too where it is still open. Defaults are the
    paper's and the released scripts': 50 epochs of DARTS, 5 epochs between projections and one after the last, on
    CIFAR-10 81 in all. On NAS-Bench-201 the supernet has `NAS_BENCH_201_EPOCHS`, and nodes keep all edges. Split the
    training images in half (`validation=0.5`).

    Args:
        fixed: Whether α never learns, so that all options weigh alike ("fixed α", the paper's `blank-PT`).
        measure: What falls when an option is left out, see `ProjectOperations`.
        deletion: Whether edges that were deleted stay away while others are rated, see `ProjectInputs`.
        supernet_epochs: The length of the supernet's training, relative to `interval`.
        interval: The epochs between two projections; there is one after the last.
        weights: How the supernet's weights are stepped before the projections.
        tuning: How they are stepped from the first projection on, where their optimiser starts anew.
        architecture: How the architecture parameters α are stepped.
    """
    program = ProjectAlong(
        program=Bilevel(begin=float(fixed)),
        measure=measure,
        deletion=deletion,
        supernet=supernet_epochs,
        interval=interval,
        tuning=tuning,
    )
    logits = Part(build=LogitPerOption(0.0 if fixed else 1e-3), updates=None if fixed else architecture)
    return Recipe(
        name="darts_pt_fixed" if fixed else "darts_pt",
        program=program,
        weights=weights,
        parts={"architecture": logits},
        derive=Decided(otherwise=Strongest()),
    )
