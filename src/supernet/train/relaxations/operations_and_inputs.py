"""A rule for choices of operations, and one for those of inputs."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from supernet.nn import Mixture
from supernet.train.edits.cells import chooses_inputs
from supernet.train.relaxations._protocol import Given, Relaxation
from supernet.train.relaxations.softmax import Softmax


@dataclass(frozen=True)
class OperationsAndInputs:
    """Mixtures of operations by one rule and mixtures of the inputs of nodes by another.

    An edge of a node weighs what all its sets of inputs with that edge weigh together (DOTS, eq. 8).

    Args:
        operations: The rule for choices of operations.
        inputs: The rule for choices of inputs, whose options are sets of edges.
    """

    operations: Relaxation = field(default_factory=Softmax)
    inputs: Relaxation = field(default_factory=Softmax)

    def mixture(self, logits: Tensor, given: Given) -> Mixture:
        """The mixture by the rule for this choice."""
        space = given.step.net.space
        of_inputs = given.name in space.names and chooses_inputs(space.choices[space.column(given.name)])
        return (self.inputs if of_inputs else self.operations).mixture(logits, given)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Those of the rule for operations."""
        return self.operations.probabilities(logits)
