"""A node that sums its incoming edges, or those of them that a choice selects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.members import Shares, heard, is_silent, shares, total, weighted_sum
from supernet.nn.mutable import Mutable
from supernet.space import Choice
from supernet.space.conditions import Chosen, Conditions


class InputChoice(nn.Module, Mutable):
    """A node: the sum of edges, each of which runs on one of the states before it; a choice selects the edges.

    Takes as many states as there are edges, (B, C, H, W) each where edges keep the shape, and returns their sum.

    The decision is an index (the edges of that option run and the others cost nothing), a `Mixture` over the options
    or a subset of them (an edge weighs what all options with it weigh together; DOTS, arXiv 2006.09902), or
    `EdgeWeights` (each edge has a weight of its own; PC-DARTS, arXiv 1907.05737, eq. 4). Edges that are `silent`,
    such as those that run `Zero`, are left out of the sum.

    Args:
        choice: A `Choice` whose options are tuples of positions in `edges`; None: all edges, always.
        edges: What runs on each state.
        name: Without a choice, a name under which `EdgeWeights` may still weigh the edges; nodes of the same name
            are weighed alike.
        registered: Whether the edges belong to this module. False where the network around it holds them under names
            of its own; only without a choice.
        empty: What makes the zeros (B, C, H, W) of a node without edges from the first state, such as `Zero`; None: at
            least one edge has to run.

    Raises:
        UsageError: no edge, an option that is no tuple of distinct positions of edges, or a name or foreign edges
            beside a choice.

    >>> import torch
    >>> from supernet import Supernet
    >>> net = Supernet(InputChoice(Choice("inputs", ((0,), (0, 1))), [nn.Identity(), nn.ReLU()]))
    >>> net([torch.ones(1), -torch.ones(1)], {"inputs": (0, 1)})
    tensor([1.])
    """

    mixes = True

    def __init__(
        self,
        choice: Choice | None,
        edges: Sequence[nn.Module],
        *,
        name: str | None = None,
        registered: bool = True,
        empty: nn.Module | None = None,
    ) -> None:
        super().__init__()
        edges = tuple(edges)
        if not edges:
            raise UsageError(f"The node {name or choice} has no edge, and a sum of nothing has no shape.")
        if choice is not None and (name is not None or not registered):
            raise UsageError(
                f"The node was given the choice {choice.name!r} and {'a name' if name else 'edges held elsewhere'}. "
                "A node with a choice has its name, and owns the edges that may not run."
            )
        for option in () if choice is None else choice.options:
            if not isinstance(option, tuple) or not _are_positions(option, len(edges)):
                raise UsageError(
                    f"The option {option!r} of the choice {cast(Choice, choice).name!r} is no tuple of distinct "
                    f"positions of edges, from 0 to {len(edges) - 1}. Make the options with space.subsets(range(n))."
                )
        self.choice, self.name = choice, name if choice is None else choice.name
        self._options = () if choice is None else cast("tuple[tuple[int, ...], ...]", choice.options)
        self.edges: Sequence[nn.Module] = cast("Sequence[nn.Module]", nn.ModuleList(edges)) if registered else edges
        self.empty = empty

    def members_of(self, option: int | None) -> tuple[int, ...]:
        """The edges of the option with this index; None: all of them."""
        return tuple(range(len(self.edges))) if option is None else self._options[option]

    def _shares(self) -> Shares:
        if self.choice is not None:
            return shares(self.selection.decision(self.choice), self._options, len(self.edges))
        weights = None if self.name is None else self.selection.edge_weights(self.name)
        return Shares(tuple(range(len(self.edges)))) if weights is None else shares(weights, (), len(self.edges))

    @property
    def silent(self) -> bool:
        """Whether no edge runs, so that a sum may leave this node out."""
        return not self._shares().run

    @property
    def is_zero(self) -> bool:
        """Whether every edge that runs is silent, so that the node is zero; where shapes stay, none need run for it."""
        return all(is_silent(self.edges[edge]) for edge in self._shares().run)

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        run, weights, numbers = self._shares()
        if not run and self.empty is not None:
            return cast(Tensor, self.empty(states[0]))
        if not run:
            raise UsageError(
                f"No edge of the node {self.name!r} runs, and a sum of nothing has no shape. Decide for at least one "
                "edge, or leave the node out of the sum around it where it is `silent`."
            )
        chosen = heard(run, self.edges)
        return weighted_sum([self.edges[edge](states[edge]) for edge in chosen], chosen, weights, numbers)

    def depends_on(self) -> tuple[Choice, ...]:
        return () if self.choice is None else (self.choice,)

    def runs(self) -> dict[str, Conditions]:
        if self.choice is None:
            return {}
        found: dict[str, Conditions] = {}
        for edge in range(len(self.edges)):
            indices = tuple(index for index, option in enumerate(self._options) if edge in option)
            found[f"edges.{edge}"] = () if len(indices) == len(self._options) else (Chosen(self.choice, indices),)
        return found

    def nodes(self) -> dict[str, int]:
        return {} if self.name is None else {self.name: len(self.edges)}

    def plain(self) -> nn.Module:
        """The sum of the edges that run; their own layers are made plain by `Supernet.extract`. Of none: `silent`."""
        chosen = range(len(self.edges)) if self.choice is None else self.selection.option(self.choice)
        if not chosen and self.empty is not None:
            return _Empty(self.empty)
        if not chosen:
            nothing = nn.Identity()
            vars(nothing)["silent"] = True  # the network around it leaves it out, as it did the node
            return nothing
        return _SumOfEdges(chosen, [self.edges[edge] for edge in chosen])

    def extra_repr(self) -> str:
        return f"{self.name}, {len(self.edges)} edges"


class _SumOfEdges(nn.Module):
    """The sum of edges on some of the states."""

    def __init__(self, sources: Sequence[int], edges: Sequence[nn.Module]) -> None:
        super().__init__()
        self.sources, self.edges = tuple(sources), nn.ModuleList(edges)

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        edges = list(self.edges)
        return total([edges[place](states[self.sources[place]]) for place in heard(range(len(edges)), edges)])


class _Empty(nn.Module):
    """What a node without edges is."""

    silent = True

    def __init__(self, zeros: nn.Module) -> None:
        super().__init__()
        self.zeros = zeros

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        return cast(Tensor, self.zeros(states[0]))


def _are_positions(option: tuple[object, ...], count: int) -> bool:
    inside = all(isinstance(edge, int) and not isinstance(edge, bool) and 0 <= edge < count for edge in option)
    return inside and len(set(option)) == len(option)
