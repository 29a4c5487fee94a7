"""A supernet and a data set as what a search asks: the evaluator of real networks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from supernet.data import Batch, Data
from supernet.errors import UsageError
from supernet.measure.costs.memory import MemoryModel, memory_model, weights_mb
from supernet.measure.costs.model import cost_model
from supernet.measure.latency.machine import THIS_MACHINE, Device, Latency, latency
from supernet.measure.latency.model import LatencyModel
from supernet.measure.scores.additive import Additive
from supernet.measure.scores.calibration import DEFAULT, Calibration
from supernet.measure.scores.int8 import SUFFIX as INT8
from supernet.measure.scores.int8 import int8_scores, quantities_in_int8
from supernet.measure.scores.score import Score, Subnet, quantity_of, scored
from supernet.measure.scores.scores import Scores, run_scores
from supernet.measure.scores.shared_beginnings import scores_together
from supernet.measure.spread import Measured, Spread
from supernet.measure.untouched import batch_like
from supernet.nn import Supernet
from supernet.precision import Precision, check_precision
from supernet.quantity import ACTIVATIONS_MB, COSTS, LATENCY_MS, MACS, MEMORY_MB, PARAMS, WEIGHTS_MB, Quantity
from supernet.space import Arch, Codes, Space
from supernet.workers import Workers

_KEPT_BYTES = 2**30
AHEAD = 32
"""Number of architectures that are measured together: so many are lost at most when the work is killed."""
_TASKS_EACH = 4  # that wait for a worker, so that none waits for this process
_MANY = 1000  # workers, as long as their number is not known
_LEAST_SAVING = 0.15  # of the layers: less is not worth that a batch is with many architectures at once


class NetEvaluator:
    """Tells the scores of the task, MACs, parameters, memory and latency of the subnets of one supernet.

    Scores, such as accuracy and loss, are those of the validation images with inherited weights; BatchNorm is
    calibrated on training images; the test images are never read. What was measured is remembered until a weight
    changes. Each score has a namesake `…_int8`, such as `accuracy_int8`, of the subnet quantised to eight bits.

    Args:
        net: The supernet whose subnets are evaluated.
        data: The data set with the training and validation images.
        calibration: How to recompute BatchNorm statistics; None keeps those that the network holds.
        device: The device that latency is measured on.
        latency: A `LatencyTable` or `LatencyPredictor` that tells `latency_ms` instead of measuring it. Latency is
            then cheap: a constraint on it is met before anything is evaluated.
        memory: A `MemoryModel` that tells `activations_mb` and `memory_mb`; None: one of single images. Where it is
            given and quick, both are cheap.
        batch_size: Number of images per validation batch.
        images: Number of validation images to use, the first ones; None: all of them.
        space: A sub-space to search; None: the whole space of the network.
        precision: Arithmetic of the evaluation; `"bf16-mixed"` is faster where the processor computes in bfloat16.
        score: Something else that subnets can be ranked by, such as `Recipe.ranks_by`; it is a quantity of its name.
        parts: The modules that the method has beside the supernet, by name, for the score.

    Attributes:
        cheap: Names of the quantities that `costs` tells for whole populations.
        quantities: Everything that it can tell, by name.

    Raises:
        UsageError: the latency model is of another network or input shape, or the score has the name of another
            quantity.
    """

    cheap: frozenset[str] = frozenset({MACS.name, PARAMS.name, WEIGHTS_MB.name})

    def __init__(
        self,
        net: Supernet,
        data: Data,
        *,
        calibration: Calibration | None = DEFAULT,
        device: Device = THIS_MACHINE,
        latency: LatencyModel | None = None,
        memory: MemoryModel | None = None,
        batch_size: int = 512,
        images: int | None = None,
        space: Space | None = None,
        precision: Precision = "32-true",
        score: Score | None = None,
        parts: Mapping[str, nn.Module] | None = None,
    ) -> None:
        self.score, self.parts = score, parts or {}
        self.quantities: Mapping[str, Quantity] = {
            q.name: q for q in (*data.task.scores, *COSTS, LATENCY_MS, *quantities_in_int8(data.task.scores))
        }
        if score is not None:
            if score.name in self.quantities:
                raise UsageError(f"The score {score!r} is called {score.name!r}, as another quantity is. Rename it.")
            self.quantities = {**self.quantities, score.name: quantity_of(score)}
        self.precision = check_precision(precision)
        self.net, self.data, self.calibration, self.device = net, data, calibration, device
        self.space = net.space if space is None else space
        self.latency_model, self._memory = latency, memory
        if memory is not None and memory.is_quick:
            self.cheap = self.cheap | {ACTIVATIONS_MB.name, MEMORY_MB.name}
        if latency is not None:
            latency.subject.check_net(net, data.shape, "The latency model")
            self.cheap = self.cheap | {LATENCY_MS.name}
        self._batches = _Prepared(net, data, batch_size, images)
        self._version: tuple[object, ...] = ()
        self._scores: dict[tuple[int, ...], Scores] = {}
        self._scores_in_int8: dict[tuple[int, ...], Scores] = {}
        self._task_scores = frozenset(quantity.name for quantity in data.task.scores)
        self._values: dict[tuple[int, ...], float] = {}
        self._kept: dict[Any, Any] = {}
        self._latencies: dict[tuple[int, ...], Latency] = {}
        self._spread: Spread | None = None

    def settings(self) -> dict[str, Any]:
        """How accuracy is measured, beside weights and images: calibration, batch size, number of images, precision."""
        return {
            "calibration": self.calibration,
            "batch_size": self._batches.batch_size,
            "images": self._batches.images,
            "precision": self.precision,
        }

    @contextmanager
    def spread(self, workers: Workers) -> Iterator[Spread]:
        """Inside, what `look_ahead` announces is measured by workers; the values are the same, bit for bit.

        Each architecture is measured by one of them, without the common beginnings that one process shares. What is
        measured by the clock, latency, is measured here, while they work.

        Args:
            workers: Processes of this machine or of a cluster, such as `workers.workers_of("4")`.

        Yields:
            What counts the workers that died.

        Raises:
            UsageError: network or images cannot be sent to another process, or there are too few places.
            RunError: a package is missing, or workers died again and again.
        """
        workers.check()
        device = next((parameter.device.type for parameter in self.net.parameters()), "cpu")
        self._spread = Spread(workers, _measuring, self._given, on_gpu=device == "cuda")
        try:
            yield self._spread
        finally:
            self._spread.close()
            self._spread = None

    @property
    def is_spread(self) -> bool:
        """Whether workers measure."""
        return self._spread is not None

    @property
    def ahead(self) -> int:
        """How many of the architectures that will be asked for are worth announcing."""
        return AHEAD if self._spread is None else AHEAD + _TASKS_EACH * (self._spread.count or _MANY)

    def _given(self) -> dict[str, Any]:
        return {
            "net": self.net,
            "data": self.data,
            "calibration": self.calibration,
            "batch_size": self._batches.batch_size,
            "images": self._batches.images,
            "space": self.space,
            "precision": self.precision,
            "score": self.score,
            "parts": self.parts,
        }

    def measured(self, arch: Arch, names: Sequence[str]) -> Measured:
        """What of the named quantities takes a pass over the images, as a worker tells it."""
        code = arch.code
        self.evaluate(arch, names)
        return Measured(self._scores.get(code), self._scores_in_int8.get(code), self._values.get(code))

    def _collect(self, arch: Arch) -> None:
        """Take what a worker has measured, if one was asked to."""
        self._follow()
        if self._spread is not None and (found := self._spread.collect(arch)) is not None:
            if found.scores is not None:
                self._scores[arch.code] = found.scores
            if found.scores_in_int8 is not None:
                self._scores_in_int8[arch.code] = found.scores_in_int8
            if found.value is not None:
                self._values[arch.code] = found.value

    def costs(self, codes: Codes, name: str) -> NDArray[np.float64]:
        """One cheap quantity (N,) for a population (N, D).

        Raises:
            UsageError: the quantity is not cheap.
        """
        if name not in self.cheap:
            raise UsageError(f"{name!r} is not told for whole populations; only {sorted(self.cheap)} are.")
        if self.latency_model is not None and name == LATENCY_MS.name:
            return self.latency_model.predict_ms(codes)
        if name in (MACS.name, PARAMS.name):
            model = cost_model(self.net, self.data.shape)
            return model.macs(codes) if name == MACS.name else model.params(codes)
        return weights_mb(self.net, codes) if name == WEIGHTS_MB.name else self._memory_mb(codes, name)

    def evaluate(self, arch: Arch, names: Sequence[str]) -> dict[str, float]:
        """The named quantities of one architecture.

        Raises:
            UsageError: an unknown quantity.
            RunError: the network's output is not finite.
        """
        unknown = [name for name in names if name not in self.quantities]
        if unknown:
            raise UsageError(f"The quantity {unknown[0]!r} is not known here; there are {list(self.quantities)}.")
        told = {}
        for name in names:
            if name in self.cheap:
                told[name] = float(self.costs(self.net.space.codes([arch]), name)[0])
            elif name == LATENCY_MS.name:
                told[name] = self.latency(arch).median_ms
            elif name in (ACTIVATIONS_MB.name, MEMORY_MB.name):
                told[name] = float(self._memory_mb(self.net.space.codes([arch]), name)[0])
            elif self.score is not None and name == self.score.name:
                told[name] = self.value(arch)
            elif name.removesuffix(INT8) in self._task_scores and name.endswith(INT8):
                told[name] = self.scores_in_int8(arch)[name.removesuffix(INT8)]
            else:
                told[name] = self.scores(arch)[name]
        return told

    def _memory_mb(self, codes: Codes, name: str) -> NDArray[np.float64]:
        model = memory_model(self.net, self.data.shape) if self._memory is None else self._memory
        told: NDArray[np.float64] = getattr(model, name)(codes)
        return told

    def scores(self, arch: Arch) -> Scores:
        """Accuracy and loss together."""
        self._collect(arch)
        if arch.code not in self._scores:
            self._scores[arch.code] = run_scores(
                self.net, arch, self._batches, self.calibration, self.data, precision=self.precision
            )
        return self._scores[arch.code]

    def look_ahead(self, archs: Sequence[Arch], names: Sequence[str] | None = None) -> None:
        """Measure the scores of many architectures together, where common beginnings of theirs save work.

        `scores` and `evaluate` then tell them, the same as without. Where nothing is saved nothing is done.

        Args:
            archs: The architectures; what is known of some is not measured again.
            names: What will be asked of them; None: the scores of the task.

        Raises:
            RunError: the network's output is not finite.
        """
        self._follow()
        if self._spread is not None:
            wanted = [self.ranking.name] if names is None else [name for name in names if self._takes_images(name)]
            kept = [self._kept_values(name) for name in wanted]
            self._spread.ask([arch for arch in archs if any(arch.code not in values for values in kept)], wanted)
            return
        left = list({arch.code: arch for arch in archs if arch.code not in self._scores}.values())
        if len(left) < 2 or not (names is None or self._task_scores & set(names)):
            return
        found = scores_together(
            self.net,
            left,
            self._batches,
            self.calibration,
            self.data,
            precision=self.precision,
            least_saving=_LEAST_SAVING,
        )
        if found is not None:
            self._scores.update(zip((arch.code for arch in left), found.scores, strict=True))

    def scores_in_int8(self, arch: Arch) -> Scores:
        """The scores of the subnet quantised to eight bits, weights and activations, see `int8_scores`.

        Raises:
            RunError: torchao is not installed, or the subnet cannot be quantised.
        """
        self._collect(arch)
        if arch.code not in self._scores_in_int8:
            self._scores_in_int8[arch.code] = int8_scores(
                self.net, arch, self._batches, self.data, calibration=self.calibration
            )
        return self._scores_in_int8[arch.code]

    def value(self, arch: Arch) -> float:
        """What subnets are ranked by, see `ranking`.

        Raises:
            UsageError: something that the score is made from is missing.
            RunError: it is not finite.
        """
        if self.score is None:
            return self.scores(arch).value
        self._collect(arch)
        if arch.code not in self._values:
            self._values[arch.code] = scored(self.score, self._subnet(arch))
        return self._values[arch.code]

    @property
    def stages(self) -> tuple[tuple[str, ...], ...] | None:
        """The choices of each stage that the score is a sum over; None: it is no sum over stages."""
        score: object = self.score
        return score.stages(self.net) if isinstance(score, Additive) else None

    def terms(self, arch: Arch) -> tuple[float, ...]:
        """The term of each stage, whose sum is the value of a score that is a sum over stages.

        Raises:
            UsageError: the score is none, or something that it is made from is missing.
        """
        score: object = self.score
        if not isinstance(score, Additive):
            raise UsageError(f"{self.ranking.name} is no sum over stages; rank by one, such as StageLoss().")
        self._follow()
        return tuple(score.terms(self._subnet(arch)))

    def _subnet(self, arch: Arch) -> Subnet:
        return Subnet(self.net, arch, self.parts, self._kept, self.data)

    @property
    def ranking(self) -> Quantity:
        """What subnets are ranked by: the score; where there is none, what the task compares them by."""
        return self.data.task.scores[0] if self.score is None else quantity_of(self.score)

    def merit(self, arch: Arch) -> float:
        """`value` with its sign turned so that more is better; errors are those of `value`."""
        return self.ranking.sign * self.value(arch)

    def _follow(self) -> None:
        """Forget what depends on weights where one has changed."""
        version = weights_version(self.net)
        if version != self._version:
            self._version = version
            self._forget()

    def _takes_images(self, name: str) -> bool:
        """Whether a quantity is measured on images, so that whoever measures it tells the same."""
        own = self.score is not None and name == self.score.name
        return own or name.removesuffix(INT8) in self._task_scores

    def _kept_values(self, name: str) -> Collection[tuple[int, ...]]:
        """The architectures of which such a quantity is remembered."""
        if name in self._task_scores:
            return self._scores
        return self._values if self.score is not None and name == self.score.name else self._scores_in_int8

    def _forget(self) -> None:
        if self._spread is not None:
            self._spread.close()  # its workers have other weights
        for known in (self._scores, self._scores_in_int8, self._values, self._kept):
            known.clear()

    def latency(self, arch: Arch) -> Latency:
        """Latency with its spread; always measured, once per architecture, whatever the weights."""
        if arch.code not in self._latencies:
            shape = self.data.shape
            self._latencies[arch.code] = latency(self.net, arch, device=self.device, input_shape=shape)
        return self._latencies[arch.code]

    def forget(self) -> None:
        """Measure everything anew, such as after weights were changed through `tensor.data`."""
        self._forget()
        self._latencies.clear()


def _measuring(given: Mapping[str, Any]) -> Callable[[Any], Measured]:
    """What a worker does."""
    evaluator = NetEvaluator(**given)

    def measured(task: tuple[tuple[int, ...], tuple[str, ...]]) -> Measured:
        code, names = task
        (arch,) = evaluator.net.space.wrap(np.asarray([code]))
        return evaluator.measured(arch, names)

    return measured


def weights_version(net: Supernet) -> tuple[object, ...]:
    """Changes whenever a parameter or buffer is written in place (a step, `load_state_dict`) or exchanged.

    Made of torch's version counters and of addresses, so it costs nothing; only writes through `tensor.data`
    escape it.
    """
    return tuple((tensor.data_ptr(), tensor._version) for tensor in (*net.parameters(), *net.buffers()))


@dataclass
class _Prepared:
    """The validation batches where the network is, kept in memory where they fit."""

    net: Supernet
    data: Data
    batch_size: int
    images: int | None
    kept: list[Batch] | None = None

    def __iter__(self) -> Iterator[Batch]:
        if self.kept is not None:
            yield from self.kept
            return
        kept, size = [], 0
        for batch in self.data.validation.batches(self.batch_size, limit=self.images):
            batch = batch_like(self.net, batch)
            size += batch.nbytes
            if size <= _KEPT_BYTES:
                kept.append(batch)
            yield batch
        if size <= _KEPT_BYTES:
            self.kept = kept
