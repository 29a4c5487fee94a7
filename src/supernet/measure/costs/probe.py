"""Forward passes that find out which module multiplies how much, and under which decisions it was called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import nn

from supernet.errors import RunError
from supernet.measure.costs.counting import BATCH, counted
from supernet.measure.costs.flop_mode import FlopMode
from supernet.measure.costs.places import Places
from supernet.measure.costs.tables import grid, joint
from supernet.measure.untouched import placed_like
from supernet.nn import Decisions, Supernet
from supernet.nn.batch import Fields
from supernet.nn.input_shape import InputShape, example
from supernet.nn.mutable import is_opaque
from supernet.space import Choice, Codes, Space
from supernet.space.conditions import Chosen, Conditions, all_hold
from supernet.space.ways import Passes

_MOST_SETTINGS = 2**16
_MOST_TURNS = 64  # choices of any set of many inputs have thousands of options

Path: TypeAlias = tuple[tuple[int, int], ...]
"""A call: (module id, how many times its caller had called it before) from the outermost module inwards."""

Key: TypeAlias = tuple[Path, Conditions]
"""A call under conditions. One module can be the candidate of several options."""


class Call(NamedTuple):
    """One call of a module in one pass.

    Attributes:
        module: The module that was called.
        conditions: The decisions on which the call depends.
        macs: Its multiply-accumulates per image, without those of the modules it called.
    """

    module: nn.Module
    conditions: Conditions
    macs: float


class Pass(NamedTuple):
    """One forward pass: the decisions (D,), every call that multiplied, and the total per image.

    Of a pass along all routes at once the calls on routes alone are kept.
    """

    code: NDArray[np.int16]
    calls: dict[Key, Call]
    macs: float


@dataclass
class _Frame:
    module: nn.Module
    path: Path
    conditions: Conditions
    before: int
    inner: int = 0
    seen: Counter[int] = field(default_factory=Counter)


def passes(net: Supernet, input_shape: InputShape, codes: Codes, *, along: Sequence[Choice] = ()) -> list[Pass]:
    """Run every row of a population once on zeros, counting; the network is left untouched.

    Args:
        net: The supernet.
        input_shape: The shape of one input.
        codes: The population (N, D).
        along: The choices of routes of which all options run at once, whatever a row says.
    """
    x = placed_like(net, example(input_shape, BATCH))
    with counted(net) as counter:
        watch = _Watch(net, counter, along)
        with watch.hooked():
            return [watch.run(x, code) for code in codes]


class _Watch:
    def __init__(self, net: Supernet, counter: FlopMode, along: Sequence[Choice]) -> None:
        self._net, self._counter, self._places = net, counter, Places(net.module)
        self._open = {choice.name: tuple(range(len(choice))) for choice in along}
        self._code = np.zeros(len(net.space), dtype=np.int16)
        self._stack: list[_Frame] = []
        self._calls: dict[Key, Call] = {}
        self._opaque = {id(module) for module in net.modules() if is_opaque(module)}

    def run(self, x: Fields, code: NDArray[np.int16]) -> Pass:
        start, self._code = self._counter.flops, code
        self._stack, self._calls = [_Frame(self._net, (), (), start)], {}
        decisions = Decisions(zip(self._net.space.names, code.tolist(), strict=True))
        decisions.update(self._open)
        self._net(x, decisions)
        if self._open:
            self._calls = {key: call for key, call in self._calls.items() if on_routes(call.conditions)}
        return Pass(code, self._calls, (self._counter.flops - start) / (2 * BATCH))

    @contextmanager
    def hooked(self) -> Iterator[None]:
        handles = []
        for module in self._net.module.modules():
            handles.append(module.register_forward_pre_hook(self._enter))
            handles.append(module.register_forward_hook(self._leave))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, module: nn.Module, args: Any) -> None:
        caller = self._stack[-1]
        ordinal = caller.seen[id(module)]
        caller.seen[id(module)] += 1
        conditions = caller.conditions + self._condition(caller.module, module, ordinal)
        path = (*caller.path, (id(module), ordinal))
        self._stack.append(_Frame(module, path, conditions, self._counter.flops))

    def _condition(self, caller: nn.Module, module: nn.Module, ordinal: int) -> Conditions:
        places = self._places.of(caller, module)
        if len(places) > 1:
            places = [one for one in places if all_hold(one, self._net.space, self._code[None])[0]]
        return places[ordinal % len(places)] if places else ()

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        frame = self._stack.pop()
        spent = self._counter.flops - frame.before
        caller = self._stack[-1]
        if not self._opaque.isdisjoint(id(outer.module) for outer in self._stack):
            return  # the opaque layer around it answers for everything inside
        caller.inner += spent
        own = spent if id(module) in self._opaque else spent - frame.inner
        if own:
            self._calls[frame.path, frame.conditions] = Call(module, frame.conditions, own / (2 * BATCH))


def on_routes(conditions: Conditions) -> bool:
    """Whether one of the conditions is that a route comes by."""
    return any(isinstance(condition, Passes) for condition in conditions)


def aligned_codes(space: Space, resolutions: Codes, by: Sequence[Choice]) -> Codes:
    """Architectures in which all choices take their j-th option, for each j up to 64, at every resolution."""
    options = np.asarray([len(choice) for choice in space.choices])
    turns = np.arange(min(options.max(initial=1), _MOST_TURNS))[:, None]
    columns = [space.column(choice.name) for choice in by]
    families = []
    for resolution in resolutions:
        at_resolution = np.repeat(turns, len(space), axis=1) % options
        at_resolution[:, columns] = resolution[columns]
        families.append(at_resolution)
    return np.concatenate(families).astype(np.int16)


def base_codes(space: Space, resolutions: Codes, by: Sequence[Choice]) -> Codes:
    """Architectures that show every option of every choice, at every resolution and in unlike company.

    In the first family all choices take their j-th option; in the second neighbouring columns take different
    ones; a few drawn at random (always the same) follow. Of a choice of more than 64 options the first 64 are shown.
    """
    options = np.asarray([len(choice) for choice in space.choices])
    turns = np.arange(min(options.max(initial=1), _MOST_TURNS))[:, None]
    unlike = (turns + np.arange(len(space))) % options
    drawn = np.random.default_rng(0).integers(options, size=(4, len(space)))
    families = (aligned_codes(space, resolutions, by), unlike.astype(np.int16), drawn.astype(np.int16))
    return np.unique(np.concatenate(families), axis=0)


def completing_codes(space: Space, seen: Codes, needs: Sequence[Codes]) -> Codes:
    """Few more architectures, so that every need is met.

    Args:
        space: The space that the architectures are from.
        seen: Rows (N, D) that exist already.
        needs: Per need, the partial rows (M, D) of which one must occur; −1 leaves a column open.
    """
    packs, held = np.empty((len(needs), len(space)), dtype=np.int16), 0
    for rows in needs:
        if _agreeing(rows, seen) is not None:
            continue
        found = _agreeing(rows, packs[:held])
        if found is not None:
            pack, row = packs[found[0]], rows[found[1]]
            pack[row >= 0] = row[row >= 0]
        elif len(rows):
            packs[held] = rows[0]
            held += 1
    options = np.asarray([len(choice) for choice in space.choices])
    turned = (np.arange(held)[:, None] + np.arange(len(space))) % options
    return np.where(packs[:held] < 0, turned, packs[:held]).astype(np.int16)


def _agreeing(rows: Codes, others: Codes) -> tuple[int, int] | None:
    """The place of the first of the others that a row agrees with where both are closed, and of its first such row.

    One loop, over the fewer: there are as many needs as there are options, and up to 65,536 rows in each.
    """
    if len(rows) <= len(others):
        agreeing = ((_agree(row, others), number) for number, row in enumerate(rows))
        return min(((int(fits.argmax()), number) for fits, number in agreeing if fits.any()), default=None)
    for place, other in enumerate(others):
        if (fits := _agree(other, rows)).any():
            return place, int(fits.argmax())
    return None


def _agree(code: NDArray[np.int16], codes: Codes) -> NDArray[np.bool_]:
    """Which rows (N, D) are as a code (D,) wherever neither is −1."""
    found: NDArray[np.bool_] = ((code < 0) | (codes < 0) | (codes == code)).all(axis=1)
    return found


def partial_codes(space: Space, conditions: Conditions, choices: Sequence[Choice]) -> Codes:
    """Every joint setting of `choices` and the conditions' own that meets the conditions; −1 elsewhere.

    Of more than 65,536 settings those alone in which choices outside `choices` have the first option that will do.

    Raises:
        RunError: these are still more than 65,536.
    """
    involved = tuple(dict.fromkeys([*choices, *(c for condition in conditions for c in condition.choices())]))
    settled: dict[Choice, int] = {}
    if joint(involved) > _MOST_SETTINGS or on_routes(conditions):
        settled = _settled(conditions, choices)
    free = tuple(choice for choice in involved if choice not in settled)
    if joint(free) > _MOST_SETTINGS:
        raise RunError(
            f"A module runs under conditions on {len(free)} choices with {joint(free):,} joint settings, too "
            "many to tabulate. Use measure.count_macs(net.extract(arch), input_shape) for single architectures."
        )
    codes = grid(space, free)
    for choice, code in settled.items():
        codes[:, space.column(choice.name)] = code
    met = codes[all_hold(conditions, space, codes)]
    closed = np.isin(np.arange(len(space)), [space.column(choice.name) for choice in involved])
    return np.where(closed, met, np.int16(-1))


def _settled(conditions: Conditions, choices: Sequence[Choice]) -> dict[Choice, int]:
    """An option that meets the conditions, for each choice that nothing else asks about, but for `choices`.

    Of a route it is an example that comes by.
    """
    kept = {
        *choices,
        *(c for condition in conditions if not isinstance(condition, Chosen | Passes) for c in condition.choices()),
    }
    left: dict[Choice, set[int]] = {}
    for condition in conditions:
        if isinstance(condition, Passes):
            example = condition.example()
            for choice in set(condition.choices()) - kept:
                options = left.setdefault(choice, set(range(len(choice))))
                options &= {example[choice]} if choice in example else options
        if isinstance(condition, Chosen) and condition.choice not in kept:
            options = left.setdefault(condition.choice, set(range(len(condition.choice))))
            options &= set(condition.indices)
    return {choice: min(indices, default=0) for choice, indices in left.items()}
