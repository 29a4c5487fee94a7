"""A loss that holds a client's own net near the server's (SPIDER, Ditto, FedProx)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from supernet.nn import Supernet
from supernet.train.forwards.own_net import own_net
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.terms import total
from supernet.train.optimisers._protocol import check_number


@dataclass(frozen=True, kw_only=True)
class NearReference:
    """Another loss + λ/2 · Σ ‖w − w_ref‖² over the parameters w that the path has used.

    Those of operations that are gone in the client's net, whatever the reference has in their place, are left out: they
    are not in the graph of the path. The reference has no gradient; in a federation it is the server's weights as they
    were when the round began.

    Args:
        objective: The other loss.
        pull: λ.
        part: The part that the path runs through, one net per client.
        reference: The part that holds the reference.

    Raises:
        UsageError: λ is negative or not finite.
    """

    objective: Objective = field(default_factory=CrossEntropy)
    pull: float = 0.01
    part: str = "personal"
    reference: str = "server"

    def __post_init__(self) -> None:
        check_number("The pull to the reference", self.pull, at_least=0)

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        """The two terms, `"task"` and `"near"`."""
        step = outcome.step
        own, reference = (step.part(name, Supernet) for name in (own_net(step, self.part), self.reference))
        found = self.objective(outcome)
        used = used_parameters(outcome.logits)
        anchors = dict(reference.named_parameters())
        distances = [
            (parameter - anchors[name].detach()).square().sum()
            for name, parameter in own.named_parameters()
            if parameter in used
        ]
        near = torch.stack(distances).sum() if distances else outcome.logits.new_zeros(())
        task = found if isinstance(found, Tensor) else total(found)
        return {"task": task, "near": self.pull / 2 * near}

    def alone(self) -> Objective:
        """The other loss: an architecture that is trained alone has no reference."""
        return self.objective


def used_parameters(tensor: Tensor) -> set[nn.Parameter]:
    """The parameters in the graph of a tensor: those that its gradient reaches.

    >>> one, other = nn.Linear(1, 1), nn.Linear(1, 1)
    >>> used_parameters(one(torch.ones(1, 1))) == set(one.parameters())
    True
    """
    return set(_leaves(tensor))


def _leaves(tensor: Tensor) -> Iterator[nn.Parameter]:
    waiting, seen = [tensor.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, nn.Parameter):
            yield leaf
        waiting.extend(following for following, _ in node.next_functions)
