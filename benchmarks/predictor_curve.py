"""Kendall's τ of predictors on architectures held out, against the number measured: `docs/search.md`.

    python benchmarks/predictor_curve.py

The truth is the mean over six trainings of 320 topologies of NAS-Bench-201 on digits
(`judge.nasbench201_digits_truth`).
"""

from __future__ import annotations

import time

import numpy as np

from supernet.judge import nasbench201_digits_truth
from supernet.measure import MLP, Forest, GaussianProcess, Neighbours, Predictor, Ridge, cost_model, predictor_curve
from supernet.rank import kendall_tau
from supernet.zoo import nasbench201

MEASURED = (20, 50, 100, 200)
HELD = 100
REPEATS = 10
PREDICTORS: tuple[Predictor, ...] = (MLP(), Ridge(), Forest(), Neighbours(), GaussianProcess())


def main() -> None:
    truth = nasbench201_digits_truth()
    params = cost_model(nasbench201(), (3, 32, 32)).params(truth.codes)
    orders = [np.random.default_rng([0, repeat]).permutation(len(truth))[:HELD] for repeat in range(REPEATS)]
    taus = [float(kendall_tau(params[rows], truth.mean[rows])) for rows in orders]
    print(f"| parameter count | – | {' | '.join([f'{np.mean(taus):.2f}'] * len(MEASURED))} | – |")
    for predictor in PREDICTORS:
        begun = time.perf_counter()
        points = predictor_curve(
            predictor, truth.space, truth.codes, truth.mean, measured=MEASURED, held=HELD, repeats=REPEATS
        )
        cells = " | ".join(f"{p.tau:.2f} ({p.tau_range[0]:.2f} to {p.tau_range[1]:.2f})" for p in points)
        last = points[-1]
        print(
            f"| {type(predictor).__name__} | {last.params:,} | {cells} | {last.rmse:.3f} ({last.rmse_of_mean:.3f}) |"
            f" {time.perf_counter() - begun:.0f} s"
        )


if __name__ == "__main__":
    main()
