"""In which order the decisions of a network are best made, for whoever makes them one after another."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from supernet.errors import UsageError
from supernet.nn.supernet import Supernet


class Turn(NamedTuple):
    """The decisions on one node of a cell, or on one layer, in their order.

    Attributes:
        choices: The names of the choices. A choice of inputs has options that are tuples of positions in the chain.
        chain: The turns of one chain follow each other, and each may take as inputs what was decided before in it.
            Empty: there is nothing to take.
        given: Number of positions that the chain begins with, such as the two inputs of a cell.
    """

    choices: tuple[str, ...]
    chain: str = ""
    given: int = 0


@runtime_checkable
class HasTurns(Protocol):
    """A network that says in which order its decisions are made."""

    def turns(self) -> tuple[Turn, ...]:
        """The turns, in order; every choice stands in exactly one."""
        ...


def turns_of(net: Supernet) -> tuple[Turn, ...]:
    """The turns that the network of a supernet names; of one that names none a single turn, in the order of the space.

    Raises:
        UsageError: a choice is named twice or not at all.
    """
    module = next((inner for inner in net.modules() if isinstance(inner, HasTurns)), None)
    if module is None:
        return (Turn(net.space.names),)
    turns = module.turns()
    named = [name for turn in turns for name in turn.choices]
    if sorted(named) != sorted(net.space.names):
        wrong = sorted(set(named) ^ set(net.space.names)) or sorted({n for n in named if named.count(n) > 1})
        raise UsageError(
            f"The turns of {type(module).__name__} name {wrong[:4]} twice, not at all, or though there is no such "
            "choice. Name every choice of the space once."
        )
    return turns
