"""Latency from a table of blocks, each timed once per form in which it occurs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.measure.costs.tables import Tables, Tabulated, Term
from supernet.measure.latency.blocks import Block, Entry, Setting, blocks_of, ways_of
from supernet.measure.latency.check import LatencyCheck, check_latency
from supernet.measure.latency.machine import THIS_MACHINE, Device
from supernet.measure.latency.model import Figure, Subject, block_fingerprint
from supernet.measure.latency.record import CodeText, Progress, Record, code_texts, codes_of, read_result
from supernet.nn import Supernet
from supernet.nn.input_shape import InputShape
from supernet.space import Codes, Space
from supernet.space.ways import Passes, Ways

FORMAT = "supernet latency table 1"


@dataclass(frozen=True)
class Line:
    """From the sum over blocks to the whole network: `offset_ms + scale · sum`."""

    offset_ms: float
    scale: float


class TableFile(Struct, frozen=True):
    """A table as it stands in a file, but for what it is of."""

    line: Line
    forms: int
    anchors: list[CodeText]
    blocks: tuple[Entry, ...]


@dataclass(frozen=True, eq=False, repr=False)
class LatencyTable:
    """The latency of every architecture of a supernet on one device, from blocks timed one by one.

    latency = offset + scale · Σ blocks. A sum of blocks timed apart is no whole network: what happens between them is
    missing, and a block that has the caches to itself is faster than in company. So the sum is mapped to the network
    by a line through a few architectures measured whole, which never changes the order. What blocks do to each other
    stays unknown; `check` says how much that is, and `LatencyPredictor` learns it.

    Attributes:
        space: The space whose populations the table can tell.
        subject: What the latencies are those of: network, input shape, device, figure.
        entries: The blocks with their latencies.
        line: Offset in milliseconds and scale, which lead from the sum of the blocks to the whole network.
        forms: Number of different blocks that were timed.
        anchors: The architectures (A, D) that the line was put through.
        ways: The ways of routes that blocks stand on; None: there are none, or at several places.

    >>> from torch import nn
    >>> from supernet import Choice, ElasticConv2d, measure
    >>> width = Choice("width", (4, 8))
    >>> net = Supernet(nn.Sequential(ElasticConv2d(3, width), ElasticConv2d(width, 2)))
    >>> quick = measure.ThisMachine(seconds=0)
    >>> table = measure.LatencyTable.build(net, quick, input_shape=(3, 10, 10), repeats=1)
    >>> table.predict_ms(net.space.codes(list(net.space.enumerate()))).shape
    (2,)
    """

    space: Space
    subject: Subject
    entries: tuple[Entry, ...]
    line: Line
    forms: int
    anchors: Codes
    ways: Ways | None = None

    @classmethod
    def build(
        cls,
        net: Supernet,
        device: Device = THIS_MACHINE,
        *,
        input_shape: InputShape | None = None,
        figure: Figure = "median_ms",
        repeats: int = 3,
        anchors: int = 10,
        max_settings: int = 128,
        seed: int = 0,
        out: Path | str | None = None,
        resume: bool = True,
        progress: Progress | None = None,
    ) -> LatencyTable:
        """Cut a supernet into blocks and time each of them in every form in which it can occur.

        A block is the largest piece of the network that has at most `max_settings` settings of its choices: a
        candidate of a choice block, an elastic block with its input, the head. It is extracted as it would be
        deployed and timed on inputs of the shape that reaches it. Equal blocks on equal inputs are timed once.
        What comes in the way of the machine comes in the way of all alike: blocks and whole networks are measured
        `repeats` times in mixed order, and the median counts.

        Args:
            net: The supernet whose subnets are measured.
            device: The device to measure on.
            input_shape: Shape of one input, (C, H, W). Default: `net.input_shape` where there is one, or what was given
                before.
            figure: The figure of a measurement that counts, `"median_ms"`, or `"p10_ms"` where others use the machine
                too.
            repeats: Number of measurements of each block.
            anchors: Number of architectures to measure whole: the smallest, the largest, and random ones. 0: the plain
                sum.
            max_settings: Number of settings above which a piece of the network is cut into the modules it calls.
            seed: The seed that decides the random anchors and the order of the measurements.
            out: File (.json) that keeps the figures while they are made, and the table.
            resume: Whether to go on with the figures in `out`; otherwise it is replaced.
            progress: Called with the number of measurements done and their total.

        Raises:
            UsageError: an option out of range, or `out` holds something else or other settings.
            RunError: the network cannot be cut into blocks, or the device told no duration.
        """
        if repeats < 1 or anchors < 0 or max_settings < 1:
            raise UsageError(
                f"A table with repeats={repeats}, anchors={anchors}, max_settings={max_settings} cannot be built; "
                "repeats and max_settings are 1 or more, anchors 0 or more."
            )
        subject = Subject.of(net, device, input_shape=input_shape, figure=figure)
        settings = {"repeats": repeats, "anchors": anchors, "max_settings": max_settings, "seed": seed}
        with Record(out, FORMAT, asdict(subject) | settings, resume=resume) as record:
            blocks = blocks_of(net, subject.input_shape, max_settings=max_settings)
            names, forms = _forms(net, blocks)
            chosen = _anchors(net.space, anchors, seed)
            measures: dict[str, Callable[[], float]] = {
                name: partial(_block_ms, subject, device, net, block, at) for name, (block, at) in forms.items()
            }
            told = record.measure(repeats, measures | subject.whole(device, net, chosen), seed, progress)
            ways = ways_of(net)
            entries = tuple(
                block.entry(net.space, {number: told[name] for number, name in named.items()}, ways)
                for block, named in zip(blocks, names, strict=True)
            )
            sums = _sums(net.space, entries, ways)(chosen)
            line = _line(sums, np.asarray([told[name] for name in code_texts(chosen)]))
            table = cls(net.space, subject, entries, line, len(forms), chosen, ways)
            record.save(table.to_file())
        return table

    def predict_ms(self, codes: Codes) -> NDArray[np.float64]:
        """Milliseconds (N,) per batch for a population (N, D).

        Raises:
            UsageError: the array has another number of columns.
        """
        if codes.ndim != 2 or codes.shape[1] != len(self.space):
            raise UsageError(
                f"A population of this space has shape (N, {len(self.space)}); got an array of shape {codes.shape}."
            )
        return self.line.offset_ms + self.line.scale * self._sums(codes)

    def check(
        self,
        net: Supernet,
        device: Device = THIS_MACHINE,
        *,
        n: int = 30,
        seed: int = 1,
        progress: Progress | None = None,
    ) -> LatencyCheck:
        """Compare with `n` whole networks that had no part in the table; see `LatencyCheck`.

        Args:
            net: The supernet whose subnets are measured.
            device: The device that the table was made on.
            n: Number of architectures to measure, each twice.
            seed: The seed that these architectures are drawn with.
            progress: Called with the number of measurements done and their total.

        Raises:
            UsageError: another network or device, or fewer than three architectures.
        """
        return check_latency(self, net, device, n=n, seed=seed, known=self.anchors, progress=progress)

    def save(self, path: Path | str) -> None:
        """Write the table as JSON, without the single figures.

        Raises:
            RunError: the file cannot be written.
        """
        Record(path, FORMAT, asdict(self.subject), resume=False).save(self.to_file())

    @classmethod
    def read(cls, path: Path | str, net: Supernet, *, input_shape: InputShape | None = None) -> LatencyTable:
        """Read what `save` or `build` has written; it may have been made on another machine.

        Args:
            path: The file that was written.
            net: The supernet that the file was made for.
            input_shape: Shape of one input, (C, H, W). Default: `net.input_shape` where there is one, or what was given
                before.

        Raises:
            UsageError: no finished table, or one of another network or input shape.
            RunError: the file is damaged.
        """
        subject, told = read_result(path, FORMAT, Subject, TableFile)
        subject.check_net(net, input_shape, f"The table {path}")
        return cls.of_file(told, net, subject)

    def to_file(self) -> TableFile:
        """Everything but what the table is of."""
        return TableFile(self.line, self.forms, code_texts(self.anchors), self.entries)

    @classmethod
    def of_file(cls, told: TableFile, net: Supernet, subject: Subject) -> LatencyTable:
        """The table of which a file tells."""
        anchors = codes_of(told.anchors, len(net.space))
        return cls(net.space, subject, told.blocks, told.line, told.forms, anchors, ways_of(net))

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms whose sum `predict_ms` is, in milliseconds."""
        scaled = (
            Entry(e.name, e.choices, tuple(self.line.scale * cost for cost in e.cost_ms), e.route) for e in self.entries
        )
        return (Term(self.line.offset_ms), *_sums(self.space, tuple(scaled), self.ways).terms)

    @cached_property
    def _sums(self) -> Tables:
        return _sums(self.space, self.entries, self.ways)

    def __repr__(self) -> str:
        return (
            f"LatencyTable({len(self.entries)} blocks, {self.forms} forms timed, "
            f"{self.line.offset_ms:.4g} ms + {self.line.scale:.4g} × sum)"
        )


