"""A warm-up, and then decision after decision along one training (SGAS)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from supernet.errors import UsageError
from supernet.space import Space
from supernet.train.edits.decide_edge import DecideEdge, decisions
from supernet.train.edits.project_inputs import check_nodes
from supernet.train.optimisers._protocol import check_number
from supernet.train.phases import Phase
from supernet.train.programs._protocol import Program


@dataclass(frozen=True, kw_only=True)
class DecideAlong:
    """Phases: a warm-up, and one after every decision. All are parts of one training, whose schedule goes on.

    [arXiv 1912.00195](https://arxiv.org/abs/1912.00195), algorithm 1. Schedules count epochs, of which there are fewer
    steps the larger the batch has become.

    Args:
        program: What trains the supernet.
        decide: What decides an edge of every kind of cell, at the beginning of all phases but the first.
        warmup: The epochs of the first phase.
        interval: The epochs of each other one.
        growth: What a decision adds to the batch, as a share of the batch of the training.

    Raises:
        UsageError: a number of epochs that is not positive, or batches that shrink.
    """

    program: Program
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
