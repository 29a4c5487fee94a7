"""A recipe: a published method as a value."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.space import Space
from supernet.train.derivations._protocol import Derivation
from supernet.train.phases import Phase, PhasesBySpace
from supernet.train.programs._protocol import Program
from supernet.train.updates import Updates


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything the training loop needs to know about a method.

    Recipes are made by the functions of `supernet.methods` or written out by hand; `dataclasses.replace`
    changes a piece.

    Attributes:
        name: What logs and reports call it.
        program: The moves of a step; or several phases, each with moves of its own; or what lists the phases once the
            space is known.
        weights: How the supernet's weights are stepped.
        architecture: How architecture parameters are stepped, for programs that learn them.
        derive: How learned architecture parameters become an architecture.
        adapt: What the method makes of the user's supernet before it trains it, such as several copies of its
            weights; it keeps the space. None: the supernet as it is.

    Raises:
        UsageError: the pieces do not fit together.
    """

    name: str
    program: Program | tuple[Phase, ...] | PhasesBySpace
    weights: Updates
    architecture: Updates | None = None
    derive: Derivation | None = None
    adapt: Callable[[Supernet], Supernet] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.program, PhasesBySpace):
            return
        if not self.phases:
            raise UsageError(f"The recipe {self.name!r} has no phases; give at least one, or a program.")
        learns = any(phase.program.learns_architecture for phase in self.phases)
        if learns and (self.architecture is None or self.derive is None):
            raise UsageError(
                f"The recipe {self.name!r} learns architecture parameters, so it needs `architecture=Updates(…)` "
                "to step them and `derive=…` to read an architecture off them."
            )
        names = " and ".join(dict.fromkeys(type(phase.program).__name__ for phase in self.phases))
        if not learns and self.architecture is not None:
            raise UsageError(
                f"The recipe {self.name!r} has updates for architecture parameters, but its program "
                f"{names} never moves them; leave `architecture` out."
            )
        if not learns and self.derive is not None:
            raise UsageError(
                f"The recipe {self.name!r} derives an architecture from learned parameters, but its program "
                f"{names} learns none; leave `derive` out and search instead."
            )

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases; a plain program is a single one.

        Raises:
            UsageError: they depend on the space, see `on`.
        """
        if isinstance(self.program, PhasesBySpace):
            raise UsageError(
                f"The phases of the recipe {self.name!r} depend on the space; take recipe.on(net.space).phases."
            )
        if isinstance(self.program, tuple):
            return self.program
        return (Phase(name=self.name, share=1.0, program=self.program),)

    def on(self, space: Space) -> Recipe:
        """The recipe with the phases it has on this space.

        Raises:
            UsageError: the space does not suit it, or the pieces do not fit together.
        """
        return replace(self, program=self.program.phases(space)) if isinstance(self.program, PhasesBySpace) else self

    def adapted(self, net: Supernet) -> Supernet:
        """The supernet that this method trains, see `adapt`.

        Raises:
            UsageError: adapting has changed the space.
        """
        if self.adapt is None:
            return net
        adapted = self.adapt(net)
        if adapted.space.fingerprint != net.space.fingerprint:
            raise UsageError(
                f"The recipe {self.name!r} turned a supernet over {net.space.fingerprint} into one over "
                f"{adapted.space.fingerprint}. `adapt` must keep the space."
            )
        return adapted

    def describe(self) -> dict[str, Any]:
        """The recipe as JSON: every piece by name, with all its settings."""
        described = describe(self)
        assert isinstance(described, dict)
        return described


def describe(value: Any) -> Any:
    """A JSON-able description of pieces: dataclasses by name and fields, partial calls by name and arguments."""
    if isinstance(value, Mapping):  # an architecture too
        return {str(name): describe(item) for name, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {"piece": type(value).__name__} | {f.name: describe(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, functools.partial):
        given = {"arguments": describe(value.args)} if value.args else {}
        return {"call": describe(value.func)} | given | {name: describe(v) for name, v in value.keywords.items()}
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return getattr(value, "__qualname__", type(value).__qualname__)


__all__ = ["Recipe", "describe", "replace"]
