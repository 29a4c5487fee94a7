"""Latencies fitted to few measurements, on simulated devices: `docs/measure.md`.

    python benchmarks/latency_fit.py

Nothing is measured: a device is a formula of MACs, parameters and options, read with 3 % noise. Of 500 architectures
some are fitted to and the others predicted, over eight draws.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from supernet.measure.costs.model import cost_model
from supernet.measure.latency.relative_fit import Known, fit, relative_errors
from supernet.nn import Supernet
from supernet.rank import kendall_tau
from supernet.zoo import mbconv, nasbench201

MEASURED = (10, 20, 50, 200)
DRAWS = 8
NOISE = 0.03

Floats = NDArray[np.float64]


def known(net: Supernet, input_shape: tuple[int, ...]) -> Known:
    """500 architectures of a network."""
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.unique(net.space.population(rng, 1200), axis=0))[:500]
    costs = cost_model(net, input_shape)
    sizes = np.stack([costs.macs(codes), costs.params(codes)], axis=1).astype(np.float64)
    return Known(sizes, net.space.encode(codes).astype(np.float64))


def devices(given: Known) -> dict[str, Floats]:
    """Milliseconds (N,) on six devices."""
    macs, params = (given.sizes / given.sizes.mean(axis=0)).T

    def options(seed: int, mean: float) -> Floats:
        """What each option takes by itself."""
        taken = given.options @ np.random.default_rng(seed).gamma(1.0, 1.0, given.options.shape[1])
        return np.asarray(mean * taken / taken.mean())

    factors = given.options @ np.random.default_rng(5).normal(0, 0.1, given.options.shape[1])
    return {
        "bound by MACs": 0.05 + macs + options(1, 0.1),
        "mixed": 0.1 + 0.3 * macs + 0.2 * params + options(2, 0.6),
        "options": 0.2 + 0.1 * macs + options(3, 1.3),
        "factors": (0.1 + macs) * np.exp(factors),
        "constant": 1.0 + 0.02 * macs + options(6, 0.1),
        "from zero": 0.002 + (macs - macs.min()) ** 1.5,
    }


def drawn(given: Known, y: Floats, n: int, seed: int) -> tuple[float, float, float, float]:
    """τ of the fit to n and of MACs, the mean and the largest relative error, of the architectures that are left."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    train, rest = order[:n], order[n:]
    measured = y[train] * np.exp(NOISE * rng.standard_normal(n))
    told = fit(given.rows(train), measured)(given.rows(rest))
    errors = relative_errors(told, y[rest])
    tau, of_macs = kendall_tau(told, y[rest]), kendall_tau(given.sizes[rest, 0], y[rest])
    return float(tau), float(of_macs), float(errors.mean()), float(errors.max())


def main() -> None:
    print(f"| space | device | τ of MACs | {' | '.join(f'{n} measured' for n in MEASURED)} |")
    print(f"|---|---|---|{'---|' * len(MEASURED)}")
    for label, net, shape in (("nasbench201", nasbench201(), (3, 32, 32)), ("mbconv", mbconv(), (1, 8, 8))):
        given = known(net, shape)
        for name, y in devices(given).items():
            cells, macs = [], 0.0
            for n in MEASURED:
                found = np.asarray([drawn(given, y, n, seed) for seed in range(DRAWS)])
                tau, macs, error, _ = found.mean(axis=0)
                lost = (found[:, 0] - found[:, 1]).min()
                cells.append(f"{tau:.2f} ({lost:+.2f}), {error:.0%} ({found[:, 3].max():.0%})")
            print(f"| {label} | {name} | {macs:.2f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
