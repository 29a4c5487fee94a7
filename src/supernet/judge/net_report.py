"""The ranking of a trained supernet against a table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from supernet.data import ImageData
from supernet.judge.report import RankReport, rank_report
from supernet.judge.table import Table
from supernet.measure import Calibration, NetEvaluator
from supernet.measure.calibration import DEFAULT
from supernet.nn import Supernet


def net_report(
    net: Supernet,
    data: ImageData,
    table: Table,
    *,
    n: int = 300,
    seed: int = 0,
    calibration: Calibration | None = DEFAULT,
    images: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RankReport:
    """Judge a supernet's ranking on architectures whose worth is known, beside parameter count and MACs.

    Args:
        net: The trained supernet.
        data: Images; validation images are scored, training images calibrate batch norm.
        table: Ground truth for architectures of the same space.
        n: Architectures to judge on, spread over the table's quality; all of them if the table is smaller.
        seed: Decides which, and drives the bootstrap.
        calibration: Batch norm statistics of each subnet; None keeps what the network holds.
        images: Validation images to score on; None: all.
        progress: Called as `progress(done, total)` after each architecture.

    Raises:
        UsageError: the table is about another space, or too few architectures can be ranked.
        RunError: an output is not finite.
    """
    judged = table if n >= len(table) else table.sample(n, np.random.default_rng(seed))
    archs = net.space.wrap(net.space.codes(judged.archs))
    evaluator = NetEvaluator(net, data.sealed(), calibration=calibration, images=images)
    predicted = []
    for done, arch in enumerate(archs, start=1):
        predicted.append(evaluator.scores(arch).accuracy)
        if progress is not None:
            progress(done, len(archs))
    codes = net.space.codes(archs)
    baselines = {"parameter count": evaluator.costs(codes, "params"), "MACs": evaluator.costs(codes, "macs")}
    true = judged.mean if judged.metric.goal == "max" else -judged.mean
    return rank_report(predicted, true, baselines=baselines, archs=archs, seed=seed)
