"""The one object that says which architecture is active, and the forms that decisions take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias, cast

from torch import Tensor

from supernet.errors import UsageError
from supernet.space import Arch, Choice, Expr, Option, Space
from supernet.space.expression import plain_option


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


class Decisions(dict[str, Decision]):
    """A decision by choice name, as programs make them: indices, subsets of indices, or mixtures.

    The type tells them from a plain mapping given to `net(x, …)`, which holds options: with options such as
    `(3, 2, 1, 0)` the number 3 alone says neither. An `Arch` is the special case of all indices.

    >>> Decisions({"op": 0, "edge": (1, 2)})
    Decisions({'op': 0, 'edge': (1, 2)})
    """

    def __repr__(self) -> str:
        return f"Decisions({super().__repr__()})"


Target: TypeAlias = Arch | Decisions | Mapping[str, Option | Mixture | None]
"""What `net(x, target)` runs: an architecture, decisions, or a mapping from choice names to options (or mixtures)."""


class Selection:
    """What the layers of one supernet read their decisions from.

    Only `Supernet.active` writes it. Values of expressions are remembered until the next write.
    """

    __slots__ = ("_decisions", "_settings", "_values")

    def __init__(self) -> None:
        self._decisions: Mapping[str, Decision] | None = None
        self._settings: Mapping[str, float] = {}
        self._values: dict[Expr, int] = {}

    def __reduce__(self) -> tuple[type[Selection], tuple[()]]:
        return Selection, ()  # in a copy or a pickle nothing is active: that belongs to a `with` of the original

    @property
    def active(self) -> Mapping[str, Decision] | None:
        """The decisions that are active; None: nothing is."""
        return self._decisions

    def exchange(
        self, decisions: Mapping[str, Decision] | None, settings: Mapping[str, float] | None = None
    ) -> tuple[Mapping[str, Decision] | None, Mapping[str, float]]:
        """Activate `decisions` and `settings` (none, by default), and return what was active before."""
        before = self._decisions, self._settings
        self._decisions, self._settings, self._values = decisions, settings or {}, {}
        return before

    def setting(self, name: str, default: float) -> float:
        """A scalar that a training sets for its passes, such as the rate of a drop-path; else the default.

        The default is what holds outside a training, so that nothing of it leaks into scores and extracted subnets.
        """
        return self._settings.get(name, default)

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


def as_decisions(target: Target, space: Space) -> Mapping[str, Decision]:
    """The decisions by choice name that an architecture, decisions or a mapping of options make on a space.

    Raises:
        UsageError: an architecture of another space, an unknown choice, a decision that fits no option, or an option
            that the choice does not have.
    """
    if isinstance(target, Arch):
        if target.space is not space and target.space.fingerprint != space.fingerprint:
            raise UsageError(
                f"The architecture belongs to the space {target.space.fingerprint}, but this supernet spans "
                f"{space.fingerprint}. Take architectures from net.space."
            )
        return dict(zip(space.names, target.code, strict=True))
    if isinstance(target, Decisions):
        return {name: _checked(space.choices[space.column(name)], decision) for name, decision in target.items()}
    if isinstance(target, Mapping):
        return _from_options(target, space)
    raise UsageError(
        f"A supernet runs an architecture of its space, a mapping from choices to options, or Decisions; got a "
        f"{type(target).__name__}. Call net(x, net.space.parse('choice=option,…')) or net(x, {{choice: option, …}})."
    )


def _from_options(target: Mapping[str, Option | Mixture | None], space: Space) -> dict[str, Decision]:
    """Decisions from options by name. A choice that these switch off reads 0, as it does in an `Arch`."""
    for name in target:
        space.column(name)
    found: dict[str, Decision] = {}
    off: set[Choice] = set()
    for choice in space.choices:  # conditions come first
        given = target.get(choice.name)
        if isinstance(given, Mixture):
            found[choice.name] = _checked(choice, given)
        elif given is not None:
            found[choice.name] = _position(choice, given)
        if not isinstance(given, Mixture) and _is_off(choice, found, off):
            found[choice.name] = 0
            off.add(choice)
    return found


def _position(choice: Choice, option: Option) -> int:
    try:
        return choice.position(plain_option(option))
    except UsageError as error:
        raise UsageError(
            f"{error} A mapping given to net(x, …) holds options, or a Mixture; say indices and subsets of them with "
            f"Decisions({{{choice.name!r}: …}})."
        ) from None


def _is_off(choice: Choice, found: Mapping[str, Decision], off: set[Choice]) -> bool:
    """Whether the condition of a choice is false for certain, with what is decided so far."""
    if choice.when is None:
        return False
    asked = choice.when.choices()
    if any(gate in off for gate in asked):
        return True
    codes = {gate: found.get(gate.name) for gate in asked}
    if not all(isinstance(code, int) for code in codes.values()):
        return False
    return not choice.when.evaluate(lambda gate: gate.options[cast(int, codes[gate])])


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
        "to decide by option, give a plain mapping."
    )


def _distinct(choice: Choice, indices: tuple[Any, ...]) -> bool:
    inside = all(hasattr(index, "__index__") and 0 <= index < len(choice) for index in indices)
    return inside and len(set(indices)) == len(indices)
