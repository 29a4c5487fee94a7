"""SGAS: Sequential Greedy Architecture Search (Li et al., CVPR 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from supernet.errors import UsageError
from supernet.methods.cells.darts import ARCHITECTURE, WEIGHTS
from supernet.paper import Paper
from supernet.space import Space
from supernet.train import Bilevel, Decided, DecideEdge, Edit, Phase, Recipe, RememberProbabilities, Strongest, Updates
from supernet.train.edits.decide_edge import decisions
from supernet.train.edits.project_inputs import check_nodes
from supernet.train.optimisers._protocol import check_number
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
    program = DecideAlong(
        program=Bilevel(),
        decide=DecideEdge(criterion=criterion, history=history, none=none),
        warmup=warmup,
        interval=interval,
        growth=growth,
    )
    remember = Edit(name="remember probabilities", apply=RememberProbabilities(times=history), unit="epochs")
    return Recipe(
        name=f"sgas_{criterion}",
        program=program,
        weights=weights,
        parts={"architecture": option_logits(architecture)},
        edits=(remember,),
        derive=Decided(otherwise=Strongest()),
    )


@dataclass(frozen=True, kw_only=True)
class DecideAlong:
    """Phases: a warm-up, and one after every decision. All are parts of one training, whose schedule goes on.

    Schedules count epochs, of which there are fewer steps the larger the batch has become.

    Args:
        program: What trains the supernet.
        decide: What decides an edge of every kind of cell, at the beginning of all phases but the first.
        warmup: The epochs of the first phase.
        interval: The epochs of each other one.
        growth: What a decision adds to the batch, as a share of the batch of the training.

    Raises:
        UsageError: a number of epochs that is not positive, or batches that shrink.
    """

    program: Bilevel
    decide: DecideEdge
    warmup: float = 10
    interval: float = 5
    growth: float = 8 / 64

    def __post_init__(self) -> None:
        check_number("The epochs before the first decision", self.warmup, above=0)
        check_number("The epochs after a decision", self.interval, above=0)
        check_number("What a decision adds to the batch", self.growth, at_least=0)

    def phases(self, space: Space) -> tuple[Phase, ...]:
        """The phases on this space.

        Raises:
            UsageError: nothing can be decided, or not all sets of edges that a node could be left with are options.
        """
        check_nodes(space, self.decide.edges)
        number = decisions(space, self.decide.edges)
        if not number:
            raise UsageError("No choice of the space has several operations, so that no edge could be decided.")
        epochs = [self.warmup, *[self.interval] * number]
        ends = [end / sum(epochs) for end in accumulate(epochs)]
        return tuple(
            Phase(
                name="warm-up" if place == 0 else f"decision {place}",
                share=epochs[place] / (1 + self.growth * place),
                part=(0.0 if place == 0 else ends[place - 1], min(1.0, ends[place])),
                program=self.program,
                enter=self.decide if place else None,
                restart=place == 0,
                batch=1 + self.growth * place,
            )
            for place in range(number + 1)
        )
