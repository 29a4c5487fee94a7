"""The parameters of a supernet, and the bytes it holds, as sums of terms, read off the module tree."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar, get_args

from torch import Tensor, nn

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

K = TypeVar("K")

_MAX_SETTINGS = 4096


class _Held(NamedTuple):
    size: Expr | float
    alternatives: list[Conditions]
    shapes: dict[Shape, None]


def params_terms(net: Supernet) -> dict[Kind, list[Term]]:
    """Terms of the parameters by kind.

    A parameter registered at several places counts once, wherever any of them is active; where layers that are always
    active take slices of different sizes of it, each size counts once.

    Raises:
        RunError: a layer of a kind unknown here depends on more choices than can be tabulated.
    """
    terms: dict[Kind, list[Term]] = {kind: [] for kind in get_args(Kind)}
    for kind, term in _terms(net, _parameters, get_args(Kind), _count):
        terms[kind].append(term)
    return terms


def bytes_terms(net: Supernet) -> list[Term]:
    """Terms of the bytes of parameters and buffers, in the types that the network holds; otherwise as `params_terms`.

    Raises:
        RunError: as `params_terms`.
    """
    terms = _terms(net, _tensors, (1,), lambda plain, kind: count_bytes(plain))
    return [replace(term, factors=(float(itemsize),)) for itemsize, term in terms]


def count_bytes(module: nn.Module) -> int:
    """Bytes of the parameters and buffers of any module; shared ones count once.

    >>> count_bytes(nn.BatchNorm2d(8)) == 4 * 8 * 4 + 8  # and a count of batches
    True
    """
    held = {id(tensor): tensor.nbytes for tensor in (*module.parameters(), *module.buffers())}
    return sum(held.values())


def _terms(
    net: Supernet,
    tensors: Callable[[nn.Module], Iterable[tuple[str, Tensor, K]]],
    kinds: Sequence[K],
    count: Callable[[nn.Module, K], int],
) -> Iterator[tuple[K, Term]]:
    """Terms by kind, of what `tensors` tells of a module, and `count` of one that does not say what it is made of."""
    held: dict[tuple[int, K], _Held] = {}
    for place in locations(net.module):
        if is_opaque(place.module):
            for kind in kinds:
                key = (id(place.module), kind)
                if key not in held:
                    size = _tabulated(net, place.module, place.name, _of_kind(count, kind))
                    held[key] = _Held(size, [], {})
                held[key].alternatives.append(place.conditions)
            continue
        shapes = place.module.shapes() if isinstance(place.module, Mutable) else {}
        for name, tensor, kind in tensors(place.module):
            shape = shapes.get(name, tuple(tensor.shape))
            entry = held.setdefault((id(tensor), kind), _Held(product(shape), [], {}))
            entry.shapes[shape] = None
            entry.alternatives.append(place.conditions)
    for (_, kind), entry in held.items():
        unique = tuple(dict.fromkeys(entry.alternatives))
        always = unique == ((),)
        total = _distinct(net, tuple(entry.shapes)) if always and len(entry.shapes) > 1 else entry.size
        yield kind, Term(total, ((),) if () in unique else unique)


def _parameters(module: nn.Module) -> Iterator[tuple[str, Tensor, Kind]]:
    absorbed = module.absorbed() if isinstance(module, Mutable) else ()
    for name, parameter in module._parameters.items():
        if parameter is not None and name not in absorbed:
            yield name, parameter, _kind(module, name)


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor, int]]:
    absorbed = module.absorbed() if isinstance(module, Mutable) else ()
    for name, tensor in (*module._parameters.items(), *module._buffers.items()):
        if tensor is not None and name not in absorbed:
            yield name, tensor, tensor.itemsize


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


def _of_kind(count: Callable[[nn.Module, K], int], kind: K) -> Callable[[nn.Module], int]:
    return lambda plain: count(plain, kind)


def _tabulated(net: Supernet, module: nn.Module, name: str, count: Callable[[nn.Module], int]) -> Tabulated:
    """What a layer of unknown kind holds: it is taken out in every setting of its choices, and counted."""
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
            counts.append(count(plain_module(module, net.selection, net.space.choices)))
    return Tabulated(choices, counts)


def _count(plain: nn.Module, kind: Kind) -> int:
    """Parameters of one kind."""
    weights = count_params(plain, norm=False, bias=False)
    others = count_params(plain, norm=False)
    return {"weight": weights, "bias": others - weights, "norm": count_params(plain) - others}[kind]
