"""The pieces of a supernet that are timed one by one, and the settings in which each can occur."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from msgspec import Struct
from torch import Tensor, nn

from supernet.errors import RunError
from supernet.measure.costs.counting import BATCH
from supernet.measure.costs.places import Places, locations
from supernet.measure.costs.probe import completing_codes, partial_codes
from supernet.measure.costs.tables import Tabulated, Term, by_route, grid, joint, setting
from supernet.measure.untouched import placed_like, threads, untouched
from supernet.nn import Decisions, Mutable, Routes, Supernet
from supernet.nn.batch import Fields
from supernet.nn.extraction import plain_module
from supernet.nn.input_shape import InputShape, example, shape_of
from supernet.nn.mutable import choices_within, is_opaque
from supernet.space import Choice, Codes, Expr, Space
from supernet.space.conditions import Conditions, all_hold, exclusive
from supernet.space.ways import Passes, Ways

Path: TypeAlias = tuple[tuple[int, int], ...]
"""A call: (module id, how many times its caller had called it before) from the outermost module inwards."""

_LISTED = 2**16  # joint settings beyond which a piece is cut without being listed
_CHECKED = 8  # random architectures that the blocks are compared with


class Setting(NamedTuple):
    """One form of a block: decisions (D,) under which it occurs, and the shape (C, H, W) that enters."""

    code: tuple[int, ...]
    input_shape: InputShape


@dataclass(frozen=True)
class Block:
    """One call of one module, timed by itself.

    Attributes:
        name: Name of the module in the network.
        module: The module that is called.
        choices: The choices that decide the module's form and the shape that enters.
        alternatives: Sets of conditions, of which one holds when the block runs.
        settings: The forms of the block by joint setting of the choices, in the order of `tables.grid`; those left out
            never run.
    """

    name: str
    module: nn.Module
    choices: tuple[Choice, ...]
    alternatives: tuple[Conditions, ...]
    settings: Mapping[int, Setting]

    def plain(self, net: Supernet, at: Setting) -> nn.Module:
        """The block in one setting, as plain torch modules."""
        with net.active(Decisions(zip(net.space.names, at.code, strict=True))):
            return plain_module(self.module, net.selection, net.space.choices)

    def entry(self, space: Space, cost: Mapping[int, float], ways: Ways | None) -> Entry:
        """The block as a table, from its cost in each setting; on one of these ways, as long as a route comes by."""
        passes, alternatives = _apart(self.alternatives, ways)
        gates = dict.fromkeys(c for conditions in alternatives for one in conditions for c in one.choices())
        choices = tuple(dict.fromkeys([*self.choices, *gates]))
        values = [cost.get(number, 0.0) for number in range(joint(self.choices))]
        term = Term(Tabulated(self.choices, values), alternatives)
        names = tuple(choice.name for choice in choices)
        route = None if passes is None else (passes.node, passes.after)
        return Entry(self.name, names, tuple(term.evaluate(space, grid(space, choices)).tolist()), route)


class Entry(Struct, frozen=True, omit_defaults=True):
    """What a block costs.

    Attributes:
        name: Name of the module in the network.
        choices: Names of the choices that the cost depends on.
        cost_ms: Milliseconds by joint setting of the choices, in the order of `tables.grid`; 0 where the block does not
            run.
        route: The node that a route must come by for the block to run, and the one that it must go on to (None: any).
            None: the block is on no route.
    """

    name: str
    choices: tuple[str, ...]
    cost_ms: tuple[float, ...]
    route: tuple[int, int | None] | None = None


def ways_of(net: Supernet) -> Ways | None:
    """The ways of a network that has routes at one place; None: it has none, or several."""
    found = [module.ways for module in net.module.modules() if isinstance(module, Routes)]
    return found[0] if len(found) == 1 else None


def _apart(alternatives: tuple[Conditions, ...], ways: Ways | None) -> tuple[Passes | None, tuple[Conditions, ...]]:
    """A condition that a route of these ways comes by, and all others: it asks about too many choices for a table."""
    routed, _ = by_route([Term(1.0, alternatives)])
    for passes, (term,) in routed.items():
        if passes.ways is ways:
            return passes, term.alternatives
    return None, alternatives


def blocks_of(net: Supernet, input_shape: InputShape, *, max_settings: int) -> list[Block]:
    """Cut a network into the largest pieces that occur in few settings each.

    Which choices decide the shape that enters a module is found by changing one decision at a time and watching.
    What a cut module computes itself, between the modules it calls (sums, concatenations), belongs to no block;
    neither do modules without children that take several inputs.

    Args:
        net: The supernet; it is left untouched.
        input_shape: InputShape of one input, (C, H, W).
        max_settings: A piece that occurs in more settings is cut into the modules it calls.

    Raises:
        RunError: a layer that cannot be cut occurs in more settings, or what enters a block depends on more than
            the one-by-one changes showed.
    """
    space = net.space
    with _watching(net, input_shape) as watch:
        sites = _Sites(net, watch)
        pieces = list(sites.cut((watch.root,), max_settings))
        needs = [rows for piece in pieces for rows in piece.needs]
        seen = [(code, watch.run(code)) for code in completing_codes(space, np.zeros((0, len(space)), np.int16), needs)]
        blocks = []
        for piece in pieces:
            settings: dict[int, Setting] = {}
            for code, calls in seen:
                shape = calls.get(piece.path)
                if shape is not None:
                    number = int(setting(space, piece.choices, code[None])[0])
                    settings.setdefault(number, Setting(tuple(code.tolist()), shape))
            name, module = sites.name(piece.path), watch.modules[piece.path]
            blocks.append(Block(name, module, piece.choices, piece.alternatives, settings))
        _verify(space, watch, pieces, blocks)
    return blocks


class _Piece(NamedTuple):
    path: Path
    choices: tuple[Choice, ...]
    alternatives: tuple[Conditions, ...]
    needs: list[Codes]
    """Per setting the partial codes (M, D) that show it; −1 leaves a column open."""


class _Watch:
    """Runs architectures on zeros and notes what enters every module: a shape, or None where it cannot be told."""

    def __init__(self, net: Supernet, x: Fields) -> None:
        self._net, self._x = net, x
        self.root = (id(net.module), 0)
        self.modules: dict[Path, nn.Module] = {}
        self._stack: list[tuple[Path, Counter[int]]] = []
        self._seen: dict[Path, InputShape | None] = {}

    def run(self, code: Codes) -> dict[Path, InputShape | None]:
        self._stack, self._seen = [((), Counter())], {}
        self._net(self._x, Decisions(zip(self._net.space.names, code.tolist(), strict=True)))
        return self._seen

    def enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        caller, calls = self._stack[-1]
        path = (*caller, (id(module), calls[id(module)]))
        calls[id(module)] += 1
        self.modules[path] = module
        self._seen[path] = _shape(args) if not kwargs else None
        self._stack.append((path, Counter()))

    def leave(self, module: nn.Module, args: Any, output: Any) -> None:
        self._stack.pop()

    def called_by(self, path: Path) -> list[Path]:
        """The calls that a call made, in any architecture seen so far."""
        return [other for other in self.modules if other[:-1] == path]


@contextmanager
def _watching(net: Supernet, input_shape: InputShape) -> Iterator[_Watch]:
    watch = _Watch(net, placed_like(net, example(input_shape, BATCH)))
    with untouched(net), threads(1), torch.no_grad(), torch.random.fork_rng(devices=[]):
        handles = []
        for module in net.module.modules():
            handles.append(module.register_forward_pre_hook(watch.enter, with_kwargs=True))
            handles.append(module.register_forward_hook(watch.leave))
        try:
            yield watch
        finally:
            for handle in handles:
                handle.remove()


def _shape(args: tuple[Any, ...]) -> InputShape | None:
    x = args[0] if len(args) == 1 else None
    return shape_of(x) if isinstance(x, Tensor) and x.ndim > 0 and x.shape[0] == BATCH else None


class _Sites:
    """On which choices each call depends: those inside the module, and those that decide the shape that enters."""

    def __init__(self, net: Supernet, watch: _Watch) -> None:
        self._space, self._watch, self._ways = net.space, watch, ways_of(net)
        self._places = Places(net.module)
        places = list(locations(net.module))
        self._names = {id(place.module): place.name for place in reversed(places)}
        self._order = {module: number for number, module in enumerate(reversed(self._names))}
        self._entering: dict[Path, dict[Choice, None]] = {}
        self._untold: set[Path] = set()
        self._vary(net, {place.conditions for place in places})

    def _vary(self, net: Supernet, conditions: Iterable[Conditions]) -> None:
        """Run architectures in which every module runs, each with its decisions changed one at a time.

        A size takes all of its values, for neighbouring ones may look alike behind strides. Which candidate runs
        rarely shapes anything, and is changed to another candidate from each architecture.
        """
        space = self._space
        ordered = sorted(conditions, key=lambda one: (len(one), str(one)))
        needs = [rows for one in ordered if len(rows := partial_codes(space, one, ()))]
        ends = space.codes([space.largest(), space.smallest()])
        bases = np.concatenate([ends, completing_codes(space, ends, needs)])
        sizes = _sizes(net)
        for number, base in enumerate(bases):
            before = self._run(base)
            for column, choice in enumerate(space.choices):
                steps = range(1, len(choice))
                for step in steps if choice in sizes else steps[number % len(steps) :][:1] if steps else ():
                    changed = base.copy()
                    changed[column] = (changed[column] + step) % len(choice)
                    after = self._run(changed)
                    for path in before.keys() & after.keys():
                        if before[path] != after[path]:
                            self._entering.setdefault(path, {})[choice] = None

    def _run(self, code: Codes) -> dict[Path, InputShape | None]:
        seen = self._watch.run(code)
        self._untold |= {path for path, shape in seen.items() if shape is None}
        return seen

    def name(self, path: Path) -> str:
        module, ordinal = path[-1]
        return self._names.get(module, "") + (f" (call {ordinal + 1})" if ordinal else "")

    def cut(self, path: Path, limit: int) -> Iterator[_Piece]:
        """The call as one piece if it occurs in few settings, or else the calls it makes, cut in turn."""
        module = self._watch.modules[path]
        called = [] if is_opaque(module) else self._watch.called_by(path)
        if path not in self._untold:
            within = {*choices_within(module), *self._entering.get(path, ())}
            choices = tuple(choice for choice in self._space.choices if choice in within)
            alternatives = self._alternatives(path)
            _, asked = _apart(alternatives, self._ways)
            gates = {c for conditions in asked for one in conditions for c in one.choices()}
            if (count := joint(within | gates)) <= _LISTED:
                needs = self._needs(choices, alternatives)
                count = len(needs)
                if count <= limit:
                    yield _Piece(path, choices, alternatives, needs)
                    return
            if not called:
                raise RunError(
                    f"The layer {self.name(path)!r} occurs in {count:,} settings of {len(choices)} choices, more than "
                    f"max_settings={limit}, and cannot be cut further. Raise max_settings, or learn the latency of "
                    "whole networks with measure.LatencyPredictor."
                )
        for child in sorted(called, key=lambda child: (self._order.get(child[-1][0], 0), child[-1][1])):
            yield from self.cut(child, limit)

    def _alternatives(self, path: Path) -> tuple[Conditions, ...]:
        """Under which decisions of the choice blocks and stages around it a call is made."""
        found: tuple[Conditions, ...] = ((),)
        for end in range(1, len(path)):
            caller, (_, ordinal) = self._watch.modules[path[:end]], path[end]
            places = self._places.of(caller, self._watch.modules[path[: end + 1]])
            if places:
                asked = places if exclusive(places) else [places[ordinal % len(places)]]
                found = tuple((*before, *conditions) for before in found for conditions in asked)
        return found

    def _needs(self, choices: tuple[Choice, ...], alternatives: tuple[Conditions, ...]) -> list[Codes]:
        rows = np.concatenate([partial_codes(self._space, conditions, choices) for conditions in alternatives])
        active = self._space.active_mask(rows)
        for column, choice in enumerate(self._space.choices):
            if not _gates(choice) <= set(choices):
                active[:, column] = True  # whether it matters is not decided here
        rows = rows[(active | (rows <= 0)).all(axis=1)]
        numbers = setting(self._space, choices, rows)
        order = np.argsort(numbers, kind="stable")
        return np.split(rows[order], np.flatnonzero(np.diff(numbers[order])) + 1)


def _gates(choice: Choice) -> set[Choice]:
    """The choices that decide whether a choice matters."""
    asked = set() if choice.when is None else set(choice.when.choices())
    return asked.union(*(_gates(one) for one in asked))


def _sizes(net: Supernet) -> set[Choice]:
    """Choices that some layer reads as a size, or that it may."""
    layers = [layer for layer in net.module.modules() if isinstance(layer, Mutable) and not layer.mixes]
    return {c for layer in layers for size in layer.depends_on() if isinstance(size, Expr) for c in size.choices()}


def _verify(space: Space, watch: _Watch, pieces: Sequence[_Piece], blocks: Sequence[Block]) -> None:
    """Compare what enters each block in architectures drawn at random with what its settings say."""
    codes = space.population(np.random.default_rng(0), _CHECKED)
    seen = [watch.run(code) for code in codes]
    for piece, block in zip(pieces, blocks, strict=True):
        runs = np.any([all_hold(conditions, space, codes) for conditions in block.alternatives], axis=0)
        for row, number in enumerate(setting(space, block.choices, codes).tolist()):
            known = block.settings.get(number) if runs[row] else None
            expected, found = None if known is None else known.input_shape, seen[row].get(piece.path)
            if found != expected:
                raise RunError(
                    f"What enters {block.name!r} depends on more than the choices "
                    f"{[choice.name for choice in block.choices]}: {found} instead of {expected} for "
                    f"{space.wrap(codes[row : row + 1])[0]}. Learn the latency of whole networks with "
                    "measure.LatencyPredictor instead."
                )