def _forms(net: Supernet, blocks: Sequence[Block]) -> tuple[list[dict[int, str]], dict[str, tuple[Block, Setting]]]:
    """Per block the name of its form in each setting, and one occurrence of each form."""
    forms: dict[str, tuple[Block, Setting]] = {}
    names: list[dict[int, str]] = []
    for block in blocks:
        names.append({})
        for number, at in block.settings.items():
            name = block_fingerprint(block.plain(net, at), at.input_shape)
            names[-1][number] = name
            forms.setdefault(name, (block, at))
    return names, forms


def _block_ms(subject: Subject, device: Device, net: Supernet, block: Block, at: Setting) -> float:
    return subject.measure(device, block.plain(net, at), at.input_shape)


def _sums(space: Space, entries: Sequence[Entry], ways: Ways | None) -> Tables:
    def term(entry: Entry) -> Term:
        choices = tuple(space.choices[space.column(name)] for name in entry.choices)
        on = () if entry.route is None or ways is None else (Passes(ways, *entry.route),)
        return Term(Tabulated(choices, entry.cost_ms), (on,))

    return Tables(space, [term(entry) for entry in entries])


def _anchors(space: Space, count: int, seed: int) -> Codes:
    ends = space.codes([space.smallest(), space.largest()])
    drawn = space.population(np.random.default_rng(seed), 4 * count)
    everything = np.concatenate([ends, drawn])
    first = np.unique(everything, axis=0, return_index=True)[1]
    return everything[np.sort(first)[:count]]


def _line(sums: NDArray[np.float64], whole: NDArray[np.float64]) -> Line:
    """The median of the slopes between all pairs (Theil and Sen), which a few disturbed measurements do not move.

    Where the whole does not rise with the sum, only the offset is fitted.
    """
    if not len(sums):
        return Line(0.0, 1.0)
    i, j = np.triu_indices(len(sums), 1)
    apart = sums[i] != sums[j]
    slopes = (whole[i] - whole[j])[apart] / (sums[i] - sums[j])[apart]
    scale = float(np.median(slopes)) if len(slopes) else 1.0
    scale = scale if scale > 0 else 1.0
    return Line(float(np.median(whole - scale * sums)), scale)
