"""The places of a module tree, and under which decisions what stands there runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from torch import nn

from supernet.nn import Mutable
from supernet.nn.mutable import is_opaque
from supernet.space.conditions import Conditions


class Location(NamedTuple):
    """A place in the module tree. A module registered twice has two."""

    name: str
    module: nn.Module
    conditions: Conditions


def locations(module: nn.Module) -> Iterator[Location]:
    """Every place of the tree with the conditions under which it runs.

    A layer that does not say what it is made of is not looked into: how it uses its children is its own affair.
    """
    return _below(module, "", (), {})


def _below(module: nn.Module, name: str, conditions: Conditions, runs: Mapping[str, Conditions]) -> Iterator[Location]:
    """A module and what is inside; `runs` holds conditions that a layer around it told, by names from here."""
    yield Location(name, module, conditions)
    if is_opaque(module):
        return
    told = {**runs, **(module.runs() if isinstance(module, Mutable) else {})}
    inner: dict[str, dict[str, Conditions]] = {}
    for key, found in told.items():
        child_name, _, rest = key.partition(".")
        if rest:
            inner.setdefault(child_name, {})[rest] = found
    for child_name, child in module._modules.items():
        if child is not None:
            path = f"{name}.{child_name}" if name else child_name
            below = (*conditions, *told.get(child_name, ()))
            yield from _below(child, path, below, inner.get(child_name, {}))


class Places:
    """Where a layer holds the modules that it runs, and under which conditions it runs them there.

    Args:
        module: The network.
    """

    def __init__(self, module: nn.Module) -> None:
        self._found: dict[tuple[int, int], list[Conditions]] = {}
        self._read(module, module, set())

    def _read(self, layer: nn.Module, caller: nn.Module, seen: set[tuple[int, int]]) -> None:
        """What layers below say; `caller` calls what is inside of a list, which is never called itself."""
        if not isinstance(layer, nn.ModuleList):
            caller = layer
        if (id(layer), id(caller)) in seen:
            return
        seen.add((id(layer), id(caller)))
        if isinstance(layer, Mutable) and not is_opaque(layer):
            for name, conditions in layer.runs().items():
                key = (id(caller), id(layer.get_submodule(name)))
                self._found.setdefault(key, []).append(conditions)
        for inner in layer.children():
            self._read(inner, caller, seen)

    def of(self, layer: nn.Module, inner: nn.Module) -> list[Conditions]:
        """The conditions of each place of a module in a layer, in order; none where the layer says nothing of it."""
        return self._found.get((id(layer), id(inner)), [])
