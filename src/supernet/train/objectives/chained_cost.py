"""A loss and the logarithm of the cost of routes, chained from their end (DenseNAS)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.measure import LatencyTable, cost_model
from supernet.measure.costs.chained import ChainedTerms
from supernet.nn import Decisions, Supernet
from supernet.nn.routes import routes_of
from supernet.train.alone import alone
from supernet.train.move import Objective, Outcome
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.terms import total
from supernet.train.optimisers._protocol import check_number
from supernet.train.values._protocol import Number, check_value, value_of

_known: WeakKeyDictionary[Supernet, dict[tuple[object, ...], ChainedTerms]] = WeakKeyDictionary()

_SMALLEST = 1e-12
_MILLION = 1e6


@dataclass(frozen=True)
class ChainedCost:
    """L + λ log_τ(cost), where the cost is the expectation over all routes by the weights of the path's decisions.

    DenseNAS, [arXiv 1906.09607](https://arxiv.org/abs/1906.09607), §3.3 and eq. 10. A unit of the cost adds a constant
    to the loss and leaves its gradient as it is.

    Args:
        cost: What counts: the `"latency"` of a table, in milliseconds; `"macs"` of an image or `"params"`, in millions.
        table: The file of a `measure.LatencyTable`, for `"latency"` alone.
        weight: The factor λ, which may change over time (DenseNAS: 0.15; for ResNets 0.2).
        base: The base τ of the logarithm, above 1 (DenseNAS: 15; for ResNets 3500).
        skip_share: What an option costs that costs nothing, as a share of the first option of its choice (DenseNAS: 0;
            for ResNets 0.1).
        objective: The loss L.

    Raises:
        UsageError: an unknown cost, a latency without a table, a base that is not above 1, or a negative factor.
    """

    cost: Literal["macs", "params", "latency"] = "macs"
    table: str | None = None
    weight: Number = 0.15
    base: float = 15.0
    skip_share: float = 0.0
    objective: Objective = field(default_factory=CrossEntropy)

    def __post_init__(self) -> None:
        if self.cost not in ("macs", "params", "latency"):
            raise UsageError(f"The cost of routes is 'macs', 'params' or 'latency'; got {self.cost!r}.")
        if (self.cost == "latency") != (self.table is not None):
            raise UsageError(
                f"A cost of {self.cost!r} was given the table {self.table!r}. Give the file of a "
                "measure.LatencyTable, as `supernet latency build` writes it, with cost='latency' and with no other."
            )
        if self.table is not None and not Path(self.table).is_file():
            raise UsageError(f"There is no latency table {self.table!r}. Make one with `supernet latency build`.")
        check_value("The weight of the cost", self.weight, at_least=0)
        check_number("The base of the logarithm of the cost", self.base, above=1)
        check_number("The share that an option without cost is charged", self.skip_share, at_least=0)

    def chance(self, of_task: float) -> float | None:
        """None: it depends on the cost."""
        return None

    def alone(self) -> Objective:
        """The loss without a price."""
        return alone(self.objective)

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        """The loss, and the price as `cost/…`."""
        price = torch.log(self.expectation(outcome).clamp_min(_SMALLEST)) / math.log(self.base)
        weighted = value_of(self.weight, outcome.step) * price
        return {"loss": total(self.objective(outcome)), f"cost/{self.cost}": weighted.float().to(outcome.logits.device)}

    def expectation(self, outcome: Outcome) -> Tensor:
        """The expected cost, a scalar of float64.

        Raises:
            UsageError: the path is none of a move, the network has no routes, or its cost is no sum along them.
        """
        if outcome.path is None:
            raise UsageError("A cost of routes is that of a path, but this outcome belongs to none.")
        net, target = outcome.step.net, outcome.path.decisions
        decisions = (
            target if isinstance(target, Decisions) else Decisions(zip(net.space.names, target.code, strict=True))
        )
        scale = 1.0 if self.cost == "latency" else _MILLION
        return self._terms(net)(decisions) / scale

    def _terms(self, net: Supernet) -> ChainedTerms:
        known = _known.setdefault(net, {})
        key = (self.cost, self.table, net.input_shape, self.skip_share)
        if key not in known:
            if self.cost == "latency":
                assert self.table is not None
                terms = LatencyTable.read(self.table, net).terms
            else:
                terms = cost_model(net).terms(self.cost)
            known[key] = ChainedTerms(net.space, terms, routes_of(net).ways, skip_share=self.skip_share)
        return known[key]
