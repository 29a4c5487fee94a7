"""The ranking of a trained supernet against a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from supernet.data import ImageData
from supernet.errors import UsageError
from supernet.judge.clusters import specialisation
from supernet.judge.report import RankReport
from supernet.judge.sampling import Sampler
from supernet.judge.scoring import scored
from supernet.judge.truth.table import Table
from supernet.measure import Calibration, NetEvaluator
from supernet.measure.scores.calibration import DEFAULT
from supernet.nn import Supernet
from supernet.nn.precision import Precision
from supernet.rank.curves import mass_curves


def rank_report(
    net: Supernet,
    data: ImageData,
    table: Table,
    *,
    n: int = 300,
    seed: int = 0,
    sampler: Sampler | None = None,
    clusters: bool = False,
    calibration: Calibration | None = DEFAULT,
    images: int | None = None,
    precision: Precision = "32-true",
    out: Path | str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RankReport:
    """Judge a supernet's ranking on architectures whose worth is known, beside parameter count and MACs.

    Scores that did not come from a `Supernet` are judged by `RankReport.of`.

    Args:
        net: The trained supernet.
        data: Images; validation images are scored, training images calibrate batch norm.
        table: Ground truth for architectures of the same space.
        n: Architectures to judge on, spread over the table's quality; all of them if the table is smaller.
        seed: Decides which, and drives the bootstrap.
        sampler: How likely the method draws each architecture, from architecture parameters:
            `independent_sampler(net.space, architecture.probabilities())`. The report then has its sampling mass over
            the whole table, which must hold every architecture of the space.
        clusters: Group the architectures by similarity, see `specialisation`.
        calibration: Batch norm statistics of each subnet; None keeps what the network holds.
        images: Validation images to score on; None: all.
        precision: Arithmetic of the scoring.
        out: A `.jsonl` file that keeps the scores as they become known; called again, only the missing ones are made.
            None keeps nothing.
        progress: Called as `progress(done, total)` after each architecture.

    Raises:
        UsageError: the table is about another space, too few architectures can be ranked, there is a sampler and the
            table lacks architectures, or `out` holds something other than scores.
        RunError: an output is not finite; the file cannot be read or written; or clusters are asked for, and SciPy is
            not installed (extra "judge").
    """
    if sampler is not None and len(table) < table.space.size:
        raise UsageError(
            f"The sampling mass needs every architecture of the space, but the table holds {len(table):,} of "
            f"{table.space.size:,}. Leave sampler out, or see sampling_mass_of_draws."
        )
    judged = table if n >= len(table) else table.sample(n, np.random.default_rng(seed))
    archs = net.space.wrap(net.space.codes(judged.archs))
    evaluator = NetEvaluator(net, data.sealed(), calibration=calibration, images=images, precision=precision)
    predicted = scored(evaluator, archs, out=out, progress=progress)
    codes = net.space.codes(archs)
    baselines = {"parameter count": evaluator.costs(codes, "params"), "MACs": evaluator.costs(codes, "macs")}
    sign = 1 if judged.metric.goal == "max" else -1
    true = sign * judged.mean
    report = RankReport.of(
        predicted,
        true,
        baselines=baselines,
        archs=archs,
        clusters=specialisation(net.space, codes, predicted, true) if clusters else None,
        seed=seed,
    )
    if sampler is None:
        return report
    probabilities = sampler.probability(net.space.codes(table.archs))[None]
    return replace(report, mass=mass_curves({"supernet": probabilities}, sign * table.mean))
