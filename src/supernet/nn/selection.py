"""The one object that says which architecture is active, and the three forms a decision takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from torch import Tensor

from supernet.errors import UsageError
from supernet.space import Arch, Choice, Expr


class Mixture(NamedTuple):
    """A decision that weighs the options instead of picking one.

    Attributes:
        weights: (O,) one weight per option, with a gradient where architecture parameters are learned.
        run: Options to compute; default all. The others contribute their weight as a number added to the
            output: it is 0 in a one-hot sample and lets a straight-through gradient reach them (GDAS, eq. 7).
    """

    weights: Tensor
    run: tuple[int, ...] | None = None


Decision: TypeAlias = int | tuple[int, ...] | Mixture
"""An option's index (one path), a subset of indices (their sum), or a mixture."""

Decisions: TypeAlias = Mapping[str, Decision]
"""A decision per choice name: what one forward pass needs. An `Arch` is the special case of all indices."""


class Selection:
    """What the layers of one supernet read their decisions from.

    Only `Supernet.active` writes it. Values of expressions are remembered until the next write.
    """

    __slots__ = ("_decisions", "_values")

    def __init__(self) -> None:
        self._decisions: Decisions | None = None
        self._values: dict[int, int] = {}

    def exchange(self, decisions: Decisions | None) -> Decisions | None:
        """Activate `decisions` and return what was active before."""
        before, self._decisions = self._decisions, decisions
        self._values = {}
        return before

    @property
    def decisions(self) -> Decisions:
        """What is active.

        Raises:
            UsageError: nothing is.
        """
        if self._decisions is None:
            raise UsageError(
                "A layer with choices was run while no architecture is active. Wrap the model in "
                "Supernet(model) and call net(x, arch), or work inside `with net.active(arch):`."
            )
        return self._decisions

    def decision(self, choice: Choice) -> Decision:
        """The active decision on a choice."""
        try:
            return self.decisions[choice.name]
        except KeyError:
            raise UsageError(
                f"The active architecture does not decide {choice.name!r}. A mapping given to net(x, …) "
                "needs a decision for every choice that the pass meets."
            ) from None

    def option(self, choice: Choice) -> object:
        """The option decided on.

        Raises:
            UsageError: the decision is a subset or a mixture, which only operations (OpChoice) can follow.
        """
        decision = self.decision(choice)
        if not isinstance(decision, int):
            raise UsageError(
                f"The choice {choice.name!r} sets a size (width, kernel, depth or resolution) and needs one option; "
                f"it was given a {'subset' if not isinstance(decision, Mixture) else 'mixture'}. Relax only "
                "operation choices, or fix this one with space.restrict."
            )
        return choice.options[decision]

    def value(self, size: Expr | int) -> int:
        """Value of a dimension under the active architecture."""
        if not isinstance(size, Expr):
            return size
        known = self._values.get(id(size))
        if known is None:
            known = self._values[id(size)] = int(size.evaluate(self.option))
        return known


def as_decisions(target: Arch | Decisions) -> Decisions:
    """The decisions of an architecture by choice name; a mapping of decisions passes through."""
    if isinstance(target, Arch):
        return dict(zip(target.space.names, target.code, strict=True))
    return target
