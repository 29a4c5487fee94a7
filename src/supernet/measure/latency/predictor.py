"""Latency learned from whole networks: for where the sum over blocks is poor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.measure.costs.model import cost_model
from supernet.measure.latency.check import LatencyCheck, check_latency, tau_or_none, unseen
from supernet.measure.latency.machine import THIS_MACHINE, Device
from supernet.measure.latency.model import Figure, Subject
from supernet.measure.latency.record import (
    CodeText,
    Progress,
    Record,
    code_texts,
    codes_of,
    read_result,
)
from supernet.measure.latency.table import LatencyTable, TableFile
from supernet.measure.predictors.ridge import Inputs, Line, fit_ridge, held_out
from supernet.nn import Supernet
from supernet.nn.input_shape import InputShape
from supernet.space import Codes

FORMAT = "supernet latency predictor 1"


@dataclass(frozen=True)
class Errors:
    """Errors on networks left out of the fit.

    Attributes:
        mae_ms: Mean absolute error in milliseconds.
        mape: Mean absolute error relative to the measured latency.
        tau: Kendall's τ with measured latency; None where one is constant.
    """

    mae_ms: float
    mape: float
    tau: float | None


class HeldTable(Struct, frozen=True):
    """The table that a predictor starts from, as it stands in a file."""

    of: Subject
    table: TableFile


class PredictorFile(Struct, frozen=True, kw_only=True):
    """A predictor as it stands in a file, but for what it is of."""

    errors: Errors
    table_errors: Errors | None
    codes: list[CodeText]
    measured_ms: list[float]
    macs: bool
    ridge: Line
    table: HeldTable | None


@dataclass(frozen=True, eq=False, repr=False)
class LatencyPredictor:
    """Ridge regression from an architecture to its latency on one device.

    With a `LatencyTable` it learns only what the table misses, as a difference or as a factor; without one, the latency
    or its logarithm. Features are the options (one-hot, zeros where a choice does not matter), and MACs, parameters
    and the table's answer, each as it is and as a logarithm. Form and penalty are chosen by cross-validation; the
    reported error comes from folds that had no part in that choice.

    Attributes:
        subject: What the latencies are those of: network, input shape, device, figure.
        errors: Errors of the predictor on networks left out of the fit (five folds).
        table_errors: Errors of the table alone on the same networks; None without a table.
        codes: The architectures (N, D) it was fitted to.
        measured_ms: Their latencies (N,) in milliseconds.
    """

    subject: Subject
    errors: Errors
    table_errors: Errors | None
    codes: Codes
    measured_ms: NDArray[np.float64]
    _net: Supernet
    _table: LatencyTable | None
    _use_macs: bool
    _ridge: Line

    @classmethod
    def build(
        cls,
        net: Supernet,
        device: Device = THIS_MACHINE,
        *,
        n: int = 200,
        table: LatencyTable | None = None,
        macs: bool = True,
        input_shape: InputShape | None = None,
        figure: Figure = "median_ms",
        seed: int = 0,
        out: Path | str | None = None,
        resume: bool = True,
        progress: Progress | None = None,
    ) -> LatencyPredictor:
        """Measure random architectures whole, and fit.

        Args:
            net: The supernet whose subnets are measured.
            device: The device to measure on.
            n: Number of architectures to measure, 20 or more.
            table: A table of the same network and device, to start from.
            macs: Whether MACs are a feature; False for networks whose MACs cannot be tabulated.
            input_shape: Shape of one input, (C, H, W). Default: `net.input_shape` where there is one, or what was given
                before.
            figure: The figure of a measurement that counts, `"median_ms"`, or `"p10_ms"` where others use the machine
                too.
            seed: The seed that decides the architectures and the folds of the cross-validation.
            out: File (.json) that keeps the figures while they are made, and the predictor.
            resume: Whether to go on with the figures in `out`; otherwise it is replaced.
            progress: Called with the number of measurements done and their total.

        Raises:
            UsageError: an option out of range, a table of something else, or `out` holds other settings.
            RunError: the device told no duration, or MACs cannot be tabulated.
        """
        subject = Subject.of(net, device, input_shape=input_shape, figure=figure)
        if table is not None:
            table.subject.check_device(device, net, "The table")
        with Record(out, FORMAT, asdict(subject) | {"n": n, "seed": seed}, resume=resume) as record:
            known = np.zeros((0, len(net.space)), dtype=np.int16) if table is None else table.anchors
            codes = unseen(net.space, n, np.random.default_rng(seed), known)
            told = record.measure(1, subject.whole(device, net, codes), seed, progress)
            measured = np.asarray([told[name] for name in code_texts(codes)])
            found = cls.fit(net, codes, measured, subject=subject, table=table, macs=macs, seed=seed)
            record.save(found.to_file())
        return found

    @classmethod
    def fit(
        cls,
        net: Supernet,
        codes: Codes,
        measured_ms: NDArray[np.float64],
        *,
        subject: Subject,
        table: LatencyTable | None = None,
        macs: bool = True,
        seed: int = 0,
    ) -> LatencyPredictor:
        """Fit to latencies measured before.

        Args:
            net: The supernet whose subnets are measured.
            codes: Architectures (N, D), 20 or more.
            measured_ms: Their latencies (N,) in milliseconds, all above 0.
            subject: What the latencies are those of, as `Subject.of(net, device)` says it.
            table: A table of the same network, to start from.
            macs: Whether MACs are a feature.
            seed: The seed that decides the folds of the cross-validation.

        Raises:
            UsageError: fewer than 20 architectures, another number of latencies, one that is no duration, or a table
                of another network.
            RunError: MACs cannot be tabulated.
        """
        measured = np.asarray(measured_ms, dtype=np.float64)
        if len(codes) < 20 or measured.shape != (len(codes),) or not (np.isfinite(measured) & (measured > 0)).all():
            raise UsageError(
                f"A predictor is fitted to 20 or more architectures, each with a latency above 0 ms; got {len(codes)} "
                f"architectures and latencies of shape {measured.shape}, the smallest {measured.min(initial=np.inf)}."
            )
        if table is not None:
            table.subject.check_net(net, subject.input_shape, "The table")
        inputs = _inputs(net, codes, subject, table, macs)
        rng = np.random.default_rng(seed)
        errors = _errors(held_out(inputs, measured, rng), measured)
        alone = None if table is None else _errors(table.predict_ms(codes), measured)
        return cls(subject, errors, alone, codes, measured, net, table, macs, fit_ridge(inputs, measured, rng))

    def predict_ms(self, codes: Codes) -> NDArray[np.float64]:
        """Milliseconds (N,) per batch for a population (N, D)."""
        return self._ridge(_inputs(self._net, codes, self.subject, self._table, self._use_macs))

    def check(
        self,
        net: Supernet,
        device: Device = THIS_MACHINE,
        *,
        n: int = 30,
        seed: int = 1,
        progress: Progress | None = None,
    ) -> LatencyCheck:
        """Compare with `n` whole networks that it was not fitted to; as `LatencyTable.check`."""
        return check_latency(self, net, device, n=n, seed=seed, known=self.codes, progress=progress)

    def sentences(self) -> tuple[str, ...]:
        """What it rests on and how good it is, for people."""
        found = [f"learned from {len(self.codes)} networks measured whole; left out in turn: {_text(self.errors)}"]
        if self.table_errors is not None:
            found.append(f"the table alone on the same networks: {_text(self.table_errors)}")
        return tuple(found)

    def save(self, path: Path | str) -> None:
        """Write the predictor, and the table within, as JSON.

        Raises:
            RunError: the file cannot be written.
        """
        Record(path, FORMAT, asdict(self.subject), resume=False).save(self.to_file())

    @classmethod
    def read(cls, path: Path | str, net: Supernet, *, input_shape: InputShape | None = None) -> LatencyPredictor:
        """Read what `save` or `build` has written; arguments and errors as of `LatencyTable.read`."""
        subject, told = read_result(path, FORMAT, Subject, PredictorFile)
        subject.check_net(net, input_shape, f"The predictor {path}")
        return cls(
            subject,
            told.errors,
            told.table_errors,
            codes_of(told.codes, len(net.space)),
            np.asarray(told.measured_ms),
            net,
            None if told.table is None else LatencyTable.of_file(told.table.table, net, told.table.of),
            told.macs,
            told.ridge,
        )

    def to_file(self) -> PredictorFile:
        """Everything but what the predictor is of."""
        table = self._table
        return PredictorFile(
            errors=self.errors,
            table_errors=self.table_errors,
            codes=code_texts(self.codes),
            measured_ms=self.measured_ms.tolist(),
            macs=self._use_macs,
            ridge=self._ridge,
            table=None if table is None else HeldTable(table.subject, table.to_file()),
        )

    def __repr__(self) -> str:
        return f"LatencyPredictor({len(self.codes)} networks, {_text(self.errors)})"


def _inputs(net: Supernet, codes: Codes, subject: Subject, table: LatencyTable | None, macs: bool) -> Inputs:
    guess = None if table is None else table.predict_ms(codes)
    sizes = [] if guess is None else [guess]
    if macs:
        costs = cost_model(net, subject.input_shape)
        sizes += [costs.macs(codes), costs.params(codes)]
    columns = [net.space.encode(codes).astype(np.float64)]
    for size in sizes:
        columns += [size[:, None], np.log(np.maximum(size, 1e-6))[:, None]]
    return Inputs(np.concatenate(columns, axis=1), guess)


def _errors(predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> Errors:
    missed = np.abs(predicted - measured)
    return Errors(float(missed.mean()), float((missed / measured).mean()), tau_or_none(predicted, measured))


def _text(errors: Errors) -> str:
    tau = "undefined" if errors.tau is None else f"{errors.tau:.2f}"
    return f"mean error {errors.mae_ms:.3g} ms ({errors.mape:.1%}), Kendall's τ {tau}"
