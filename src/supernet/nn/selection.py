"""The one object that says which architecture is active, and the three forms a decision takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from torch import Tensor

from supernet.errors import UsageError
from supernet.space import Arch, Choice, Expr, Space


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
        self._values: dict[Expr, int] = {}

    def __reduce__(self) -> tuple[type[Selection], tuple[()]]:
        return Selection, ()  # in a copy or a pickle nothing is active: that belongs to a `with` of the original

    @property
    def active(self) -> Decisions | None:
        """The decisions that are active; None: nothing is."""
        return self._decisions

    def exchange(self, decisions: Decisions | None) -> Decisions | None:
        """Activate `decisions` and return what was active before."""
        before, self._decisions = self._decisions, decisions
        self._values = {}
        return before

    def decision(self, choice: Choice) -> Decision:
        """The active decision on a choice.

        Raises:
            UsageError: nothing is active, or nothing that decides this choice.
        """
        if self._decisions is None:
            raise UsageError(
                "A layer with choices was run while no architecture is active. Wrap the model in "
                "Supernet(model) and call net(x, arch), or work inside `with net.active(arch):`."
            )
        try:
            return self._decisions[choice.name]
        except KeyError:
            raise UsageError(
                f"The active architecture does not decide {choice.name!r}. A mapping given to net(x, …) "
                "needs a decision for every choice that the pass meets."
            ) from None

    def option(self, choice: Choice) -> Any:
        """The option decided on.

        Raises:
            UsageError: the decision is a subset or a mixture, which only operations (OpChoice) can follow.
        """
        decision = self.decision(choice)
        if not isinstance(decision, int):
            kind = "mixture" if isinstance(decision, Mixture) else "subset"
            raise UsageError(
                f"The choice {choice.name!r} was given a {kind} where one option is needed: to set a size (width, "
                "kernel, depth or resolution), or to extract a subnet. Relax only operation choices (OpChoice), and "
                "give the others an index."
            )
        return choice.options[decision]

    def value(self, size: Expr | int) -> int:
        """Value of a dimension under the active architecture."""
        if not isinstance(size, Expr):
            return size
        known = self._values.get(size)
        if known is None:
            known = self._values[size] = int(size.evaluate(self.option))
        return known


def as_decisions(target: Arch | Decisions, space: Space) -> Decisions:
    """The decisions by choice name that an architecture, or a mapping, makes on a space.

    Raises:
        UsageError: an architecture of another space, an unknown choice, or a decision that fits no option.
    """
    if not isinstance(target, Arch):
        return {name: _checked(space.choices[space.column(name)], decision) for name, decision in target.items()}
    if target.space is not space and target.space.fingerprint != space.fingerprint:
        raise UsageError(
            f"The architecture belongs to the space {target.space.fingerprint}, but this supernet spans "
            f"{space.fingerprint}. Take architectures from net.space."
        )
    return dict(zip(space.names, target.code, strict=True))


def _checked(choice: Choice, decision: Any) -> Decision:
    if isinstance(decision, Mixture):
        fits = decision.weights.shape == (len(choice),)
        if fits and (decision.run is None or (decision.run and _distinct(choice, decision.run))):
            return decision
    elif isinstance(decision, tuple):
        if _distinct(choice, decision):
            return decision
    elif _distinct(choice, (decision,)):
        return int(decision)
    raise UsageError(
        f"The decision {decision!r} does not fit the choice {choice.name!r} with its {len(choice)} options. Give an "
        f"index from 0 to {len(choice) - 1}, a tuple of distinct indices, or a Mixture of {len(choice)} weights; "
        "to decide by option, give net.space.arch({…})."
    )


def _distinct(choice: Choice, indices: tuple[Any, ...]) -> bool:
    inside = all(hasattr(index, "__index__") and 0 <= index < len(choice) for index in indices)
    return inside and len(set(indices)) == len(indices)
