"""The MACs of a supernet as a sum of terms, fitted to a few counted forward passes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from torch import nn

from supernet.errors import RunError
from supernet.measure.conditions import Conditions, choices_within, is_opaque, locations
from supernet.measure.probe import Key, Pass, base_codes, completing_codes, partial_codes, passes
from supernet.measure.tables import Tabulated, Term, grid, joint, setting
from supernet.nn import ElasticConv2d, ElasticLinear, ElasticResolution, Mutable, Supernet
from supernet.space import Choice, Codes, Expr

_MAX_SETTINGS = 256  # forward passes that one module may cost


class _Site(NamedTuple):
    """A call that occurs in several passes."""

    module: nn.Module
    conditions: Conditions
    seen: list[tuple[Pass, float]]


def macs_terms(net: Supernet, input_shape: tuple[int, ...]) -> tuple[list[Term], tuple[str, ...]]:
    """Terms whose sum is the MACs of one image, and the names of modules that no term describes.

    An elastic layer multiplies (its weight's size) × (number of positions); the positions may differ with the
    resolution alone. A module without choices inside has one figure per resolution. Whatever multiplies between
    elastic layers (attention) is tabulated over the choices inside it.

    Raises:
        RunError: the passes contradict that.
    """
    space = net.space
    by = _resolution_choices(net)
    resolutions = grid(space, by)
    names = {id(place.module): place.name for place in reversed(list(locations(net.module)))}

    done = passes(net, input_shape, _covering(net, resolutions, by))
    tabulated = {key: site for key, site in _sites(done).items() if _is_tabulated(site)}
    tables = {key: _table_choices(site, by) for key, site in tabulated.items()}
    needs = [
        row[None]
        for key, choices in tables.items()
        if joint(choices) <= _MAX_SETTINGS
        for row in partial_codes(space, tabulated[key].conditions, choices)
    ]
    more = completing_codes(space, np.asarray([p.code for p in done]), needs)
    done += passes(net, input_shape, more)

    terms: list[Term] = []
    blind: set[Key] = set()
    for key, site in _sites(done).items():
        name = names.get(id(site.module), type(site.module).__name__)
        if not _is_tabulated(site):
            factors, spread = _factors(net, site, by, len(resolutions))
            if spread and _has_weights(site.module):
                raise _moving(name)
            if spread:
                blind.add(key)
            else:
                terms.append(Term(_size(site.module), (site.conditions,), factors, by))
        elif key in tables and joint(tables[key]) <= _MAX_SETTINGS:
            terms.append(Term(_tabulate(net, site, tables[key], name), (site.conditions,)))
        else:
            factors, spread = _factors(net, site, by, len(resolutions))
            if spread:
                blind.add(key)
            else:
                terms.append(Term(1, (site.conditions,), factors, by))
    _verify(net, terms, done, blind)
    missing = {
        names.get(id(call.module), type(call.module).__name__)
        for p in done
        for k, call in p.calls.items()
        if k in blind
    }
    return terms, tuple(sorted(missing))


def _covering(net: Supernet, resolutions: Codes, by: Sequence[Choice]) -> Codes:
    """Architectures in which every module that ever runs does so, at every resolution."""
    base = base_codes(net.space, resolutions, by)
    distinct = {place.conditions for place in locations(net.module)}
    needs: list[Codes] = []
    for conditions in sorted(distinct, key=lambda conditions: (len(conditions), str(conditions))):
        partial = partial_codes(net.space, conditions, by)
        at = setting(net.space, by, partial)
        needs += [partial[at == number] for number in range(len(resolutions))]
    return np.concatenate([base, completing_codes(net.space, base, [need for need in needs if len(need)])])


def _resolution_choices(net: Supernet) -> tuple[Choice, ...]:
    found: dict[Choice, None] = {}
    for module in net.module.modules():
        if isinstance(module, ElasticResolution) and isinstance(module.size, Expr):
            found.update(dict.fromkeys(module.size.choices()))
    return tuple(found)


def _sites(done: Sequence[Pass]) -> dict[Key, _Site]:
    sites: dict[Key, _Site] = {}
    for one in done:
        for key, call in one.calls.items():
            site = sites.setdefault(key, _Site(call.module, call.conditions, []))
            site.seen.append((one, call.macs))
    return sites


def _is_tabulated(site: _Site) -> bool:
    """Whether a module multiplies by itself and has choices inside."""
    layer = isinstance(site.module, ElasticConv2d | ElasticLinear) and not is_opaque(site.module)
    return not layer and any(isinstance(m, Mutable) for m in site.module.modules())


def _table_choices(site: _Site, by: Sequence[Choice]) -> tuple[Choice, ...]:
    return tuple(dict.fromkeys([*choices_within(site.module), *by]))


def _has_weights(module: nn.Module) -> bool:
    return any(p.ndim >= 2 for p in module.parameters())


def _size(module: nn.Module) -> Expr | int:
    """MACs per position; of a module without choices inside, 1."""
    layer = cast(Any, module)
    if isinstance(module, ElasticConv2d):
        return cast("Expr | int", layer.width_out * (layer.width_in // layer.group_count) * layer.kernel * layer.kernel)
    if isinstance(module, ElasticLinear):
        return cast("Expr | int", layer.width_out * layer.width_in)
    return 1


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


def _verify(net: Supernet, terms: Sequence[Term], done: Sequence[Pass], blind: set[Key]) -> None:
    codes = np.asarray([one.code for one in done])
    told = sum((term.evaluate(net.space, codes) for term in terms), np.zeros(len(codes)))
    counted = [one.macs - sum(call.macs for key, call in one.calls.items() if key in blind) for one in done]
    wrong = np.flatnonzero(~np.isclose(told, counted, rtol=1e-9))
    if len(wrong):
        arch = net.space.wrap(codes[wrong[:1]])[0]
        raise RunError(
            f"The MACs of this network are no sum over its modules: {told[wrong[0]]:,.0f} by the sum, "
            f"{counted[wrong[0]]:,.0f} counted, for {arch}. Some module is called only under conditions that the "
            "module tree does not show. Use measure.count_macs(net.extract(arch), input_shape) instead."
        )


def _moving(name: str) -> RunError:
    return RunError(
        f"The output size of {name!r} depends on other choices than an elastic resolution (candidates of different "
        "stride, say), so its MACs cannot be tabulated. Use measure.count_macs(net.extract(arch), input_shape)."
    )
