"""The operations that feed each node, which sparse methods select from together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Decision, EdgeWeights, InputChoice, Mixture, OpChoice, SubsetChoice, Supernet
from supernet.nn.members import is_silent
from supernet.space import Choice, Option
from supernet.space.restriction import Restriction
from supernet.train.parametrisations.operation_choices import require_mixable


@dataclass(frozen=True)
class EdgeOperations:
    """The operations of one edge.

    Attributes:
        choice: What decides them.
        count: M, the number of members.
        open: The members that can carry something, ascending; others are silent, such as `none`.
        options: The members of each option of the choice.
        several: Whether a set of members may run at once.
    """

    choice: Choice
    count: int
    open: tuple[int, ...]
    options: tuple[tuple[int, ...], ...]
    several: bool

    @property
    def nothing(self) -> int | None:
        """The position of the option with nothing to hear; None: there is none."""
        silent = (index for index, members in enumerate(self.options) if not set(members) & set(self.open))
        return next(silent, None)

    def position(self, members: Sequence[int]) -> int | None:
        """The position of the option of these members; None: there is none."""
        if not members:
            return self.nothing
        fits = (index for index, option in enumerate(self.options) if sorted(option) == sorted(members))
        return next(fits, None)

    def decision(self, weights: Tensor, run: Sequence[int]) -> Decision:
        """The decision that weighs members by `weights` (M,) and computes those in `run`."""
        kind = EdgeWeights if self.several else Mixture
        return kind(weights, tuple(run))

    def probabilities(self, strengths: Tensor) -> Tensor:
        """How strongly each option is taken (O,), by the strengths (M,) of the members: a distribution."""
        shares = strengths.abs().detach()
        if self.several or not bool(shares.sum() > 0):
            taken = self.position(shares.nonzero().flatten().tolist())
            found = shares.new_zeros(len(self.options))
            return found + 1 / len(found) if taken is None else found.index_fill(0, torch.tensor(taken), 1.0)
        return shares / shares.sum()


@dataclass(frozen=True)
class NodeOperations:
    """A node, or a choice block that stands alone.

    Attributes:
        name: The name under which its edges are weighed; that of the choice for a block that stands alone.
        inputs: What decides the edges; None: all run, as far as they carry something.
        edges: The operations of each edge.
        summed: Whether edges are weighed under the name.
    """

    name: str
    inputs: Choice | None
    edges: tuple[EdgeOperations, ...]
    summed: bool

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """N places (edge, member) that can carry something, edge after edge."""
        return tuple((number, member) for number, edge in enumerate(self.edges) for member in edge.open)

    def strongest(self, strengths: Sequence[float], most: int, allowed: Sequence[bool] | None = None) -> list[int]:
        """The positions in `places` of the strongest, ascending; one per edge where an edge runs one operation.

        Of equal ones the first is taken.

        Args:
            strengths: (N,) numbers whose size is the strength.
            most: The number of places to take.
            allowed: (N,) whether each may be taken; None: all may.
        """
        places, taken = self.places, list[int]()
        for place in sorted(range(len(places)), key=lambda place: -abs(strengths[place])):
            number = places[place][0]
            occupied = not self.edges[number].several and number in {places[other][0] for other in taken}
            if len(taken) < most and not occupied and (allowed is None or allowed[place]):
                taken.append(place)
        return sorted(taken)

    def per_edge(self, values: Tensor) -> Iterator[Tensor]:
        """Values (M,) of every edge from values (N,) of the places; silent members have 0."""
        start = 0
        for edge in self.edges:
            mine = values[start : start + len(edge.open)]
            start += len(edge.open)
            yield values.new_zeros(edge.count).index_put((torch.tensor(edge.open, device=values.device),), mine)

    def decisions(self, values: Tensor, taken: Sequence[int]) -> dict[str, Decision]:
        """Decisions by which the places in `taken` are computed, weighed by `values` (N,), and nothing else is."""
        of = [[self.places[place][1] for place in taken if self.places[place][0] == n] for n in range(len(self.edges))]
        found: dict[str, Decision] = {}
        for edge, weights, run in zip(self.edges, self.per_edge(values), of, strict=True):
            found[edge.choice.name] = edge.decision(weights, run)
        if self.summed:
            ones = torch.tensor([float(bool(run)) for run in of], device=values.device)
            found[self.name] = EdgeWeights(ones, tuple(number for number, run in enumerate(of) if run))
        return found

    def options(self, taken: Sequence[int]) -> dict[str, Option]:
        """The options by choice name that keep exactly the places in `taken`; edges that are not kept are left out.

        Raises:
            UsageError: no option of some choice does.
        """
        of = [[self.places[place][1] for place in taken if self.places[place][0] == n] for n in range(len(self.edges))]
        found: dict[str, Option] = {}
        if self.inputs is not None:
            kept = tuple(number for number, members in enumerate(of) if members)
            if kept not in self.inputs.options:
                raise UsageError(
                    f"The node {self.name!r} was to keep the edges {kept}, but its choice has no such option: "
                    f"{list(self.inputs.options[:6])}. Use a space of other inputs, such as zoo.darts(inputs='subsets')"
                    ", or keep another number of operations."
                )
            found[self.inputs.name] = kept
        for edge, members in zip(self.edges, of, strict=True):
            if members or self.inputs is None:
                position = edge.position(members)
                if position is None:
                    raise UsageError(
                        f"The edge {edge.choice.name!r} was to run {len(members)} operations, but its choice has no "
                        f"such option: {list(edge.choice.options[:6])}. Let nodes choose their inputs, give edges the "
                        "option 'none', or keep as many operations as the node has edges."
                    )
                found[edge.choice.name] = edge.choice.options[position]
        return found

    def decided(self, restriction: Restriction) -> list[int] | None:
        """The places that are left once the restriction has decided the node; None: something is open."""
        kept: Sequence[int] = range(len(self.edges))
        if self.inputs is not None:
            position = restriction.decided(self.inputs.name)
            if position is None:
                return None
            kept = self.inputs.options[position]  # type: ignore[assignment]
        members: set[tuple[int, int]] = set()
        for number in kept:
            position = restriction.decided(self.edges[number].choice.name)
            if position is None:
                return None
            members |= {(number, member) for member in self.edges[number].options[position]}
        return [place for place, where in enumerate(self.places) if where in members]

    def allowed(self, restriction: Restriction) -> list[bool]:
        """(N,) whether each place is in some option that is allowed."""
        edges = set(range(len(self.edges)))
        if self.inputs is not None:
            of = [self.inputs.options[position] for position in restriction.allowed(self.inputs.name)]
            edges = {edge for option in of if isinstance(option, tuple) for edge in option if isinstance(edge, int)}
        members = [
            {m for position in restriction.allowed(edge.choice.name) for m in edge.options[position]}
            for edge in self.edges
        ]
        return [number in edges and member in members[number] for number, member in self.places]


def nodes_of_operations(net: Supernet, rule: str) -> tuple[NodeOperations, ...]:
    """The nodes of a supernet with what feeds them, each once, and the choice blocks that stand alone.

    Args:
        net: The supernet.
        rule: What needs them, for errors.

    Raises:
        UsageError: some choice picks neither an operation nor the inputs of a node, or an edge does not have one choice
            of operations.
    """
    require_mixable(net, rule, sets=True)
    found: dict[str, NodeOperations] = {}
    inside: set[str] = set()
    for node in net.modules():
        if not isinstance(node, InputChoice) or node.name is None:
            continue
        blocks = [[m for m in edge.modules() if isinstance(m, OpChoice | SubsetChoice)] for edge in node.edges]
        for number, mine in enumerate(blocks):
            if len({block.choice.name for block in mine}) != 1:
                raise UsageError(
                    f"{rule} selects among operations with one choice on every edge, but edge {number} of the node "
                    f"{node.name!r} has {len(mine)} choices. Use a space of cells such as zoo.darts."
                )
        inside |= {block.choice.name for mine in blocks for block in mine}
        edges = tuple(_edge(mine[0]) for mine in blocks)
        found.setdefault(node.name, NodeOperations(node.name, node.choice, edges, summed=True))
    for block in net.modules():
        if isinstance(block, OpChoice | SubsetChoice) and block.choice.name not in inside | found.keys():
            found[block.choice.name] = NodeOperations(block.choice.name, None, (_edge(block),), summed=False)
    if not found:
        raise UsageError(
            f"{rule} selects among operations, but the supernet has no choice. Use a space such as zoo.darts."
        )
    return tuple(found.values())


def blocks_of(net: Supernet, edge: EdgeOperations) -> list[Mapping[int, nn.Module]]:
    """The modules of an edge's members, by number, once for every cell that has the edge."""
    blocks = (m for m in net.modules() if isinstance(m, OpChoice | SubsetChoice))
    return [dict(enumerate(_members(block))) for block in blocks if block.choice.name == edge.choice.name]


def _members(block: OpChoice | SubsetChoice) -> list[nn.Module]:
    if isinstance(block, SubsetChoice):
        return list(block.members.values())
    return [block.candidate(index) for index in range(len(block.choice))]


def _edge(block: OpChoice | SubsetChoice) -> EdgeOperations:
    members = _members(block)
    several = isinstance(block, SubsetChoice)
    options = tuple(block.members_of(o) if isinstance(block, SubsetChoice) else (o,) for o in range(len(block.choice)))
    heard = tuple(number for number, member in enumerate(members) if not is_silent(member))
    return EdgeOperations(block.choice, len(members), heard, options, several)
