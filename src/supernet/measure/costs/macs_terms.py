"""The MACs of a supernet as a sum of terms, fitted to a few counted forward passes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from supernet.errors import RunError
from supernet.measure.costs.params_terms import product
from supernet.measure.costs.places import locations
from supernet.measure.costs.probe import (
    Key,
    Pass,
    aligned_codes,
    base_codes,
    completing_codes,
    on_routes,
    partial_codes,
    passes,
)
from supernet.measure.costs.tables import Tabulated, Term, grid, joint, setting
from supernet.nn import Mutable, Routes, Supernet
from supernet.nn.input_shape import InputShape
from supernet.nn.mutable import choices_within, is_opaque, products
from supernet.space import Choice, Codes, Expr
from supernet.space.conditions import Conditions, all_hold
from supernet.space.text import readable
from supernet.space.ways import Passes

_MAX_SETTINGS = 256  # forward passes that one module may cost


class _Site(NamedTuple):
    """A call that occurs in several passes."""

    module: nn.Module
    conditions: Conditions
    seen: list[tuple[Pass, float]]


def macs_terms(net: Supernet, input_shape: InputShape) -> tuple[list[Term], tuple[str, ...]]:
    """Terms whose sum is the MACs of one image, and the names of modules that no term describes.

    An elastic layer multiplies (its weight's size, or what it says) × (number of positions); the positions may differ
    with the resolution alone, or the size of patches. A module without choices inside has one figure per resolution.
    Whatever else multiplies between elastic layers is tabulated over the choices inside it.

    Raises:
        RunError: the passes contradict that.
    """
    by = _resolution_choices(net)
    resolutions = grid(net.space, by)
    names = {id(place.module): place.name for place in reversed(list(locations(net.module)))}

    along = _route_choices(net)
    broad = passes(net, input_shape, aligned_codes(net.space, resolutions, by), along=along) if along else []
    done = passes(net, input_shape, _covering(net, resolutions, by, broad))
    done += passes(net, input_shape, _tabulating(net, done, broad, by))
    terms: list[Term] = []
    blind: dict[Key, str] = {}
    for key, site in _sites([*done, *broad]).items():
        name = names.get(id(site.module), type(site.module).__name__)
        term = _fitted(net, site, by, len(resolutions), name)
        if term is None:
            blind[key] = name
        else:
            terms.append(term)
    _verify(net, terms, done, blind)
    return terms, tuple(sorted(set(blind.values())))


def _route_choices(net: Supernet) -> tuple[Choice, ...]:
    """The choices of routes that may all run at once, since nothing else depends on them."""
    mutables: list[Mutable] = [module for module in net.module.modules() if isinstance(module, Mutable)]
    others = {choice for module in mutables if not isinstance(module, Routes) for choice in module.depends_on()}
    found = dict.fromkeys(c for module in mutables if isinstance(module, Routes) for c in module.depends_on())
    return () if others & set(found) else tuple(found)


def _covering(net: Supernet, resolutions: Codes, by: Sequence[Choice], broad: Sequence[Pass]) -> Codes:
    """Architectures in which every module that ever runs does so, at every resolution, if none of `broad` shows it."""
    base = base_codes(net.space, resolutions, by)
    distinct = {place.conditions for place in locations(net.module)}
    needs: list[Codes] = []
    for conditions in sorted(distinct, key=lambda conditions: (len(conditions), str(conditions))):
        if broad and on_routes(conditions) and _shown(net, conditions, len(resolutions), by, broad):
            continue
        partial = partial_codes(net.space, conditions, by)
        at = setting(net.space, by, partial)
        needs += [partial[at == number] for number in range(len(resolutions))]
    return np.concatenate([base, completing_codes(net.space, base, [need for need in needs if len(need)])])


def _shown(
    net: Supernet, conditions: Conditions, resolutions: int, by: Sequence[Choice], broad: Sequence[Pass]
) -> bool:
    """Whether passes along all routes meet the other conditions, at every resolution."""
    rest = tuple(condition for condition in conditions if not isinstance(condition, Passes))
    codes = np.asarray([one.code for one in broad])
    met = codes[all_hold(rest, net.space, codes)]
    return len(np.unique(setting(net.space, by, met))) == resolutions


def _tabulating(net: Supernet, done: Sequence[Pass], broad: Sequence[Pass], by: Sequence[Choice]) -> Codes:
    """Further architectures that show every setting of the modules that are tabulated."""
    needs: list[Codes] = []
    for site in _sites([*done, *broad]).values():
        choices = _table_choices(site.module, by)
        if choices is not None:
            needs += [row[None] for row in partial_codes(net.space, site.conditions, choices)]
    return completing_codes(net.space, np.asarray([one.code for one in done]), needs)


def _fitted(net: Supernet, site: _Site, by: Sequence[Choice], resolutions: int, name: str) -> Term | None:
    """The MACs of one call of a module; None if it is unknown what they depend on."""
    choices = _table_choices(site.module, by)
    if choices is not None:
        return Term(_tabulate(net, site, choices, name), (site.conditions,))
    factors, spread = _factors(net, site, by, resolutions)
    if not spread:
        return Term(_size(site.module), (site.conditions,), factors, tuple(by))
    if any(p.ndim >= 2 for p in site.module.parameters()) and not _has_choices_between(site.module):
        raise _moving(name)
    return None


def _resolution_choices(net: Supernet) -> tuple[Choice, ...]:
    found: dict[Choice, None] = {}
    for module in net.module.modules():
        for size in module.scales() if isinstance(module, Mutable) else ():
            if isinstance(size, Expr):
                found.update(dict.fromkeys(size.choices()))
    return tuple(found)


def _sites(done: Sequence[Pass]) -> dict[Key, _Site]:
    sites: dict[Key, _Site] = {}
    for one in done:
        for key, call in one.calls.items():
            site = sites.setdefault(key, _Site(call.module, call.conditions, []))
            site.seen.append((one, call.macs))
    return sites


def _has_choices_between(module: nn.Module) -> bool:
    """Whether a module that does not say what it multiplies has choices inside."""
    return not _multiplied(module) and any(isinstance(m, Mutable) for m in module.modules())


def _table_choices(module: nn.Module, by: Sequence[Choice]) -> tuple[Choice, ...] | None:
    """What the own matrix products of a module are tabulated over; None where a table is not needed or too large."""
    choices = tuple(dict.fromkeys([*choices_within(module), *by]))
    return choices if _has_choices_between(module) and joint(choices) <= _MAX_SETTINGS else None


def _multiplied(module: nn.Module) -> list[Expr | int]:
    """The sizes of what an elastic layer multiplies by: its parameters of two dimensions or more."""
    if not isinstance(module, Mutable) or is_opaque(module):
        return []
    said = products(module)
    if said is not None:
        return [said]
    if module._modules:
        return []
    held = {name for name, parameter in module._parameters.items() if parameter is not None}
    own = held - set(module.absorbed())
    return [product(shape) for name, shape in module.shapes().items() if len(shape) >= 2 and name in own]


def _size(module: nn.Module) -> Expr | int:
    """MACs per position; of a module without choices inside, 1."""
    first, *others = _multiplied(module) or [1]
    total: Any = first
    for other in others:
        total = total + other
    found: Expr | int = total
    return found


def _factors(net: Supernet, site: _Site, by: Sequence[Choice], count: int) -> tuple[tuple[float, ...], bool]:
    """MACs over size at each resolution, and whether that differs between passes at one resolution."""
    size = _size(site.module)
    found: dict[int, set[float]] = {}
    for one, macs in site.seen:
        codes = one.code[None]
        at = int(setting(net.space, by, codes)[0])
        found.setdefault(at, set()).add(macs / float(np.ravel(net.space.values(codes, size))[0]))
    spread = any(len(values) > 1 for values in found.values())
    return tuple(max(found.get(at, {0.0})) for at in range(count)), spread


def _tabulate(net: Supernet, site: _Site, choices: tuple[Choice, ...], name: str) -> Tabulated:
    values: dict[int, float] = {}
    for one, macs in site.seen:
        at = int(setting(net.space, choices, one.code[None])[0])
        if values.setdefault(at, macs) != macs:
            raise _moving(name)
    return Tabulated(choices, [values.get(at, 0.0) for at in range(joint(choices))])


def _verify(net: Supernet, terms: Sequence[Term], done: Sequence[Pass], blind: Collection[Key]) -> None:
    codes = np.asarray([one.code for one in done])
    told = sum((term.evaluate(net.space, codes) for term in terms), np.zeros(len(codes)))
    counted = [one.macs - sum(call.macs for key, call in one.calls.items() if key in blind) for one in done]
    wrong = np.flatnonzero(~np.isclose(told, counted, rtol=1e-9))
    if len(wrong):
        arch = net.space.wrap(codes[wrong[:1]])[0]
        raise RunError(
            f"The MACs of this network are no sum over its modules: {told[wrong[0]]:,.0f} by the sum, "
            f"{counted[wrong[0]]:,.0f} counted, for {readable(arch)}. Some module is called only under "
            "conditions that the module tree does not show. Use measure.count_macs(net.extract(arch), input_shape) "
            "instead."
        )


def _moving(name: str) -> RunError:
    return RunError(
        f"The output size of {name!r} depends on other choices than an elastic resolution (candidates of different "
        "stride, say), so its MACs cannot be tabulated. Use measure.count_macs(net.extract(arch), input_shape)."
    )
