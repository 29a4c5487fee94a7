"""The parameters of a supernet as a sum of terms, read off the module tree."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from torch import nn

from supernet.errors import RunError
from supernet.measure.conditions import Conditions, choices_within, is_opaque, locations
from supernet.measure.counting import count_params, is_norm
from supernet.measure.tables import Tabulated, Term, grid, joint
from supernet.nn import ElasticBatchNorm2d, ElasticConv2d, ElasticLayerNorm, ElasticLinear, Mutable, Supernet
from supernet.nn.extraction import plain_module
from supernet.space import Expr

_MAX_SETTINGS = 4096


class _Held(NamedTuple):
    size: Expr | float
    norm: bool
    alternatives: list[Conditions]


def params_terms(net: Supernet) -> tuple[list[Term], list[Term]]:
    """Terms of the parameters outside and inside normalisation layers.

    A parameter registered at several places counts once, wherever any of them is active.

    Raises:
        RunError: a layer of a kind unknown here depends on more choices than can be tabulated.
    """
    held: dict[tuple[int, bool], _Held] = {}
    for place in locations(net.module):
        if is_opaque(place.module):
            for norm in (False, True):
                key = (id(place.module), norm)
                if key not in held:
                    held[key] = _Held(_tabulated(net, place.module, place.name, norm=norm), norm, [])
                held[key].alternatives.append(place.conditions)
            continue
        for name, parameter in place.module._parameters.items():
            if parameter is not None:
                norm = is_norm(place.module)
                size = _elastic_size(place.module, name)
                entry = held.setdefault(
                    (id(parameter), norm), _Held(parameter.numel() if size is None else size, norm, [])
                )
                entry.alternatives.append(place.conditions)
    terms: tuple[list[Term], list[Term]] = ([], [])
    for entry in held.values():
        unique = tuple(dict.fromkeys(entry.alternatives))
        terms[entry.norm].append(Term(entry.size, ((),) if () in unique else unique))
    return terms


def _elastic_size(module: nn.Module, name: str) -> Expr | int | None:
    layer = cast(Any, module)
    size: Any = None
    if isinstance(module, ElasticConv2d):
        size = layer.width_out
        if name == "weight":
            size = size * (layer.width_in // layer.group_count) * layer.kernel * layer.kernel
    elif isinstance(module, ElasticLinear):
        size = layer.width_out * layer.width_in if name == "weight" else layer.width_out
    elif isinstance(module, ElasticBatchNorm2d | ElasticLayerNorm):
        size = layer.width
    return cast("Expr | int | None", size)


def _tabulated(net: Supernet, module: nn.Module, name: str, *, norm: bool) -> Tabulated:
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
        with net.active(dict(zip(net.space.names, code.tolist(), strict=True))):
            plain = plain_module(module, net.selection, net.space.choices)
        weights = count_params(plain, norm=False)
        counts.append(count_params(plain) - weights if norm else weights)
    return Tabulated(choices, counts)
