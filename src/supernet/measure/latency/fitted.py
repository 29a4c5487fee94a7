"""Latency fitted to a file of measurements: any device, few architectures, with the help of other devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.measure.costs.model import cost_model
from supernet.measure.latency.check import tau_or_none, tau_text
from supernet.measure.latency.measurements import Measurements
from supernet.measure.latency.model import Subject
from supernet.measure.latency.record import CodeText, Record, code_texts, codes_of, read_result
from supernet.measure.latency.relative_fit import Known, RelativeFit, fit, held_out, relative_errors
from supernet.nn import Supernet
from supernet.nn.input_shape import InputShape
from supernet.space import Codes

FORMAT = "supernet latency fit 1"

_MACS_PER_MS = 1e12  # 2 · 10¹⁵ operations a second: more than any processor does


class LeftOut(Struct, frozen=True):
    """Errors on networks left out of the fit.

    Attributes:
        relative: Mean of |predicted − measured| / measured, where a latency counts as at least a
            tenth of the median.
        worst: The largest of these.
        tau: Kendall's τ with measured latency; None where one is constant.
        tau_macs: Kendall's τ of MACs and measured latency on the same networks.
    """

    relative: float
    worst: float
    tau: float | None
    tau_macs: float | None


class FittedFile(Struct, frozen=True, kw_only=True):
    """A fit as it stands in a file, but for what it is of."""

    left_out: LeftOut
    codes: list[CodeText]
    measured_ms: list[float]
    fit: RelativeFit
    others: list[RelativeFit]
    sources: list[str]


@dataclass(frozen=True, eq=False, repr=False)
class FittedLatency:
    """The latency of every architecture on a device on which some were measured, by whatever means.

    Relative error is what is minimised. The fit is a power of MACs; where there are enough measurements to tell, it is
    a product of powers of MACs and parameters, none negative, with a factor for each option (`relative_fit.fit` says
    when). From other devices come fits of their own, whose predictions are sizes like MACs: devices order networks
    alike, and a few measurements say how one
    follows from others (Lu et al., "One Proxy Device Is Enough for Hardware-Aware Neural Architecture Search",
    [arXiv 2111.01203](https://arxiv.org/abs/2111.01203), section 4; there the proxy is adapted by a linear model too,
    here by least squares of logarithms without negative weights on several, which is a reconstruction).

    Attributes:
        subject: What the latencies are those of: network, input shape, device, figure.
        left_out: Errors on networks left out of all that the fit does, in ten folds.
        codes: The architectures (N, D) it was fitted to.
        measured_ms: Their latencies (N,) in milliseconds.
        sources: Names of the file, and of those of other devices.
    """

    subject: Subject
    left_out: LeftOut
    codes: Codes
    measured_ms: NDArray[np.float64]
    sources: tuple[str, ...]
    _net: Supernet
    _fit: RelativeFit
    _others: tuple[RelativeFit, ...]

    @classmethod
    def fit(
        cls,
        net: Supernet,
        measurements: Measurements,
        *,
        others: Sequence[Measurements] = (),
        name: str | None = None,
        input_shape: InputShape | None = None,
        seed: int = 0,
    ) -> FittedLatency:
        """Fit to the measurements of a device.

        Args:
            net: The supernet that the architectures belong to.
            measurements: Three architectures or more, see `read_measurements`.
            others: Measurements on other devices, of which ten or so on this one are a continuation.
            name: What the device is called; by default as the file.
            input_shape: Shape of one input, (C, H, W). Default: `net.input_shape` where there is one, or what was given
                before.
            seed: The seed of the folds.

        Raises:
            UsageError: networks faster than any processor is, which seconds in place of milliseconds look like.
            RunError: MACs cannot be tabulated.
        """
        device = {"device": name or Path(measurements.source).stem, "measurements": measurements.source}
        subject = Subject.given(net, device, input_shape=input_shape)
        rng = np.random.default_rng(seed)
        for given in (measurements, *others):
            _check_speed(net, given, subject.input_shape)
        learned: list[RelativeFit] = []
        for other in others:
            learned.append(fit(_known(net, other.codes, subject, ()), other.measured_ms))
        known = _known(net, measurements.codes, subject, learned)
        predicted = held_out(known, measurements.measured_ms, rng)
        missed = relative_errors(predicted, measurements.measured_ms)
        left_out = LeftOut(
            float(missed.mean()),
            float(missed.max()),
            tau_or_none(predicted, measurements.measured_ms),
            tau_or_none(known.sizes[:, 0], measurements.measured_ms),
        )
        found = fit(known, measurements.measured_ms)
        sources = tuple(one.source for one in (measurements, *others))
        return cls(subject, left_out, measurements.codes, measurements.measured_ms, sources, net, found, tuple(learned))

    def predict_ms(self, codes: Codes) -> NDArray[np.float64]:
        """Milliseconds (N,) for a population (N, D)."""
        return self._fit(_known(self._net, codes, self.subject, self._others))

    @property
    def learned(self) -> str:
        """What the fit reads, in words."""
        names = ("MACs", "parameters", *self.sources[1:])
        weighed = [name for name, power in zip(names, self._fit.powers, strict=True) if power > 0]
        sizes = " and ".join(weighed)
        return f"{sizes}, corrected by options" if any(self._fit.weights) else sizes

    def sentences(self) -> tuple[str, ...]:
        """What it rests on and how good it is, for people."""
        errors = self.left_out
        found = [
            f"fitted to {len(self.codes)} networks of {self.sources[0]}, by {self.learned}; left out in turn: mean "
            f"relative error {errors.relative:.1%}, worst {errors.worst:.1%}, Kendall's τ {tau_text(errors.tau)}; MACs "
            f"have {tau_text(errors.tau_macs)}"
        ]
        slowest = float(self.measured_ms.max())
        if slowest < 0.1:
            found.append(
                f"the slowest takes {slowest:.3g} ms; if the file holds seconds, multiply them by 1000 and fit again"
            )
        if len(self.codes) < 20:
            found.append("errors of fewer than 20 networks are rough themselves; measure more to learn more")
        return tuple(found)

    def save(self, path: Path | str) -> None:
        """Write the fit as JSON, over another file of latencies if there is one.

        Raises:
            UsageError: the file exists and is something else.
            RunError: the file cannot be written.
        """
        Record(path, FORMAT, asdict(self.subject), resume=False).save(
            FittedFile(
                left_out=self.left_out,
                codes=code_texts(self.codes),
                measured_ms=self.measured_ms.tolist(),
                fit=self._fit,
                others=list(self._others),
                sources=list(self.sources),
            )
        )

    @classmethod
    def read(cls, path: Path | str, net: Supernet, *, input_shape: InputShape | None = None) -> FittedLatency:
        """Read what `save` has written; arguments and errors as of `LatencyTable.read`."""
        subject, told = read_result(path, FORMAT, Subject, FittedFile)
        subject.check_net(net, input_shape, f"The fit {path}")
        return cls(
            subject,
            told.left_out,
            codes_of(told.codes, len(net.space)),
            np.asarray(told.measured_ms),
            tuple(told.sources),
            net,
            told.fit,
            tuple(told.others),
        )

    def __repr__(self) -> str:
        return f"FittedLatency({len(self.codes)} networks of {self.sources[0]}, {self.left_out.relative:.1%} left out)"


def _known(net: Supernet, codes: Codes, subject: Subject, others: Sequence[RelativeFit]) -> Known:
    costs = cost_model(net, subject.input_shape)
    options = net.space.encode(codes).astype(np.float64)
    own = Known(np.stack([costs.macs(codes), costs.params(codes)], axis=1), options)
    return Known(np.concatenate([own.sizes, *(other(own)[:, None] for other in others)], axis=1), options)


def _check_speed(net: Supernet, given: Measurements, input_shape: InputShape) -> None:
    macs = cost_model(net, input_shape).macs(given.codes)
    fastest = int((macs / given.measured_ms).argmax())
    if macs[fastest] / given.measured_ms[fastest] > _MACS_PER_MS:
        raise UsageError(
            f"{given.source} says that {net.space.wrap(given.codes[fastest : fastest + 1])[0]} with "
            f"{macs[fastest]:.3g} MACs takes {given.measured_ms[fastest]:.3g} ms, which no processor does. If the file "
            "holds seconds, multiply them by 1000."
        )
