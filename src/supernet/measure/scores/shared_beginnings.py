"""Scores of many subnets, whose common beginnings run once.

Subnets of a chain that decide alike up to some layer compute the same up to there, with the same batch statistics.
In the order of a dictionary each of them begins anew only where it differs from the one before: of the 6,561 networks
of NAS-Bench-Macro, 9,840 layers run instead of 52,488. The scores are those of `scores`, bit for bit.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from supernet.data import Batch, Data, Split
from supernet.measure.scores.batch_statistics import (
    Average,
    BatchNorm,
    normalised_by_the_batch,
    tracked_batch_norms,
)
from supernet.measure.scores.calibration import Calibration
from supernet.measure.scores.scores import Scores, Tally, check_calibrated, computed_in
from supernet.measure.untouched import batch_like, placed_like, untouched
from supernet.nn import Supernet
from supernet.nn.batch import Fields, called
from supernet.nn.mutable import Mutable
from supernet.nn.output import Output, as_output
from supernet.precision import Precision
from supernet.space import Arch, Expr
from supernet.tasks import Generates, Task

Way: TypeAlias = tuple[int, ...]
"""What an architecture decides up to the end of a layer."""


@dataclass(frozen=True)
class Together:
    """What was measured of many subnets.

    Attributes:
        scores: The scores of each, in the order in which they were given.
        runs: Number of layers that ran, over all batches.
        saved: Number of layers that did not, since a subnet before had run them.
    """

    scores: list[Scores]
    runs: int
    saved: int


class _NoChainError(Exception):
    """The layers of the network do not run in their order, each at most once."""


def scores_together(
    net: Supernet,
    archs: Sequence[Arch],
    batches: Iterable[Batch],
    calibration: Calibration | None,
    data: Data | Split,
    *,
    task: Task | None = None,
    precision: Precision = "32-true",
    least_saving: float = 0.0,
) -> Together | None:
    """The scores of many subnets, as `run_scores` tells them one by one.

    A layer is a child of the network, or of its rows (`nn.Sequential`, `nn.ModuleList`), wherever it is.

    Args:
        net: The supernet.
        archs: The architectures; all of their meters and statistics are in memory at once.
        batches: The examples, which are gone through once.
        calibration: How to recompute BatchNorm statistics first; None keeps those that the network holds.
        data: Where the calibration takes its examples from, and the task.
        task: What is asked of the network; None: the task of the data, of a split classification.
        precision: Arithmetic of the evaluation.
        least_saving: The share of the layers with weights, 0 … 1, that must be saved for it to be done.

    Returns:
        The scores; None where that saves less, where layers do not run in the order in which the network has them, or
        where the task asks the network for more than one output.

    Raises:
        UsageError: the network does not return what the task asks for, or has no BatchNorm statistics.
        RunError: an output or a score is not finite.
    """
    tallies = {arch: Tally(data, task, arch) for arch in archs}
    if any(isinstance(tally.meter, Generates) for tally in tallies.values()):
        return None
    chain = _Chain(net)
    if chain.saving(list(tallies)) < least_saving:
        return None
    ordered = sorted(tallies, key=chain.order)
    try:
        with ExitStack() as stack, torch.no_grad():
            stack.enter_context(computed_in(net, precision))
            if calibration is None:
                check_calibrated(net)
            stack.enter_context(untouched(net))
            if calibration is not None:
                chain.calibrate(ordered, (placed_like(net, x) for x in calibration.batches(data)), calibration)
            for given in batches:
                batch = batch_like(net, given)
                with closing(chain.outputs(ordered, batch.x)) as answers:
                    for arch, output in answers:
                        tallies[arch].add(output, batch, _asked)
    except _NoChainError:
        return None
    return Together([tallies[arch].scores() for arch in archs], chain.runs, chain.saved)


def _asked(x: Fields) -> Output:
    raise AssertionError("meters that ask more of the network are left to run_scores")


@dataclass
class _Layer:
    """A layer of the chain, and what it returned last.

    Attributes:
        module: The layer.
        columns: The choices that it and those before it read, as columns of the space.
        norms: The BatchNorms inside that keep statistics.
        way: The way for which it has an output.
        output: The output.
        versions: How often its tensors had been written to when it was returned.
        again: Whether it is asked once more for this way and batch, whose statistics are known then: it runs only where
            a later layer has written to its output.
    """

    module: nn.Module
    columns: tuple[int, ...]
    norms: list[BatchNorm]
    way: Way | None = None
    output: Any = None
    versions: tuple[int, ...] = ()
    again: bool = False

    def has(self, way: Way) -> bool:
        """Whether the output is that of a way, and nobody has written to it since."""
        return self.way == way and self.versions == _versions(self.output)


@dataclass
class _Chain:
    """A network as layers that run one after the other."""

    net: Supernet
    runs: int = 0
    saved: int = 0
    layers: list[_Layer] = field(default_factory=list)

    def __post_init__(self) -> None:
        space, read = self.net.space, dict[int, None]()
        found = list(_members(self.net.module))
        inside = {id(module) for member in found for module in member.modules()}
        outside = [m for m in self.net.module.modules() if id(m) not in inside]
        for layer in (m for m in outside if isinstance(m, Mutable)):
            read |= dict.fromkeys(_columns(self.net, [layer]))  # it may bear on every layer
        for member in found:
            read |= dict.fromkeys(_columns(self.net, member.modules()))
            self.layers.append(_Layer(member, tuple(read), tracked_batch_norms(member)))
        self._columns = (*read, *(column for column in range(len(space.choices)) if column not in read))
        held = [id(norm) for layer in self.layers for norm in layer.norms]
        self._shared = len(set(held)) < len(held)
        self._rest = [norm for norm in tracked_batch_norms(self.net) if id(norm) not in held]
        self._home = {norm: layer for layer in self.layers for norm in layer.norms}
        self._statistics: dict[tuple[BatchNorm, Way], dict[str, Tensor]] = {}
        self._arch: Arch | None = None
        self._latest = -1

    def order(self, arch: Arch) -> Way:
        """By what architectures are sorted, so that common beginnings are neighbours."""
        return tuple(arch.code[column] for column in self._columns)

    def saving(self, archs: Sequence[Arch]) -> float:
        """The share of the layers with weights that need not run, 0 … 1."""
        heavy = [layer for layer in self.layers if any(True for _ in layer.module.parameters())]
        runs = sum(len({tuple(arch.code[column] for column in layer.columns) for arch in archs}) for layer in heavy)
        return 1 - runs / (len(heavy) * len(archs)) if heavy and archs else 0.0

    def calibrate(self, archs: Sequence[Arch], batches: Iterable[Fields], policy: Calibration) -> None:
        """Find the statistics of every BatchNorm on each way to it."""
        norms = [*self._home, *self._rest]
        fresh = {norm: Average(norm, policy) for norm in norms}
        found: dict[tuple[BatchNorm, Way], Average] = {}

        def average(norm: BatchNorm) -> Average:
            if norm in self._home and self._home[norm].again:
                return copy.copy(fresh[norm])  # this batch is in already
            return found.setdefault((norm, self._way(norm)), copy.copy(fresh[norm]))

        with normalised_by_the_batch(norms, average):
            for x in batches if norms else ():
                for _ in self.outputs(archs, x):
                    pass
        self._statistics = {place: one.statistics() for place, one in found.items()}

    def outputs(self, archs: Sequence[Arch], x: Fields) -> Generator[tuple[Arch, Output]]:
        """What each architecture answers to one batch."""
        if self._shared or not self.layers:
            raise _NoChainError
        for layer in self.layers:
            layer.way = layer.output = None
        with self._followed():
            for arch in archs:
                self._arch, self._latest = arch, -1
                self._put(self._rest)
                with self.net.active(arch):
                    yield arch, as_output(called(self.net, x))

    @contextmanager
    def _followed(self) -> Iterator[None]:
        """Inside, a layer returns what it has returned where the way to it is the same."""
        own = [vars(layer.module).get("forward") for layer in self.layers]
        for number, layer in enumerate(self.layers):
            layer.module.forward = self._memory_of(number, layer)
        try:
            yield
        finally:
            for layer, before in zip(self.layers, own, strict=True):
                del layer.module.forward
                if before is not None:
                    layer.module.forward = before

    def _memory_of(self, number: int, layer: _Layer) -> Callable[..., Any]:
        compute = layer.module.forward

        def forward(*args: Any, **named: Any) -> Any:
            if number <= self._latest:
                raise _NoChainError
            self._latest, way = number, self._codes(layer.columns)
            layer.again = layer.way == way
            if layer.has(way):
                self.saved += 1
                return layer.output
            self._put(layer.norms)
            self.runs += 1
            output = compute(*args, **named)
            layer.way, layer.output, layer.versions = way, output, _versions(output)
            return output

        return forward

    def _put(self, norms: Iterable[BatchNorm]) -> None:
        """Give BatchNorms their statistics on this way, where they have any."""
        for norm in norms if self._statistics else ():
            norm._buffers |= self._statistics.get((norm, self._way(norm)), {})

    def _way(self, norm: BatchNorm) -> Way:
        home = self._home.get(norm)
        return self._codes(range(len(self.net.space.choices)) if home is None else home.columns)

    def _codes(self, columns: Iterable[int]) -> Way:
        assert self._arch is not None
        return tuple(self._arch.code[column] for column in columns)


def _members(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(child, nn.Sequential | nn.ModuleList) and not isinstance(child, Mutable):
            yield from _members(child)
        else:
            yield child


def _columns(net: Supernet, modules: Iterable[nn.Module]) -> list[int]:
    """The choices that layers read, and those by which these are active."""
    left = [size for m in modules if isinstance(m, Mutable) for size in m.depends_on() if isinstance(size, Expr)]
    found: dict[str, None] = {}
    while left:
        for choice in left.pop().choices():
            if choice.name not in found:
                found[choice.name] = None
                left += [] if choice.when is None else [choice.when]
    return sorted(net.space.column(name) for name in found)


def _versions(output: Any) -> tuple[int, ...]:
    """How often the tensors of an output were written to in place."""
    if isinstance(output, Tensor):
        return (output._version,)
    if isinstance(output, dict | list | tuple):
        held = output.values() if isinstance(output, dict) else output
        return tuple(version for one in held for version in _versions(one))
    if output is None or isinstance(output, int | float | str):
        return ()
    raise _NoChainError  # what this holds, others may write to unseen
