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

    An edge of a node weighs what all its sets of inputs with that edge weigh together (DOTS,
    [arXiv 2010.00969](https://arxiv.org/abs/2010.00969)).

    Args:
        operations: The rule for choices of operations.
        inputs: The rule for choices of inputs, whose options are sets of edges.
        divide: Whether the weight of a set is divided by the number of its edges, so that a node's edges weigh together
            what its sets do.
    """

    operations: Relaxation = field(default_factory=Softmax)
    inputs: Relaxation = field(default_factory=Softmax)
    divide: bool = False

    def mixture(self, logits: Tensor, given: Given) -> Mixture:
        """The mixture by the rule for this choice."""
        space = given.step.net.space
        choice = space.choices[space.column(given.name)] if given.name in space.names else None
        if choice is None or not chooses_inputs(choice):
            return self.operations.mixture(logits, given)
        found = self.inputs.mixture(logits, given)
        if not self.divide:
            return found
        sizes = [max(1, len(option)) if isinstance(option, tuple) else 1 for option in choice.options]
        return Mixture(found.weights / found.weights.new_tensor(sizes), found.run)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Those of the rule for operations."""
        return self.operations.probabilities(logits)
