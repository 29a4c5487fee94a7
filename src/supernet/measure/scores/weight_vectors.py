"""The weights of a subnet as one vector, before and after training (ABS, algorithm 1).

Of the two vectors only ⟨v₀, v₀⟩, ⟨v, v⟩ and ⟨v₀, v⟩ are needed. They add up over modules, so that each module is
visited once for all subnets, and paths through a cell are counted and not listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.measure.costs.places import locations
from supernet.nn import InputChoice, Mutable, OpChoice, SubsetChoice, Supernet
from supernet.nn.extraction import plain_module
from supernet.nn.members import is_silent
from supernet.nn.mutable import choices_within, is_opaque
from supernet.space import Arch
from supernet.space.conditions import Conditions

Ends: TypeAlias = Literal["outputs", "last"]
"""Where the paths through a cell end: at every node that the cell returns, or at its last node."""

Identity: TypeAlias = Literal["empty", "eye"]
"""What an identity adds to the vectors: nothing, or the entries of an identity matrix."""

Products: TypeAlias = NDArray[np.float64]
"""(3,) the products ⟨v₀, v₀⟩, ⟨v, v⟩ and ⟨v₀, v⟩."""

_POOLS = (nn.AvgPool2d, nn.MaxPool2d)


class _Pair(NamedTuple):
    """A place in the tree, as it is and in the copy with the initial weights."""

    name: str
    module: nn.Module
    initial: nn.Module
    conditions: Conditions
    width: int | None  # of what stands in a choice of operations: the channels of these


class _Node(NamedTuple):
    choice: InputChoice
    edges: tuple[tuple[nn.Module, tuple[_Pair, ...]], ...]


class _Cell(NamedTuple):
    """Nodes that each sum edges from all before them, beginning with the inputs."""

    nodes: tuple[_Node, ...]
    inputs: int


@dataclass(frozen=True)
class WeightVectors:
    """What the vectors of all subnets are made of.

    Args:
        net: The supernet as it is.
        initial: A copy of it with the initial weights.
        ends: Where paths through cells end.
        identity: What an identity adds.
        vectors: Whether biases and the scales and shifts of norms belong to the vectors too.
        known: The products of modules that were visited.
    """

    net: Supernet
    initial: Supernet
    ends: Ends
    identity: Identity
    vectors: bool
    known: dict[tuple[Any, ...], Products]

    def products(self, arch: Arch) -> Products | None:
        """Those of one subnet; None where no path leads through any of its cells."""
        with self.net.active(arch), self.initial.active(arch):
            found = self._sum(self._outside)
            reached = not self._cells
            for cell in self._cells:
                for pairs, count in self._paths(cell):
                    found = found + count * self._sum(pairs)
                    reached = True
            return found if reached else None

    def _paths(self, cell: _Cell) -> Iterator[tuple[tuple[_Pair, ...], int]]:
        """Every edge that carries something, with the number of paths from an input to an end that go through it."""
        runs = [
            [
                (source, *edge)
                for source, edge in enumerate(node.edges)
                if source in node.choice.members_of(self._index(node.choice)) and not is_silent(edge[0])
            ]
            for node in cell.nodes
        ]
        to = [1] * cell.inputs
        for edges in runs:
            to.append(sum(to[source] for source, *_ in edges))
        several = cell.inputs > 1 and self.ends == "outputs"
        onwards = [0] * cell.inputs + [int(several)] * len(runs)
        onwards[-1] = 1
        for place in reversed(range(len(runs))):
            for source, *_ in runs[place]:
                onwards[source] += onwards[cell.inputs + place]
        for place, edges in enumerate(runs):
            for source, _, pairs in edges:
                if count := to[source] * onwards[cell.inputs + place]:
                    yield pairs, count

    def _index(self, node: InputChoice) -> int | None:
        if node.choice is None:
            return None
        return node.choice.position(self.net.selection.option(node.choice))

    def _sum(self, pairs: Sequence[_Pair]) -> Products:
        found = np.zeros(3)
        option = self.net.selection.option
        for pair in pairs:
            if all(condition.met(option) for condition in pair.conditions):
                found = found + self._of(pair)
        return found

    def _of(self, pair: _Pair) -> Products:
        """What a module holds itself, not what is inside it."""
        module = pair.module
        read: tuple[Any, ...] = ()
        if isinstance(module, Mutable):
            options = (self.net.selection.option(choice) for choice in choices_within(module)) if _own(module) else ()
            read = tuple(options)
        key = (id(module), pair.width, *read)
        if key not in self.known:
            self.known[key] = self._computed(pair)
        return self.known[key]

    def _computed(self, pair: _Pair) -> Products:
        module, initial = pair.module, pair.initial
        if pair.width is not None and isinstance(module, _POOLS):
            side = module.kernel_size if isinstance(module.kernel_size, int) else module.kernel_size[0]
            return np.full(3, pair.width / side**2)  # C · k² entries of 1 / k²
        if pair.width is not None and isinstance(module, nn.Identity):
            return np.full(3, float(pair.width) if self.identity == "eye" else 0.0)
        found = np.zeros(3)
        for before, now in zip(_parameters(initial, self.initial), _parameters(module, self.net), strict=True):
            if self.vectors or now.ndim > 1:
                one, other = before.detach().double().flatten(), now.detach().double().flatten()
                found += torch.stack([one @ one, other @ other, one @ other]).cpu().numpy()
        return found

    @cached_property
    def _cells(self) -> tuple[_Cell, ...]:
        groups: dict[str, list[tuple[InputChoice, InputChoice]]] = {}
        for place, other in zip(locations(self.net.module), locations(self.initial.module), strict=True):
            if isinstance(place.module, InputChoice) and isinstance(other.module, InputChoice):
                nodes = groups.setdefault(place.name.rpartition(".")[0], [])
                if all(node is not place.module for node, _ in nodes):
                    nodes.append((place.module, other.module))
        cells = []
        for name, nodes in groups.items():
            inputs = len(nodes[0][0].edges)
            if [len(node.edges) for node, _ in nodes] != list(range(inputs, inputs + len(nodes))):
                raise UsageError(
                    f"The nodes in {name or 'the network'} have {[len(node.edges) for node, _ in nodes]} edges, and no "
                    "cell in which every node may sum all before it. Paths through it are not known; rank by another "
                    "score."
                )
            cells.append(
                _Cell(
                    tuple(
                        _Node(node, tuple((e, tuple(_pairs(e, i))) for e, i in zip(node.edges, at.edges, strict=True)))
                        for node, at in nodes
                    ),
                    inputs,
                )
            )
        return tuple(cells)

    @cached_property
    def _outside(self) -> tuple[_Pair, ...]:
        """What stands outside the edges of cells."""
        inside = {
            id(module)
            for cell in self._cells
            for node in cell.nodes
            for edge, _ in node.edges
            for module in edge.modules()
        }
        return tuple(pair for pair in _pairs(self.net.module, self.initial.module) if id(pair.module) not in inside)


def _pairs(module: nn.Module, initial: nn.Module) -> Iterator[_Pair]:
    """Every module inside, once."""
    seen = set[int]()
    widths: dict[str, int | None] = {}
    for place, other in zip(locations(module), locations(initial), strict=True):
        if isinstance(place.module, OpChoice | SubsetChoice):
            widths[place.name] = _width(place.module)
        around = [name for name in widths if not name or place.name.startswith(f"{name}.")]
        if id(place.module) not in seen:
            seen.add(id(place.module))
            width = widths[max(around, key=len)] if around and not place.module._modules else None
            yield _Pair(place.name, place.module, other.module, place.conditions, width)


def _width(choice: nn.Module) -> int | None:
    """The channels that the operations of a choice return: those of the last layer with parameters in one of them."""
    for operation in next(iter(choice.children())).children():
        weights = [p for m in operation.modules() for p in m._parameters.values() if p is not None and p.ndim == 4]
        if weights:
            return int(weights[-1].shape[0])
    return None


def _own(module: nn.Module) -> bool:
    return is_opaque(module) or any(parameter is not None for parameter in module._parameters.values())


def _parameters(module: nn.Module, net: Supernet) -> list[Tensor]:
    """The parameters that a module holds itself, of an elastic one those that are active."""
    if not isinstance(module, Mutable) or not _own(module):
        return [parameter for parameter in module._parameters.values() if parameter is not None]
    if is_opaque(module):
        return list(plain_module(module, net.selection, net.space.choices).parameters())
    return [parameter for parameter in module.plain()._parameters.values() if parameter is not None]
