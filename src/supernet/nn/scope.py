"""Layers of a supernet that run by decisions of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from torch import nn

from supernet.nn.choice import OpChoice
from supernet.nn.inputs import InputChoice
from supernet.nn.selection import Decision, Selection, Target, as_decisions
from supernet.nn.subset import SubsetChoice
from supernet.nn.supernet import Supernet


@contextmanager
def scoped(net: Supernet, layers: Iterable[nn.Module], target: Target) -> Iterator[None]:
    """Run some layers, and what is inside them, by `target`, whatever is active around them; no hook is left behind.

    Settings are those that are active around them.

    Args:
        net: The supernet.
        layers: Modules of it.
        target: What they run, as in `Supernet.active`.

    Raises:
        UsageError: the choices do not allow what is decided.
    """
    inside = _Inside(net.selection, as_decisions(target, net.space, net.nodes))
    handles = []
    try:
        for layer in layers:
            handles.append(layer.register_forward_pre_hook(inside.enter))
            handles.append(layer.register_forward_hook(inside.leave, always_call=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Inside:
    """Exchanges what is active when a layer begins and when it has ended, even by an error."""

    def __init__(self, selection: Selection, decisions: Mapping[str, Decision]) -> None:
        self.selection, self.decisions = selection, decisions
        self.before: list[tuple[Mapping[str, Decision] | None, Mapping[str, float]]] = []  # a layer may be in a layer

    def enter(self, *_: object) -> None:
        decisions, settings = self.selection.exchange(self.decisions)
        self.selection.exchange(self.decisions, settings)
        self.before.append((decisions, settings))

    def leave(self, *_: object) -> None:
        self.selection.exchange(*self.before.pop())


def mixing_layers(net: Supernet) -> dict[str, list[nn.Module]]:
    """The nodes and choice blocks of a supernet that are inside no other, in the order of the network.

    Returns:
        Those of each choice, or of each node without one, by its name: as many as there are cells that share it.
    """
    found: dict[str, list[nn.Module]] = {}
    inside: set[int] = set()
    for layer in net.modules():
        if isinstance(layer, InputChoice | OpChoice | SubsetChoice) and layer.mixes and id(layer) not in inside:
            inside |= {id(module) for module in layer.modules()}
            name = layer.name if isinstance(layer, InputChoice) else layer.choice.name
            if name is not None:
                found.setdefault(name, []).append(layer)
    return found
