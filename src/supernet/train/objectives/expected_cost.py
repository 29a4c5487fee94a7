"""The expected cost of what a path weighs (SNAS, ProxylessNAS)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.measure import LatencyTable, cost_model
from supernet.measure.costs.expectation import ExpectedTerms
from supernet.measure.costs.tables import Term
from supernet.nn import Decisions, EdgeWeights, Mixture, Supernet
from supernet.train.move import Outcome
from supernet.train.parametrisations.option_logits import OptionLogits
from supernet.train.relaxations._protocol import Given
from supernet.train.step import Step
from supernet.train.values._protocol import Number, check_value, value_of

Cost: TypeAlias = Literal["macs", "params", "latency"]
Logarithm: TypeAlias = Literal["none", "whole", "choices"]

_known: WeakKeyDictionary[Supernet, dict[tuple[object, ...], ExpectedTerms]] = WeakKeyDictionary()


@dataclass(frozen=True)
class ExpectedCost:
    """E[cost], linear in how much each option counts, with a gradient to what that is computed from.

    SNAS: [arXiv 1812.09926](https://arxiv.org/abs/1812.09926), §2.4; ProxylessNAS:
    [arXiv 1812.00332](https://arxiv.org/abs/1812.00332), eq. 5.

    Args:
        cost: What is expected: `"macs"` of an image, `"params"`, or the `"latency"` of a table, in milliseconds.
        table: The file of a `measure.LatencyTable`, for `"latency"` alone.
        weight: The factor on it, which may change over time.
        logarithm: `"none"`; log E of the `"whole"` network; or `"choices"`, the sum of the logarithms of what each
            choice is expected to cost, where less than 1 counts as 1 (SNAS's code).
        of: What weighs the options: the `"decisions"` of the path; or the `"probabilities"` softmax(α) of a part. Of
            these, where the path computes some options alone, only their logits have a gradient, by which they share
            what they have together (ProxylessNAS).
        part: The part of the recipe that holds the logits, for `"probabilities"`.

    Raises:
        UsageError: an unknown word, a factor that is not finite, or a latency without a table.
    """

    cost: Cost = "macs"
    table: str | None = None
    weight: Number = 1.0
    logarithm: Logarithm = "none"
    of: Literal["decisions", "probabilities"] = "decisions"
    part: str = "architecture"

    def __post_init__(self) -> None:
        for what, given, words in (
            ("cost", self.cost, get_args(Cost)),
            ("logarithm", self.logarithm, get_args(Logarithm)),
            ("distribution", self.of, ("decisions", "probabilities")),
        ):
            if given not in words:
                raise UsageError(
                    f"The {what} of an expected cost is one of {', '.join(map(repr, words))}; got {given!r}."
                )
        check_value("The weight of the expected cost", self.weight)
        if (self.cost == "latency") != (self.table is not None):
            raise UsageError(
                f"An expected cost of {self.cost!r} was given the table {self.table!r}. Give the file of a "
                "measure.LatencyTable, as `supernet latency build` writes it, with cost='latency' and with no other."
            )
        if self.table is not None and not Path(self.table).is_file():
            raise UsageError(f"There is no latency table {self.table!r}. Make one with `supernet latency build`.")

    def chance(self, of_task: float) -> float | None:
        """None: a cost says nothing about classes."""
        return None

    def __call__(self, outcome: Outcome) -> Tensor:
        """The weighted expectation, a scalar."""
        return value_of(self.weight, outcome.step) * self.expectation(outcome)

    def expectation(self, outcome: Outcome) -> Tensor:
        """The expectation, or its logarithm, without the factor.

        Raises:
            UsageError: the path is none of a move, the table is of another network, or the costs have no expectation.
        """
        if outcome.path is None:
            raise UsageError("An expected cost is that of a path, but this outcome belongs to none.")
        target = outcome.path.decisions
        net = outcome.step.net
        decisions = (
            target if isinstance(target, Decisions) else Decisions(zip(net.space.names, target.code, strict=True))
        )
        if self.of == "probabilities":
            decisions = probabilities_of(outcome.step, self.part, decisions)
        weighed = {name for name, one in decisions.items() if isinstance(one, EdgeWeights) and name in net.space.names}
        found = self._terms(net, frozenset(weighed))(decisions)
        if self.logarithm == "choices":
            return torch.stack([value.clamp_min(1).log() for (_, names), value in found.items() if names]).sum().float()
        whole = torch.stack(list(found.values())).sum()
        return (whole.log() if self.logarithm == "whole" else whole).float()

    def _terms(self, net: Supernet, weighed: frozenset[str]) -> ExpectedTerms:
        known = _known.setdefault(net, {})
        key = (self.cost, self.table, net.input_shape, weighed)
        if key not in known:
            known[key] = ExpectedTerms(net.space, self._of(net), weighed)
        return known[key]

    def _of(self, net: Supernet) -> tuple[Term, ...]:
        if self.cost != "latency":
            return cost_model(net).terms(self.cost)
        assert self.table is not None
        return LatencyTable.read(self.table, net).terms


def probabilities_of(step: Step, part: str, decisions: Decisions) -> Decisions:
    """Decisions whose mixtures hold softmax(α) of a part, with a gradient to the logits of the options that run."""
    found = Decisions(decisions)
    for choice, logits in step.part(part, OptionLogits).named():
        mixture = decisions.get(choice.name)
        if not isinstance(mixture, Mixture):
            continue
        masked = Given(step, choice.name, part).masked(logits)
        if mixture.run is None:
            found[choice.name] = Mixture(masked.softmax(0))
            continue
        run = list(mixture.run)
        shares = masked.detach().softmax(0)
        within = masked[run].softmax(0) * shares[run].sum()
        found[choice.name] = Mixture(shares.index_put((torch.tensor(run, device=shares.device),), within))
    return found
