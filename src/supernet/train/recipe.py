"""A recipe: a published method as a value."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from supernet.errors import UsageError
from supernet.train.architecture import Derivation
from supernet.train.programs import Program
from supernet.train.updates import Updates


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything the training loop needs to know about a method.

    Recipes are made by the functions of `supernet.methods` or written out by hand; `dataclasses.replace`
    changes a piece.

    Attributes:
        name: What logs and reports call it.
        program: The moves of a step.
        weights: How the supernet's weights are stepped.
        architecture: How architecture parameters are stepped, for programs that learn them.
        derive: How learned architecture parameters become an architecture.

    Raises:
        UsageError: the pieces do not fit together.
    """

    name: str
    program: Program
    weights: Updates
    architecture: Updates | None = None
    derive: Derivation | None = None

    def __post_init__(self) -> None:
        if self.program.learns_architecture and (self.architecture is None or self.derive is None):
            raise UsageError(
                f"The recipe {self.name!r} learns architecture parameters, so it needs `architecture=Updates(…)` "
                "to step them and `derive=…` to read an architecture off them."
            )
        if not self.program.learns_architecture and self.architecture is not None:
            raise UsageError(
                f"The recipe {self.name!r} has updates for architecture parameters, but its program "
                f"{type(self.program).__name__} never moves them; leave `architecture` out."
            )
        if not self.program.learns_architecture and self.derive is not None:
            raise UsageError(
                f"The recipe {self.name!r} derives an architecture from learned parameters, but its program "
                f"{type(self.program).__name__} learns none; leave `derive` out and search instead."
            )

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
