"""A loss that also raises the entropy of codes (K-shot NAS)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from supernet.train.adapt.dictionary import dictionary_of
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.terms import as_terms
from supernet.train.optimisers._protocol import check_number


@dataclass(frozen=True)
class CodeEntropy:
    """A loss less the entropy of the path's code: L − λ H, against the collapse of codes onto one set of weights.

    Args:
        objective: The loss L.
        weight: λ, at least 0.
    """

    objective: Objective
    weight: float

    def __post_init__(self) -> None:
        check_number("The weight of the codes' entropy", self.weight, at_least=0)

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        assert outcome.path is not None
        net = outcome.step.net
        with net.active(outcome.path.decisions):
            entropy = dictionary_of(net).entropy()
        return {**as_terms(self.objective(outcome)), "entropy": -self.weight * entropy}
