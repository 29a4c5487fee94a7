"""Under which decisions a module runs, read off the module tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from torch import nn

from supernet.nn import (
    AvgPool3x3,
    ElasticBatchNorm2d,
    ElasticConv2d,
    ElasticDepth,
    ElasticLayerNorm,
    ElasticLinear,
    ElasticResolution,
    Mutable,
    OpChoice,
)
from supernet.space import Choice, Codes, Expr, Space

_KNOWN = (
    AvgPool3x3,
    OpChoice,
    ElasticDepth,
    ElasticResolution,
    ElasticConv2d,
    ElasticLinear,
    ElasticBatchNorm2d,
    ElasticLayerNorm,
)


@dataclass(frozen=True)
class Chosen:
    """The choice takes the option with this index."""

    choice: Choice
    index: int

    def choices(self) -> tuple[Choice, ...]:
        return (self.choice,)

    def holds(self, space: Space, codes: Codes) -> Any:
        """For which rows (N,) of a population."""
        return codes[:, space.column(self.choice.name)] == self.index


@dataclass(frozen=True)
class Deeper:
    """The depth of a stage exceeds the index of a block."""

    depth: Expr | int
    index: int

    def choices(self) -> tuple[Choice, ...]:
        return self.depth.choices() if isinstance(self.depth, Expr) else ()

    def holds(self, space: Space, codes: Codes) -> Any:
        """For which rows (N,) of a population; a single truth value where the depth is fixed."""
        return space.values(codes, self.depth) > self.index


Conditions: TypeAlias = tuple[Chosen | Deeper, ...]
"""All of them must hold."""


def all_hold(conditions: Conditions, space: Space, codes: Codes) -> Any:
    """For which rows (N,) of a population every condition holds."""
    held = np.ones(len(codes), dtype=bool)
    for condition in conditions:
        held &= condition.holds(space, codes)
    return held


class Location(NamedTuple):
    """A place in the module tree. A module registered twice has two."""

    name: str
    module: nn.Module
    conditions: Conditions


def locations(module: nn.Module, name: str = "", conditions: Conditions = ()) -> Iterator[Location]:
    """Every place of the tree with the conditions under which it runs.

    A layer of a kind unknown here is not looked into: how it uses its children is its own affair.
    """
    yield Location(name, module, conditions)
    if is_opaque(module):
        return
    for child_name, child in module._modules.items():
        path = f"{name}.{child_name}" if name else child_name
        if isinstance(module, OpChoice) and child is module.candidates:
            for index in range(len(module.choice)):
                candidate = module.candidate(index)
                key = next(key for key, value in module.candidates.items() if value is candidate)
                yield from locations(candidate, f"{path}.{key}", (*conditions, Chosen(module.choice, index)))
        elif isinstance(module, ElasticDepth) and child is not None:
            yield from locations(child, path, (*conditions, Deeper(module.depth, int(child_name))))
        elif child is not None:
            yield from locations(child, path, conditions)


def is_opaque(module: nn.Module) -> bool:
    """Whether a module is a layer with choices of a kind that this package does not define."""
    kind: type = type(module)
    return isinstance(module, Mutable) and kind not in _KNOWN


def choices_within(module: nn.Module) -> tuple[Choice, ...]:
    """Every choice that shapes a module or one inside it, in order of appearance."""
    found: dict[Choice, None] = {}
    for inner in module.modules():
        for size in inner.depends_on() if isinstance(inner, Mutable) else ():
            if isinstance(size, Expr):
                found.update(dict.fromkeys(size.choices()))
    return tuple(found)
