"""The one object that says which architecture is active, and the forms that decisions take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias, cast

from torch import Tensor

from supernet.errors import UsageError
from supernet.space import Arch, Choice, Expr, Option, Space
from supernet.space.arch import no_architecture
from supernet.space.expression import plain_option
from supernet.space.text import listed


class Mixture(NamedTuple):
    """A decision that weighs the options instead of picking one.

    Attributes:
        weights: (O,) one weight per option, with a gradient where architecture parameters are learned.
        run: Options to compute; default all. The others contribute their weight as a number added to the
            output: it is 0 in a one-hot sample and lets a straight-through gradient reach them (GDAS, eq. 7). With
            none of them a sum around the layer leaves it out.
    """

    weights: Tensor
    run: tuple[int, ...] | None = None


class EdgeWeights(NamedTuple):
    """A decision that weighs the edges of a node, or the members of a `SubsetChoice`, each by itself.

    Attributes:
        weights: (E,) one weight per edge or member, whether options name it or not (PC-DARTS, eq. 4).
        run: Edges to compute; default all. The others contribute their weight as a number, as in a `Mixture`.
    """

    weights: Tensor
    run: tuple[int, ...] | None = None


Decision: TypeAlias = int | tuple[int, ...] | Mixture | EdgeWeights
"""An option's index (one path), a subset of indices (their sum), a mixture, or weights of edges."""


class Decisions(dict[str, Decision]):
    """A decision by choice name, as programs make them: indices, subsets of indices, mixtures or weights of edges.

    The type tells them from a plain mapping given to `net(x, …)`, which holds options: with options such as
    `(3, 2, 1, 0)` the number 3 alone says neither. An `Arch` is the special case of all indices.

    >>> Decisions({"op": 0, "edge": (1, 2)})
    Decisions({'op': 0, 'edge': (1, 2)})
    """

    def __repr__(self) -> str:
        return f"Decisions({super().__repr__()})"


Target: TypeAlias = Arch | Decisions | Mapping[str, Option | Mixture | EdgeWeights | None]
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
        """Activate decisions and settings (None: all at their defaults) and return what was active before."""
        before = self._decisions, self._settings
        self._decisions, self._settings = decisions, settings or {}
        self._values = {}
        return before

    def require(self) -> Mapping[str, Decision]:
        """The decisions that are active.

        Raises:
            UsageError: nothing is.
        """
        if self._decisions is None:
            raise UsageError(
                "A layer with choices was run while no architecture is active. Wrap the model in "
                "Supernet(model) and call net(x, arch), or work inside `with net.active(arch):`."
            )
        return self._decisions

    def setting(self, name: str, default: float) -> float:
        """The value of a setting, a number that layers read while they run, such as a drop-path probability.

        Args:
            name: Its name, which the layer lists in `Mutable.settings`.
            default: Its value in evaluation, and wherever `Supernet.active` does not set it.
        """
        return self._settings.get(name, default)

    def decision(self, choice: Choice) -> Decision:
        """The active decision on a choice.

        Raises:
            UsageError: nothing is active, or nothing that decides this choice.
        """
        try:
            return self.require()[choice.name]
        except KeyError:
            raise UsageError(
                f"The active architecture does not decide {choice.name!r}. A mapping given to net(x, …) "
                "needs a decision for every choice that the pass meets."
            ) from None

    def edge_weights(self, name: str) -> EdgeWeights | None:
        """The weights given to the edges of a node that has no choice; None: all count once."""
        found = None if self._decisions is None else self._decisions.get(name)
        return found if isinstance(found, EdgeWeights) else None

    def option(self, choice: Choice) -> Any:
        """The option decided on.

        Raises:
            UsageError: the decision is a subset or a mixture, which only operations (OpChoice) can follow.
        """
        decision = self.decision(choice)
        if not isinstance(decision, int):
            kind = "mixture" if isinstance(decision, Mixture | EdgeWeights) else "subset"
            raise UsageError(
                f"The choice {choice.name!r} was given a {kind} where one option is needed: to set a size (width, "
                "kernel, depth or resolution), or to extract a subnet. Relax only operation choices (OpChoice) and "
                "those of inputs and subsets, and give the others an index."
            )
        return choice.options[decision]

    def value(self, size: Expr | int) -> int:
        """Value of a dimension under the active architecture."""
        if not isinstance(size, Expr):
            return int(size)
        known = self._values.get(size)
        if known is None:
            known = self._values[size] = int(size.evaluate(self.option))
        return known


