"""The edge whose operation is surest is decided, one after another (SGAS)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from supernet.errors import RunError, UsageError
from supernet.nn import Supernet
from supernet.space import Choice, Space
from supernet.train.context import Context
from supernet.train.derivations.strongest import operations_of_edges
from supernet.train.edits.cells import by_cell, edges_of, nodes_of, operations_of
from supernet.train.edits.remember_probabilities import remembered
from supernet.train.parametrisations._protocol import weighed
from supernet.train.parametrisations.operation_choices import operation_choices
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.relaxations.softmax import Softmax

_ROUNDING = 1e-6  # of sums of float32 probabilities: without it what is left of it would go from 0 to 1


@dataclass(frozen=True, kw_only=True)
class DecideEdge:
    """Decides the choice of operations with the highest score in every kind of cell.

    [arXiv 1912.00195](https://arxiv.org/abs/1912.00195). With p = softmax(α) of an edge, p̃ the same over the
    operations alone (without `none`) and n of them, the score is the product of

    - the edge's importance Σ p over operations,
    - the certainty of the selection 1 − H(p̃) / log n, and
    - by criterion 2, its stability, the mean over the last epochs of Σ min(p̃ then, p̃ now),

    each scaled so that it goes from 0 to 1 over all edges of the kind of cell, decided ones too. One of which all edges
    have as much tells none apart and counts 1. The edge's strongest operation is decided. Once `edges` edges of a node
    are, it keeps these.

    Args:
        criterion: 1 leaves the stability out, 2 does not.
        history: Number of epochs whose probabilities the present ones are compared with, see `RememberProbabilities`.
        none: Options that are no operation: they make no edge strong and are not decided.
        edges: Number of edges that a node keeps; fewer where it has fewer.
        relaxation: The rule by which logits become probabilities.
        part: The part of the recipe that holds the logits.
    """

    criterion: Literal[1, 2] = 1
    history: int = 4
    none: tuple[str, ...] = ("none",)
    edges: int = 2
    relaxation: Relaxation = field(default_factory=Softmax)
    part: str = "architecture"

    def __post_init__(self) -> None:
        if self.criterion not in (1, 2):
            raise UsageError(f"The criterion by which edges are decided is 1 or 2; got {self.criterion!r}.")
        if not all(isinstance(number, int) and number >= 1 for number in (self.history, self.edges)):
            raise UsageError(
                f"Edges were to be compared with {self.history} epochs, and nodes to keep {self.edges} of them; give "
                "a whole number of at least 1 for each."
            )

    def check(self, net: Supernet) -> None:
        """Raise a UsageError, before any training, for a choice of a supernet that has no operation."""
        for choice in operation_choices(net):
            self._require_operations(choice)

    def __call__(self, context: Context) -> None:
        """Decide, at the beginning of a phase."""
        choices = {choice.name: choice for choice in operation_choices(context.net)}
        closed = self._left_out(context)
        for names in by_cell(choices).values():
            still_open = [name for name in names if context.restriction.decided(name) is None and name not in closed]
            if not still_open:
                continue
            scores = self.scores(context, [choices[name] for name in names])
            best = max(still_open, key=scores.__getitem__)
            p = self._operations(choices[best], weighed(context.parts, self.part, self.relaxation))
            allowed = context.restriction.allowed(best)
            order = sorted(p, key=lambda option: -p[option])
            left = [option for option in order if choices[best].position(option) in allowed]
            context.restriction.decide(best, (left or order)[0])
        self._keep_decided(context)

    def scores(self, context: Context, choices: Sequence[Choice]) -> dict[str, float]:
        """The score of every choice of a kind of cell, in [0, 1], whether it is decided or not.

        Raises:
            RunError: a probability is not finite.
        """
        now = weighed(context.parts, self.part, self.relaxation)
        broken = [choice.name for choice in choices if not torch.isfinite(now[choice.name]).all()]
        if broken:
            raise RunError(
                f"The probabilities of the options of {broken[0]!r} are {now[broken[0]].tolist()} after step "
                f"{context.step.done}, so no edge is surest. Lower the learning rate of the architecture."
            )
        p = {choice.name: self._operations(choice, now) for choice in choices}
        factors = [[sum(of.values()) for of in p.values()], [certainty(list(of.values())) for of in p.values()]]
        if self.criterion == 2:
            past = remembered(context, self.history)
            then = [{c.name: self._operations(c, _tensors(entry)) for c in choices} for entry in past]
            factors.append([_stability(p[name], [entry[name] for entry in then]) for name in p])
        products = [math.prod(each) for each in zip(*map(scaled, factors), strict=True)]
        return dict(zip(p, products, strict=True))

    def _operations(self, choice: Choice, p: Mapping[str, Tensor]) -> dict[str, float]:
        """The probabilities of the operations of a choice, by option."""
        self._require_operations(choice)
        of = dict(zip(choice.options, p[choice.name].tolist(), strict=True))
        return {str(option): value for option, value in of.items() if option not in self.none}

    def _require_operations(self, choice: Choice) -> None:
        if all(option in self.none for option in choice.options):
            raise UsageError(f"Every option of {choice.name!r} is no operation: {self.none}. Leave one.")

    def _left_out(self, context: Context) -> set[str]:
        """The choices on edges that their node, which is decided, does not keep."""
        found: set[str] = set()
        for name, operations in operations_of_edges(context.net).items():
            allowed = context.restriction.space.allowed(name)
            kept = {edge for option in allowed if isinstance(option, tuple) for edge in option}
            found |= {op.name for edge, of in enumerate(operations) if edge not in kept for op in of}
        return found

    def _keep_decided(self, context: Context) -> None:
        """Decide the nodes that have as many decided edges as they keep."""
        for name, operations in operations_of_edges(context.net).items():
            decided = [
                edge
                for edge, of in enumerate(operations)
                if of and all(context.restriction.decided(op.name) is not None for op in of)
            ]
            if context.restriction.decided(name) is None and len(decided) >= min(self.edges, len(operations)):
                options = context.restriction.space.allowed(name)
                context.restriction.decide(
                    name, next(o for o in options if isinstance(o, tuple) and set(o) == set(decided))
                )


def decisions(space: Space, edges: int) -> int:
    """The number of decisions after which nothing is open, in the kind of cell that needs most.

    >>> from supernet.space import subsets
    >>> inputs = Choice("cell.3", subsets(range(3), at_least=2, at_most=2))
    >>> ops = [Choice(f"cell.3<-{i}", ("skip", "conv"), when=inputs.is_in(inputs.options[:2])) for i in range(3)]
    >>> decisions(Space([inputs, *ops]), 2)
    2
    """
    nodes = {node.name: node for node in nodes_of(space)}
    kept: dict[str, int] = {}
    for choice in operations_of(space):
        if len(choice) > 1:
            gates = [] if choice.when is None else [gate.name for gate in choice.when.choices() if gate.name in nodes]
            place = gates[0] if gates else choice.name
            kept[place] = kept.get(place, 0) + 1
    for name in kept.keys() & nodes.keys():
        kept[name] = min(kept[name], edges, len(edges_of(nodes[name])))
    return max((sum(kept[name] for name in names) for names in by_cell(kept).values()), default=0)


def certainty(p: Sequence[float]) -> float:
    """1 − H / log n of n probabilities that are made to add up to 1; of one alone 1.

    >>> certainty([0.25, 0.25]), certainty([0.3, 0.0])
    (0.0, 1.0)
    """
    total = sum(p)
    entropy = -sum(value / total * math.log(value / total) for value in p if value > 0)
    return 1 - entropy / math.log(len(p)) if len(p) > 1 else 1.0


def intersection(one: Sequence[float], other: Sequence[float]) -> float:
    """What two histograms have in common when each is made to add up to 1, Σ min.

    >>> intersection([1.0, 1.0], [3.0, 1.0])
    0.75
    """
    return sum(min(a / sum(one), b / sum(other)) for a, b in zip(one, other, strict=True))


def scaled(values: Sequence[float]) -> list[float]:
    """Values from 0 for the smallest to 1 for the largest; all 1 where they are the same but for rounding.

    >>> scaled([2.0, 3.0, 4.0]), scaled([2.0, 2.0])
    ([0.0, 0.5, 1.0], [1.0, 1.0])
    """
    least, most = min(values), max(values)
    return [(value - least) / (most - least) if most - least > _ROUNDING else 1.0 for value in values]


def _stability(p: Mapping[str, float], past: Sequence[Mapping[str, float]]) -> float:
    """The mean over the past; 1 where there is none, so that it tells nothing apart."""
    common = [intersection(list(p.values()), list(then.values())) for then in past]
    return sum(common) / len(common) if common else 1.0


def _tensors(entry: Mapping[str, Sequence[float]]) -> dict[str, Tensor]:
    return {name: torch.tensor(values) for name, values in entry.items()}
