"""Is the ranking of a run's supernet right? Its judgement, written to the run directory."""

from __future__ import annotations

import importlib.util
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from supernet.errors import UsageError
from supernet.io.files import write_atomically
from supernet.io.progress import ProgressBar
from supernet.judge import RankReport, Table, independent_sampler, rank_report, read_truth, retrain
from supernet.measure import Calibration, cost_model
from supernet.nn.precision import check_precision
from supernet.runs.naming import build_net
from supernet.train.programs._protocol import WeighsOptions

if TYPE_CHECKING:
    from supernet.runs.run import Run

_MIN_CLUSTERED = 30  # families of fewer architectures have too few members to be averaged over


def judge_run(job: Run, truth: Table, *, n: int) -> RankReport:
    """Judge the ranking of a run's supernet against a table; writes `judge.json`, `judge.csv` and `ranking.csv`.

    Scores are in `scores.jsonl` as soon as they are known, so that a judgement that was stopped goes on.
    Which architectures are drawn from the table does not depend on the run's seed, so that runs can be compared.
    """
    settings = job.config.search
    architecture = job.load_searched()
    sampler = None
    program = job.recipe.on(job.net.space).phases[-1].program
    if architecture is not None and isinstance(program, WeighsOptions) and len(truth) == job.net.space.size:
        weights = {name: values.cpu().numpy() for name, values in program.probabilities(architecture).items()}
        sampler = independent_sampler(job.net.space, weights)
    with ProgressBar("judge", min(n, len(truth)), unit="architectures") as bar:
        found = rank_report(
            job.net,
            job.data,
            truth,
            n=n,
            sampler=sampler,
            clusters=min(n, len(truth)) >= _MIN_CLUSTERED and importlib.util.find_spec("scipy") is not None,
            calibration=Calibration(images=settings.calibration_images),
            images=settings.validation_images,
            precision=check_precision(job.config.train.precision),
            out=job.directory / "scores.jsonl",
            progress=lambda done, _: bar.update(done),
        )
    facts = {"truth": repr(truth), "rows": found.rows()}
    job.directory.write("judge.json", {**found.to_json(), **facts})
    write_atomically(job.directory / "judge.csv", found.to_csv().encode())
    write_atomically(job.directory / "ranking.csv", found.scores_csv().encode())
    return found


def ground_truth(job: Run) -> Table:
    """What the configuration says the ranking is judged against: a table, or architectures trained alone now.

    Raises:
        UsageError: it says nothing.
    """
    settings = job.config.judge
    if settings.table:
        return read_truth(
            settings.table, job.net.space, dataset=settings.dataset or None, metric=settings.metric or None
        )
    if settings.retrain:
        return retrained(job, settings.retrain, workers=settings.workers, steps=settings.retrain_steps or None)
    raise UsageError("A ranking is judged against a --table or against --retrain N architectures; give one of them.")


def retrained(job: Run, count: int, *, workers: int, steps: int | None = None) -> Table:
    """Train `count` architectures alone, in the same way as the supernet, and tabulate them.

    The architectures are spread over parameter count. Trainings that are already in `retrained.jsonl` are kept.

    Args:
        count: How many.
        workers: Processes.
        steps: Training steps of each; None: as many as the supernet's.
    """
    rng = np.random.default_rng(job.config.seed)
    codes = job.net.space.population(rng, 20 * count)
    order = np.argsort(cost_model(job.net, job.data.shape).params(codes), kind="stable")
    places = np.linspace(0, len(order) - 1, count).round().astype(int)
    return retrain(
        partial(build_net, job.config, job.data),
        job.recipe,
        job.data.sealed(),
        job.net.space.wrap(codes[order[places]]),
        steps=steps or job.config.train.steps,
        batch_size=job.config.train.batch_size,
        out=job.directory / "retrained.jsonl",
        workers=workers,
    )
