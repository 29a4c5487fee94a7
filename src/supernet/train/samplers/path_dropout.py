"""Path dropout (One-Shot)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.nn import Decisions, Supernet
from supernet.train.parametrisations.operation_choices import operation_choices, require_operations_only
from supernet.train.samplers.draws import Draws
from supernet.train.step import Step


@dataclass(frozen=True)
class PathDropout:
    """All candidates of every choice block at once, each dropped at random (Bender et al. 2018, §3.2).

    [PMLR 80](https://proceedings.mlr.press/v80/bender18a.html).

    With k candidates each is dropped with probability r^(1/k), so that the whole block is dropped with
    probability r whatever k is; one candidate drawn at random survives in that case. The rate r rises
    linearly from 0 to `rate`.

    Args:
        rate: Final r in [0, 1). The paper states the rule; its value is a reconstruction.
        ramp: Share of the training over which r rises; the paper ramps over all of it.
    """

    rate: float = 0.05
    ramp: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise UsageError(f"The path dropout rate is {self.rate}; it must lie in [0, 1).")
        if not 0 < self.ramp <= 1:
            raise UsageError(f"The ramp is a share of the training in (0, 1]; got {self.ramp}.")

    def drop_probability(self, progress: float, candidates: int) -> float:
        """Probability that one of `candidates` paths is dropped when `progress` of the training is done."""
        r = self.rate * min(1.0, progress / self.ramp)
        return float(r ** (1 / candidates)) if r > 0 else 0.0

    @property
    def draws(self) -> Draws:
        return "mixtures"

    def check(self, net: Supernet) -> None:
        require_operations_only(net, "Path dropout")

    def paths(self, step: Step) -> Sequence[Decisions]:
        decisions = Decisions()
        for choice in operation_choices(step.net):
            allowed = step.space.allowed_codes[step.space.column(choice.name)]
            k = len(allowed)
            kept = allowed[step.rng.random(k) >= self.drop_probability(step.progress, k)]
            survivor = int(allowed[step.rng.integers(k)])
            decisions[choice.name] = tuple(kept.tolist()) or (survivor,)
        return [decisions]
