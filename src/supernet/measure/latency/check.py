"""How far modelled latencies are from measured ones, and what MACs would have told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from supernet.errors import UsageError
from supernet.measure.costs.counting import count_macs, count_params
from supernet.measure.latency.machine import Device
from supernet.measure.latency.model import LatencyModel
from supernet.measure.latency.record import Progress, Record
from supernet.nn import Supernet
from supernet.nn.supernet import plain_subnet
from supernet.rank import kendall_tau
from supernet.space import Codes, Space

_REPEATABLE = 0.8  # below this τ of two measurements of the same networks, a check says more of the day than of a model


@dataclass(frozen=True)
class LatencyCheck:
    """Modelled against measured latency of networks that the model has not seen.

    Every network is measured twice, in different order; `repeat_*` say how far the two measurements agree. No model
    can be expected to do better than that.

    Attributes:
        n: Number of architectures.
        mae_ms: Mean absolute error of the modelled latency, in milliseconds.
        mape: Mean absolute error relative to the measured latency.
        bias_ms: Mean of modelled minus measured latency, in milliseconds.
        tau: Kendall's τ of modelled and measured latency; None where one of them is constant.
        tau_macs: Kendall's τ of MACs and measured latency.
        tau_params: Kendall's τ of parameters and measured latency.
        repeat_mae_ms: Mean absolute difference of the two measurements, in milliseconds.
        repeat_tau: Kendall's τ of the two measurements.
        codes: The architectures (N, D) that were measured.
        measured_ms: Their latencies (N,) in milliseconds, the mean of two measurements.
        predicted_ms: Their modelled latencies (N,) in milliseconds.
        macs: Their multiply-accumulates (N,) for one image.
        params: Their numbers of parameters (N,).
    """

    n: int
    mae_ms: float
    mape: float
    bias_ms: float
    tau: float | None
    tau_macs: float | None
    tau_params: float | None
    repeat_mae_ms: float
    repeat_tau: float | None
    codes: tuple[tuple[int, ...], ...]
    measured_ms: tuple[float, ...]
    predicted_ms: tuple[float, ...]
    macs: tuple[int, ...]
    params: tuple[int, ...]

    def sentences(self) -> tuple[str, ...]:
        """The figures for people."""
        low, high = min(self.measured_ms), max(self.measured_ms)
        found = [
            f"{self.n} networks measured whole take {low:.3g} to {high:.3g} ms; predicted with a mean error of "
            f"{self.mae_ms:.3g} ms ({self.mape:.1%}), bias {self.bias_ms:+.3g} ms",
            f"two measurements of the same networks differ by {self.repeat_mae_ms:.3g} ms and agree in order with "
            f"Kendall's τ {tau_text(self.repeat_tau)}",
            f"Kendall's τ with measured latency: predicted {tau_text(self.tau)}, MACs {tau_text(self.tau_macs)}, "
            f"parameters {tau_text(self.tau_params)}",
        ]
        if self.repeat_tau is not None and self.repeat_tau < _REPEATABLE:
            found.append(
                "the measurements do not repeat: these errors are to a large part those of a busy device. Measure "
                "when it is idle, for longer, or by the 10th percentile"
            )
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


def check_latency(
    model: LatencyModel,
    net: Supernet,
    device: Device,
    *,
    n: int,
    seed: int,
    known: Codes,
    progress: Progress | None = None,
) -> LatencyCheck:
    """Compare a model with networks that are not among those `known` (K, D) to it; see `LatencyTable.check`."""
    subject = model.subject
    subject.check_net(net, subject.input_shape, "The latency model")
    subject.check_device(device, net, "The latency model")
    codes = unseen(net.space, n, np.random.default_rng(seed), known)
    archs = net.space.wrap(codes)
    once = subject.whole(device, net, codes)
    twice = {f"{name}:{time}": measure for time in (1, 2) for name, measure in once.items()}
    told = Record(None, "check", {}, resume=False).measure(1, twice, seed, progress)
    first, second = np.asarray([told[name] for name in twice]).reshape(2, -1)
    measured, predicted = (first + second) / 2, model.predict_ms(codes)
    plain = [plain_subnet(net, arch) for arch in archs]
    macs = [count_macs(module, subject.input_shape) for module in plain]
    params = [count_params(module) for module in plain]
    error = predicted - measured
    return LatencyCheck(
        n=len(codes),
        mae_ms=float(np.abs(error).mean()),
        mape=float((np.abs(error) / measured).mean()),
        bias_ms=float(error.mean()),
        tau=tau_or_none(predicted, measured),
        tau_macs=tau_or_none(np.asarray(macs), measured),
        tau_params=tau_or_none(np.asarray(params), measured),
        repeat_mae_ms=float(np.abs(first - second).mean()),
        repeat_tau=tau_or_none(first, second),
        codes=tuple(arch.code for arch in archs),
        measured_ms=tuple(measured.tolist()),
        predicted_ms=tuple(predicted.tolist()),
        macs=tuple(macs),
        params=tuple(params),
    )


def unseen(space: Space, n: int, rng: np.random.Generator, known: Codes) -> Codes:
    """Up to `n` different architectures (N, D), drawn at random, none of them known.

    Raises:
        UsageError: there are fewer than three.
    """
    taken = set(map(tuple, known.tolist()))
    fresh: dict[tuple[int, ...], None] = {}
    for _ in range(100):
        drawn = space.population(rng, max(2 * n, 64))
        fresh.update((code, None) for code in map(tuple, drawn.tolist()) if code not in taken)
        if len(fresh) >= n:
            break
    chosen = list(fresh)[:n]
    if len(chosen) < 3:
        raise UsageError(
            f"A check needs 3 or more architectures that were not measured before; n={n} gives {len(chosen)} in this "
            "space. Ask for more, or build with fewer anchors."
        )
    return np.asarray(chosen, dtype=np.int16)


def tau_or_none(predicted: NDArray[Any], measured: NDArray[np.float64]) -> float | None:
    """Kendall's τ; None where a list is constant and orders nothing."""
    if np.ptp(predicted) == 0 or np.ptp(measured) == 0:
        return None
    return kendall_tau(predicted, measured)


def tau_text(tau: float | None) -> str:
    """What `tau_or_none` told, for people."""
    return "undefined (all equal)" if tau is None else f"{tau:.2f}"
