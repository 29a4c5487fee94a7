"""The ranking of a trained supernet against the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from torch import nn

from supernet.data import Data
from supernet.errors import UsageError
from supernet.io.lines import LinesFile, read_lines
from supernet.judge.clusters import Clusters, specialisation, too_many
from supernet.judge.distribution import Distribution
from supernet.judge.report import RankReport
from supernet.judge.truth.growing import TruthFile, read_source
from supernet.judge.truth.truth import Truth
from supernet.measure import Calibration, NetEvaluator, Score
from supernet.measure.evaluator import AHEAD
from supernet.measure.proxies import Proxy, proxy_scores
from supernet.measure.scores.calibration import DEFAULT
from supernet.nn import Supernet
from supernet.precision import Precision
from supernet.rank.checks import MIN_ARCHITECTURES, Floats, UndefinedError
from supernet.rank.curves import Curves, mass_curves
from supernet.rank.measures import dense_ranks, mid_ranks
from supernet.space import Arch
from supernet.train.checkpoint import digest
from supernet.train.recipe import describe
from supernet.workers import Workers

_SOURCE = "scored with inherited weights"


def rank_report(
    net: Supernet,
    data: Data,
    truth: Truth,
    *,
    n: int = 300,
    seed: int = 0,
    distribution: Distribution | None = None,
    clusters: bool = False,
    calibration: Calibration | None = DEFAULT,
    images: int | None = None,
    batch_size: int = 512,
    precision: Precision = "32-true",
    by: Score | None = None,
    parts: Mapping[str, nn.Module] | None = None,
    proxies: Sequence[str | Proxy] = (),
    workers: Workers | None = None,
    out: Path | str | None = None,
    progress: Callable[[int, int], None] | None = None,
    rated: Callable[[int, int], None] = lambda done, total: None,
) -> RankReport:
    """Judge a supernet's ranking on architectures whose worth is known, beside parameter count and MACs.

    Scores that did not come from a `Supernet` are judged by `RankReport.of`.

    Args:
        net: The trained supernet whose ranking is judged.
        data: The data set: validation images are scored, training images calibrate batch norm.
        truth: Ground truth for architectures of the same space.
        n: Number of architectures to judge on, spread over their quality; all of them if the truth holds fewer.
        seed: The seed that decides these architectures and drives the bootstrap.
        distribution: How likely the method draws each architecture, from architecture parameters:
            `Distribution.of_weights(net.space, architecture.probabilities())`. The report then has its sampling mass
            over the whole truth; where that is a part of the space, given that one of its architectures is drawn.
        clusters: Whether to group the architectures by similarity, see `specialisation`. More than 5,000 are not: the
            report says so in `omitted`.
        calibration: Batch norm statistics of each subnet; None keeps what the network holds.
        images: Number of validation images to score on; None: all of them.
        batch_size: Number of images per batch. It changes the scores only where BatchNorm uses the batch
            (`statistics="batch"`).
        precision: Arithmetic of the scoring.
        by: What the subnets are ranked by, see `Recipe.ranks_by`; None: the score of the task.
        parts: The modules that the method has beside the supernet, by name, for what the subnets are ranked by.
        proxies: Scores without training that stand beside them, by name or as values (`measure.proxies`).
        workers: Processes that score side by side, with the same scores; None: this one does.
        out: A `.jsonl` file that keeps the scores as they become known; called again, only the missing ones are made.
            None keeps nothing.
        progress: Called as `progress(done, total)` after each architecture.
        rated: The same for the scores without training, which come after.

    Raises:
        UsageError: the truth is about another space, too few architectures can be ranked, or `out` holds something
            other than scores.
        RunError: an output is not finite, or the file cannot be read or written.
    """
    if min(n, len(truth)) < MIN_ARCHITECTURES:
        raise UsageError(
            f"A ranking needs at least {MIN_ARCHITECTURES} architectures; {n} of {len(truth)} were asked for. "
            "Judge on more."
        )
    judged = truth if n >= len(truth) else truth.sample(n, np.random.default_rng(seed))
    archs = net.space.wrap(net.space.codes(judged.archs))
    evaluator = NetEvaluator(
        net,
        data.sealed(),
        calibration=calibration,
        batch_size=batch_size,
        images=images,
        precision=precision,
        score=by,
        parts=parts,
    )
    with nullcontext() if workers is None else evaluator.spread(workers):
        values = _scored(evaluator, archs, out=out, progress=progress)
    predicted = [evaluator.ranking.sign * value for value in values]
    codes = net.space.codes(archs)
    baselines = {"parameter count": evaluator.costs(codes, "params"), "MACs": evaluator.costs(codes, "macs")}
    if proxies:
        told = _rated(net, archs, data, proxies, seed=seed, out=out, progress=rated)
        baselines |= {
            name: mid_ranks(dense_ranks(np.asarray(values))[None])[0]
            for name, values in told.items()
            if "/" not in name
        }  # −∞ is last
    true = judged.metric.sign * judged.mean
    omitted: dict[str, str] = {}
    families: Clusters | None = None
    if clusters and (reason := too_many(len(archs))):
        omitted["clusters"] = reason
    elif clusters:
        try:
            families = specialisation(net.space, codes, predicted, true)
        except UndefinedError as error:
            omitted["clusters"] = str(error)
    mass: Curves | None = None
    if distribution is not None:
        try:
            drawn = distribution.log_probability(net.space.codes(truth.archs))
            mass = _mass(drawn, judged.metric.sign * truth.mean, truth)
        except UndefinedError as error:
            omitted["mass"] = str(error)
    report = RankReport.of(predicted, true, baselines=baselines, archs=archs, clusters=families, seed=seed)
    return replace(
        report, mass=mass, omitted={**report.omitted, **omitted}, metric=judged.metric, score=evaluator.ranking
    )


def _mass(log_probabilities: Floats, true: Floats, truth: Truth) -> Curves:
    """The sampling mass over the truth, given that one of its architectures is drawn."""
    if not np.isfinite(log_probabilities).any():
        raise UndefinedError(f"The architecture weights give none of the {len(truth):,} architectures of the truth.")
    weights = np.exp(log_probabilities - log_probabilities.max())
    curves = mass_curves({"supernet": weights[None] / weights.sum()}, true)
    if len(truth) < truth.space.size:
        return replace(curves, quantity=f"{curves.quantity} among the {len(truth):,} architectures of the truth")
    return curves


class _Rating(msgspec.Struct, frozen=True):
    """A line of the file of scores without training; None: not finite."""

    of: str
    proxy: str
    arch: str
    parts: dict[str, float | None]


def _rated(
    net: Supernet,
    archs: Sequence[Arch],
    data: Data,
    proxies: Sequence[str | Proxy],
    *,
    seed: int,
    out: Path | str | None,
    progress: Callable[[int, int], None],
) -> Mapping[str, Floats]:
    """Scores without training; beside the file `out` those of a name are kept in `proxies.jsonl`."""
    path = None if out is None else Path(out).with_name("proxies.jsonl")
    of = f"{net.space.fingerprint}, {data.fingerprint()}, seed {seed}"
    rows = [] if path is None else read_lines(path, _Rating).rows
    named = {given for given in proxies if isinstance(given, str)}
    known = {
        (row.proxy, row.arch): {part: -np.inf if value is None else value for part, value in row.parts.items()}
        for row in rows
        if row.of == of and row.proxy in named
    }
    with LinesFile(path) as file:

        def keep(name: str, arch: str, parts: Mapping[str, float]) -> None:
            finite = {part: value if np.isfinite(value) else None for part, value in parts.items()}
            file.append(_Rating(of, name, arch, finite))

        return proxy_scores(net, archs, data, proxies, seed=seed, known=known, done=keep, progress=progress)


def _scored(
    evaluator: NetEvaluator,
    archs: Sequence[Arch],
    *,
    out: Path | str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[float]:
    """What subnets are ranked by, with inherited weights, in the order of the architectures.

    Args:
        evaluator: The evaluator that tells it.
        archs: The architectures to score.
        out: A `.jsonl` file that grows by a line per architecture. Called again with the same weights, images and
            settings, only those that are missing are scored; a file of other scores is replaced. None keeps nothing.
        progress: Called as `progress(done, total)` after each architecture.

    Raises:
        UsageError: the file holds something other than scores; it is left as it is.
        RunError: an output is not finite, a line of the file cannot be read, or it cannot be written.
    """
    told: dict[tuple[int, ...], float] = {}
    with _opened(evaluator, out) as file:
        if len(file):
            kept = file.truth()
            told = dict(zip(map(tuple, kept.codes.tolist()), kept.mean.tolist(), strict=True))
        for done, arch in enumerate(archs, start=1):
            if (done - 1) % AHEAD == 0 and (evaluator.score is None or evaluator.is_spread):
                ahead = archs[done - 1 : done - 1 + evaluator.ahead]
                evaluator.look_ahead([one for one in ahead if one.code not in told])
            if arch.code not in told:
                told[arch.code] = evaluator.value(arch)
                file.append(arch, 0, told[arch.code])
            if progress is not None:
                progress(done, len(archs))
    return [told[arch.code] for arch in archs]


def _opened(evaluator: NetEvaluator, out: Path | str | None) -> TruthFile:
    """The file of scores, empty unless it holds those of just these weights, images and settings."""
    path = None if out is None else Path(out)
    settings = (
        {}
        if path is None
        else {
            "weights": digest(evaluator.net.state_dict()),
            "data": evaluator.data.fingerprint(),
            "scoring": describe(evaluator.settings()),
            **({} if evaluator.score is None else {"score": describe(evaluator.score), "parts": _digests(evaluator)}),
        }
    )

    def opened() -> TruthFile:
        return TruthFile(path, evaluator.net.space, metric=evaluator.ranking, source=_SOURCE, settings=settings)

    try:
        return opened()
    except UsageError:  # made with other weights or settings
        if path is None or read_source(path) != _SOURCE:
            raise  # trainings are worth hours
        path.unlink()
        return opened()


def _digests(evaluator: NetEvaluator) -> dict[str, str]:
    return {name: digest(module.state_dict()) for name, module in evaluator.parts.items()}
