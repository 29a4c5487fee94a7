"""SGAS: Sequential Greedy Architecture Search (Li et al., CVPR 2020)."""

from __future__ import annotations

from typing import Literal

from supernet.methods.cells.darts import ARCHITECTURE, WEIGHTS
from supernet.paper import Paper
from supernet.train import (
    Bilevel,
    DecideAlong,
    DecideEdge,
    DecideRest,
    Edit,
    Recipe,
    RememberProbabilities,
    Updates,
)
from supernet.train.parametrisations.option_logits import option_logits

PAPER = Paper(
    name="SGAS",
    title="SGAS: Sequential Greedy Architecture Search",
    authors=("Li", "Qian", "Delgadillo", "Müller", "Thabet", "Ghanem"),
    venue="CVPR",
    year=2020,
    arxiv="1912.00195",
    provenance="official code",
)


def sgas(
    *,
    criterion: Literal[1, 2] = 1,
    warmup: float = 10,
    interval: float = 5,
    history: int = 4,
    growth: float = 8 / 64,
    none: tuple[str, ...] = ("none",),
    weights: Updates = WEIGHTS,
    architecture: Updates = ARCHITECTURE,
) -> Recipe:
    """SGAS: as in DARTS, but edge after edge is decided while the others go on learning.

    [arXiv 1912.00195](https://arxiv.org/abs/1912.00195), algorithm 1. After a warm-up the edge with the highest score
    in every kind of cell is decided for its strongest operation (`DecideEdge`), then again every `interval` epochs
    until all are. A node with two decided edges loses its others. A decided edge runs one operation alone, so batches
    grow. Defaults are those of the released code for CIFAR-10, where a space of 8 decisions takes 50 epochs of batches
    of 64 to 128 images. Split the training images in half (`validation=0.5`).

    Args:
        criterion: 1: importance and certainty of an edge; 2: also the stability of its selection.
        warmup: The epochs before the first decision.
        interval: The epochs after each decision.
        history: The epochs that the stability looks back.
        growth: What a decision adds to the batch, as a share of the batch of the training.
        none: The options that are no operation, see `DecideEdge`.
        weights: How the supernet's weights are stepped.
        architecture: How the architecture parameters α are stepped.
    """
    decide = DecideEdge(criterion=criterion, history=history, none=none)
    program = DecideAlong(program=Bilevel(), decide=decide, warmup=warmup, interval=interval, growth=growth)
    remember = Edit(name="remember probabilities", apply=RememberProbabilities(times=history), unit="epochs")
    return Recipe(
        name=f"sgas_{criterion}",
        program=program,
        weights=weights,
        parts={"architecture": option_logits(architecture)},
        edits=(remember,),
        derive=DecideRest(decide),
    )
