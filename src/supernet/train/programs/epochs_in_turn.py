"""An epoch of the architecture through pairs of operations, then one of the weights through single ones (DenseNAS)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from supernet.nn import Decisions, Mixture, Supernet
from supernet.train.context import Edit, Moves
from supernet.train.edits.keep_shares import KeepShares
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.optimisers._protocol import check_number
from supernet.train.parametrisations._protocol import are_open, drawn, weighed
from supernet.train.parametrisations.operation_choices import require_operations_only
from supernet.train.parametrisations.option_logits import OptionLogits
from supernet.train.relaxations._protocol import Given, Relaxation
from supernet.train.relaxations.routes_and_operations import RoutesAndOperations, route_choices
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class EpochsInTurn:
    """Epochs of moves on the architecture and on the weights take turns, the architecture first (DenseNAS, §3.4).

    [arXiv 1906.09607](https://arxiv.org/abs/1906.09607). All blocks run, by the weights of the ways between them, in
    both. The weights learn through one operation per choice: drawn uniformly at first, and by softmax(α) once the
    architecture learns too. The architecture's epoch is carried out before the first move of the weights' epoch; where
    its mixture computes some of the options, the others keep their probabilities, see `KeepShares`.

    Args:
        relaxation: The rule by which the architecture's path is mixed, and by whose `routes` the weights' ways are.
        objective: The loss of the weights.
        architecture_objective: The loss of the architecture; None: the same.
        begin: Share of the training, in [0, 1], in which only the weights learn; the architecture's first epoch is
            that of the next epoch that begins.
        share: The moves in an epoch of the architecture as a share of those of the weights: ¼ is an epoch of
            validation images where these are a fifth of all.
        part: The part of the recipe that holds the logits.

    Raises:
        UsageError: a share outside its range.
    """

    relaxation: RoutesAndOperations = field(default_factory=RoutesAndOperations)
    objective: Objective = field(default_factory=CrossEntropy)
    architecture_objective: Objective | None = None
    begin: float = 1 / 3
    share: float = 0.25
    part: str = "architecture"

    def __post_init__(self) -> None:
        check_number("The share in which only the weights learn", self.begin, at_least=0, at_most=1)
        check_number("The moves on the architecture per move on the weights", self.share, above=0)

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.part,) if self.begin < 1 else ()

    def check(self, net: Supernet) -> None:
        require_operations_only(net, "A method that weighs routes and operations")

    def probabilities(self, parts: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """How often each option is drawn, by choice name (O,)."""
        return weighed(parts, self.part, self.relaxation)

    def moves(self, step: Step) -> Moves:
        period = min(step.steps_per_epoch, step.total)
        first = step.index % period == 0
        searching = step.index - step.index % period >= self.begin * step.total
        if searching and first:
            for number in range(max(1, round(self.share * period))):
                decisions = drawn(step, self.part, self.relaxation, f"{self.part} {number}")
                if not are_open(decisions):
                    break
                keep = KeepShares.of(self._operations(step, decisions), step.part(self.part, OptionLogits), self.part)
                path = Path(decisions, self.architecture_objective or self.objective)
                yield Move(updates=self.part, data="validation", paths=[path], fresh=number > 0)
                yield Edit(name="shares of options that did not run", apply=keep)
        yield Move(paths=[Path(self._one_operation_each(step, uniform=not searching), self.objective)])

    def _operations(self, step: Step, decisions: Decisions) -> Decisions:
        routes = route_choices(step.net)
        return Decisions({name: decision for name, decision in decisions.items() if name not in routes})

    def _one_operation_each(self, step: Step, *, uniform: bool) -> Decisions:
        """Of every choice one operation; of the ways out of each block all, without a gradient to their weights."""
        routes, found = route_choices(step.net), Decisions()
        rule: Relaxation = self.relaxation.routes
        for choice, logits in step.part(self.part, OptionLogits).named():
            given = Given(step, choice.name, "weights")
            if choice.name in routes:
                mixture = rule.mixture(logits.detach(), given)
                found[choice.name] = Mixture(mixture.weights, mixture.run)
                continue
            allowed = range(len(choice)) if given.allowed is None else given.allowed
            p = given.masked(logits.detach()).double().softmax(0).cpu().numpy()[list(allowed)]
            found[choice.name] = int(step.rng.choice(list(allowed), p=None if uniform else p / p.sum()))
        return found
