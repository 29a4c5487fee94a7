"""A rule for the ways between blocks, and one for operations (DenseNAS)."""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from torch import Tensor

from supernet.nn import Mixture, Routes, Supernet
from supernet.train.relaxations._protocol import Given, Relaxation
from supernet.train.relaxations.sampled_softmax import SampledSoftmax
from supernet.train.relaxations.softmax import Softmax

_known: WeakKeyDictionary[Supernet, frozenset[str]] = WeakKeyDictionary()


@dataclass(frozen=True)
class RoutesAndOperations:
    """Mixtures of the ways out of a block by one rule, and mixtures of operations by another.

    Args:
        routes: The rule for the choices of the next block.
        operations: The rule for all others.
    """

    routes: Relaxation = field(default_factory=Softmax)
    operations: Relaxation = field(default_factory=SampledSoftmax)

    def mixture(self, logits: Tensor, given: Given) -> Mixture:
        """The mixture by the rule for this choice."""
        rule = self.routes if given.name in route_choices(given.step.net) else self.operations
        return rule.mixture(logits, given)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Those of the rule for operations."""
        return self.operations.probabilities(logits)


def route_choices(net: Supernet) -> frozenset[str]:
    """The names of the choices that say which block comes next."""
    if net not in _known:
        routes = (module for module in net.modules() if isinstance(module, Routes))
        _known[net] = frozenset(choice.name for one in routes for choice in one.depends_on())
    return _known[net]
