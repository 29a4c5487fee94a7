"""The architectures derived after the best epochs of a supernet (DenseNAS)."""

from __future__ import annotations

from dataclasses import dataclass, field

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.context import Context
from supernet.train.derivations._protocol import Derivation
from supernet.train.derivations.likeliest_route import LikeliestRoute
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations._protocol import drawn
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.relaxations.softmax import Softmax

DERIVED = "derived after epochs"
"""The key of `Step.memory` under which they stand, the best first: errors, epochs and texts of architectures."""


@dataclass(frozen=True, kw_only=True)
class RememberDerived:
    """Rates the whole supernet after an epoch, and remembers what would be derived then, of the best epochs.

    The rating is the error on all validation images, of the mixture of all options, with the batch norm statistics of
    each batch (DenseNAS's code). Among equals the later epoch is the better one. Epochs are counted from 0.

    Args:
        begin: The share of the training, in [0, 1), from which on epochs are rated.
        keep: How many are remembered.
        relaxation: The rule by which logits become the mixture that is rated.
        derive: What would be derived.
        part: The part of the recipe that holds the logits.

    Raises:
        UsageError: a share outside its range, or nothing is to be remembered.
    """

    begin: float = 0.8
    keep: int = 2
    relaxation: Relaxation = field(default_factory=Softmax)
    derive: Derivation = field(default_factory=LikeliestRoute)
    part: str = "architecture"

    def __post_init__(self) -> None:
        check_number("The share of the training from which on epochs are rated", self.begin, at_least=0, below=1)
        if self.keep < 1:
            raise UsageError(f"The architectures of {self.keep} epochs were to be remembered; give at least 1.")

    def check(self, net: Supernet) -> None:
        self.derive.check(net)

    def __call__(self, context: Context) -> dict[str, float] | None:
        """Rate and remember, if it is time; for the log the error as `supernet/error`."""
        step = context.step
        epoch = step.index // step.steps_per_epoch
        if epoch * step.steps_per_epoch < self.begin * step.total:
            return None
        decisions = drawn(step, self.part, self.relaxation, "validation")
        error = step.rate([decisions], data="validation", images=None, measure="error")[0]
        known = context.memory.setdefault(DERIVED, [])
        place = sum(error > entry["error"] for entry in known)
        known.insert(place, {"error": error, "epoch": epoch, "derived": str(self.derive.derive(context))})
        del known[self.keep :]
        return {"supernet/error": error}