def as_decisions(target: Target, space: Space, nodes: Mapping[str, int] | None = None) -> Mapping[str, Decision]:
    """The decisions by choice name that an architecture, decisions or a mapping of options make on a space.

    Args:
        target: What is decided.
        space: The space.
        nodes: The names under which `EdgeWeights` may be given, with the number of weights; None: whatever is given
            is taken.

    Raises:
        UsageError: an architecture of another space, an unknown choice, a decision that fits no option, an option
            that the choice does not have, or weights for edges that there are not.
    """
    if isinstance(target, Arch):
        if target.space is not space and target.space.fingerprint != space.fingerprint:
            raise UsageError(
                f"The architecture belongs to the space {target.space.fingerprint}, but this supernet spans "
                f"{space.fingerprint}. Take architectures from net.space."
            )
        return dict(zip(space.names, target.code, strict=True))
    if isinstance(target, Decisions):
        return {
            name: _weights(name, decision, nodes)
            if isinstance(decision, EdgeWeights)
            else _checked(space.choices[space.column(name)], decision)
            for name, decision in target.items()
        }
    if isinstance(target, Mapping):
        return _from_options(target, space, nodes)
    raise no_architecture(target)


def _from_options(
    target: Mapping[str, Option | Mixture | EdgeWeights | None], space: Space, nodes: Mapping[str, int] | None
) -> dict[str, Decision]:
    """Decisions from options by name. A choice that these switch off reads 0, as it does in an `Arch`."""
    found: dict[str, Decision] = {
        name: _weights(name, given, nodes) for name, given in target.items() if isinstance(given, EdgeWeights)
    }
    for name in target.keys() - found.keys():
        space.column(name)
    off: set[Choice] = set()
    for choice in space.choices:  # conditions come first
        given = target.get(choice.name)
        relaxed = isinstance(given, Mixture | EdgeWeights)
        if isinstance(given, Mixture):
            found[choice.name] = _checked(choice, given)
        elif given is not None and not isinstance(given, EdgeWeights):
            found[choice.name] = _position(choice, given)
        if not relaxed and _is_off(choice, found, off):
            found[choice.name] = 0
            off.add(choice)
    return found


def _weights(name: str, given: EdgeWeights, nodes: Mapping[str, int] | None) -> EdgeWeights:
    """Weights of edges, checked against the nodes there are."""
    if nodes is None:
        return given
    if name not in nodes:
        raise UsageError(
            f"Weights of edges were given for {name!r}, which is no node whose edges can be weighed; there are "
            f"{listed(sorted(nodes), wanted=name)}. A choice of operations takes an index, a subset or a Mixture."
        )
    count = nodes[name]
    run = range(count) if given.run is None else given.run
    inside = all(hasattr(edge, "__index__") and 0 <= edge < count for edge in run) and len(set(run)) == len(run)
    if given.weights.shape != (count,) or not inside:
        raise UsageError(
            f"The node {name!r} has {count} edges, but EdgeWeights of shape {tuple(given.weights.shape)} with "
            f"run={given.run} were given. Give one weight per edge, and edges from 0 to {count - 1} to run."
        )
    return given


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
    if any(gate in off and gate.off is None for gate in asked):
        return True
    codes = {gate: found.get(gate.name) for gate in asked}
    if not all(isinstance(code, int) for code in codes.values()):
        return False
    return not choice.when.evaluate(lambda gate: gate.off if gate in off else gate.options[cast(int, codes[gate])])


def _checked(choice: Choice, decision: Any) -> Decision:
    if isinstance(decision, Mixture):
        fits = decision.weights.shape == (len(choice),)
        if fits and (decision.run is None or _distinct(choice, decision.run)):
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
