"""The parameters of a supernet as a sum of terms, read off the module tree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from torch import nn

from supernet.errors import RunError
from supernet.measure.costs.counting import count_params, is_norm
from supernet.measure.costs.places import locations
from supernet.measure.costs.tables import Tabulated, Term, grid, joint
from supernet.nn import Decisions, Mutable, Supernet
from supernet.nn.extraction import plain_module
from supernet.nn.mutable import Shape, choices_within, is_opaque
from supernet.space import Expr
from supernet.space.conditions import Conditions

Kind: TypeAlias = Literal["weight", "bias", "norm"]
"""Weights and biases of other layers, and everything in normalisation layers."""

_MAX_SETTINGS = 4096


class _Held(NamedTuple):
    size: Expr | float
    kind: Kind
    alternatives: list[Conditions]
    shapes: dict[Shape, None]


def params_terms(net: Supernet) -> dict[Kind, list[Term]]:
    """Terms of the parameters by kind.

    A parameter registered at several places counts once, wherever any of them is active; where layers that are always
    active take slices of different sizes of it, each size counts once.

    Raises:
        RunError: a layer of a kind unknown here depends on more choices than can be tabulated.
    """
    held: dict[tuple[int, Kind], _Held] = {}
    for place in locations(net.module):
        if is_opaque(place.module):
            for kind in get_args(Kind):
                key = (id(place.module), kind)
                if key not in held:
                    held[key] = _Held(_tabulated(net, place.module, place.name, kind), kind, [], {})
                held[key].alternatives.append(place.conditions)
            continue
        shapes = place.module.shapes() if isinstance(place.module, Mutable) else {}
        absorbed = place.module.absorbed() if isinstance(place.module, Mutable) else ()
        for name, parameter in place.module._parameters.items():
            if parameter is not None and name not in absorbed:
                kind = _kind(place.module, name)
                shape = shapes.get(name, tuple(parameter.shape))
                entry = held.setdefault((id(parameter), kind), _Held(product(shape), kind, [], {}))
                entry.shapes[shape] = None
                entry.alternatives.append(place.conditions)
    terms: dict[Kind, list[Term]] = {kind: [] for kind in get_args(Kind)}
    for entry in held.values():
        unique = tuple(dict.fromkeys(entry.alternatives))
        always = unique == ((),)
        size = _distinct(net, tuple(entry.shapes)) if always and len(entry.shapes) > 1 else entry.size
        terms[entry.kind].append(Term(size, ((),) if () in unique else unique))
    return terms


def _kind(module: nn.Module, name: str) -> Kind:
    if is_norm(module):
        return "norm"
    return "bias" if name == "bias" else "weight"


def product(shape: Shape) -> Expr | int:
    """Number of entries of a tensor."""
    size: Any = math.prod(side for side in shape if not isinstance(side, Expr))
    for side in shape:
        if isinstance(side, Expr):
            size = side if isinstance(size, int) and size == 1 else size * side
    found: Expr | int = size
    return found


def _distinct(net: Supernet, shapes: Sequence[Shape]) -> Tabulated:
    """Parameters of one tensor that several layers take slices of: slices of one size are one parameter."""
    choices = tuple(
        dict.fromkeys(c for shape in shapes for side in shape if isinstance(side, Expr) for c in side.choices())
    )
    if joint(choices) > _MAX_SETTINGS:
        raise RunError(
            f"{len(shapes)} layers share a parameter and take slices of it by {len(choices)} choices with "
            f"{joint(choices):,} joint settings; at most {_MAX_SETTINGS:,} can be tabulated. Give them fewer choices, "
            "or parameters of their own."
        )
    counts = []
    for code in grid(net.space, choices):
        with net.active(Decisions(zip(net.space.names, code.tolist(), strict=True))):
            taken = {tuple(net.selection.value(side) for side in shape) for shape in shapes}
        counts.append(sum(map(math.prod, taken)))
    return Tabulated(choices, counts)


def _tabulated(net: Supernet, module: nn.Module, name: str, kind: Kind) -> Tabulated:
    """Parameters of a layer of unknown kind: it is taken out in every setting of its choices, and counted."""
    choices = choices_within(module)
    if joint(choices) > _MAX_SETTINGS:
        raise RunError(
            f"The layer {name!r} ({type(module).__name__}) depends on {len(choices)} choices with "
            f"{joint(choices):,} joint settings; at most {_MAX_SETTINGS:,} can be tabulated. "
            "Use measure.count_params(net.extract(arch)) instead."
        )
    assert isinstance(module, Mutable)
    counts = []
    for code in grid(net.space, choices):
        with net.active(Decisions(zip(net.space.names, code.tolist(), strict=True))):
            plain = plain_module(module, net.selection, net.space.choices)
        weights = count_params(plain, norm=False, bias=False)
        others = count_params(plain, norm=False)
        counts.append({"weight": weights, "bias": others - weights, "norm": count_params(plain) - others}[kind])
    return Tabulated(choices, counts)
