"""One choice after another is decided by what the supernet loses without an option, and tuned in between (DARTS-PT)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from supernet.space import Choice, Space
from supernet.train.edits.cells import by_cell, nodes_of, operations_of
from supernet.train.edits.project_inputs import ProjectInputs, check_nodes
from supernet.train.edits.project_operations import ProjectOperations
from supernet.train.optimisers._protocol import check_number
from supernet.train.phases import Phase
from supernet.train.programs.bilevel import Bilevel
from supernet.train.updates import Updates


@dataclass(frozen=True, kw_only=True)
class ProjectAlong:
    """Phases: the supernet; one for every projection of operations, one for every projection of inputs (DARTS-PT).

    A projection decides a choice of every kind of cell, so there are as many as the kind with most choices has.

    Args:
        program: What trains the supernet before the projections and tunes it after each; mixtures are its own.
        tuning: How the weights are stepped from the first projection on.
        measure: What falls when an option is left out.
        deletion: Whether edges that were deleted stay away while others are rated.
        supernet: The epochs before the first projection.
        interval: The epochs after each, but for one epoch after the last.
        edges: Number of edges that a node keeps.

    Raises:
        UsageError: a number of epochs that is not positive.
    """

    program: Bilevel
    tuning: Updates
    measure: Literal["error", "loss"] = "error"
    deletion: Literal["cumulative", "released"] = "cumulative"
    supernet: float = 50
    interval: float = 5
    edges: int = 2

    def __post_init__(self) -> None:
        check_number("The epochs of the supernet", self.supernet, above=0)
        check_number("The epochs between two projections", self.interval, above=0)
        self.projections(1, 1)

    def projections(self, operations: int, nodes: int) -> tuple[ProjectOperations | ProjectInputs, ...]:
        """The projections in their order, the first of which makes the optimiser of the weights start anew."""
        relaxation, part, measure = self.program.relaxation, self.program.part, self.measure
        project = ProjectOperations(measure=measure, relaxation=relaxation, part=part)
        inputs = ProjectInputs(
            deletion=self.deletion, edges=self.edges, measure=measure, relaxation=relaxation, part=part
        )
        return (
            *[replace(project, restart=("weights",))][:operations],
            *[project] * (operations - 1),
            *[inputs] * nodes,
        )

    def phases(self, space: Space) -> tuple[Phase, ...]:
        """The phases on this space.

        Raises:
            UsageError: a node cannot keep any set of so many edges.
        """
        check_nodes(space, self.edges)
        projections = self.projections(most_open(operations_of(space)), most_open(nodes_of(space)))
        supernet = Phase(name="supernet", share=self.supernet, program=self.program)
        return supernet, *(
            Phase(
                name=f"projection {number}",
                share=self.interval if number < len(projections) else 1,
                program=self.program,
                enter=project,
                restart=False,
                updates={"weights": self.tuning},
            )
            for number, project in enumerate(projections, start=1)
        )


def most_open(choices: tuple[Choice, ...]) -> int:
    """The largest number of choices with several options that a kind of cell has."""
    return max(map(len, by_cell(choice.name for choice in choices if len(choice) > 1).values()), default=0)
