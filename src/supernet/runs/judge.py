"""Is the ranking of a run's supernet right? Its judgement, written to the run directory."""

from __future__ import annotations

from functools import partial

import numpy as np

from supernet.errors import UsageError
from supernet.io import schema
from supernet.io.files import read_text, write_atomically
from supernet.io.progress import ProgressBar
from supernet.judge import Distribution, RankReport, Truth, rank_report, read_truth, train_alone
from supernet.measure import cost_model
from supernet.runs.naming import build_calibration, build_net
from supernet.runs.report import refresh
from supernet.runs.run import Run
from supernet.train.programs._protocol import WeighsOptions

_MIN_CLUSTERED = 30  # families of fewer architectures have too few members to be averaged over


def judge(run: Run, truth: Truth | None = None) -> RankReport:
    """Judge the ranking of a run's supernet; writes `judge.json`, `judge.csv` and `ranking.csv`.

    The settings are in `judging.json` before the first result. Scores are in `scores.jsonl`, and trainings alone in
    `retrained.jsonl`, as soon as they are known, so that a judgement that was stopped goes on. Which architectures are
    drawn from the table does not depend on the run's seed, so that runs can be compared.

    Args:
        run: The run; `run.config.judge` says what its ranking is judged against.
        truth: A table to judge against instead.

    Raises:
        UsageError: nothing is said to judge against, or as `supernet.judge.rank_report`.
        RunError: as `supernet.judge.rank_report` and `supernet.judge.train_alone`.
    """
    settings, place = run.config.search, run.place
    with place.alone(run.say):
        if truth is None:
            check_wanted(run)
            table = table_of(run) if run.config.judge.table else None
            before = read_text(place / "judging.json")
            place.write("judging.json", schema.Judgement(run.config.judge))
            try:
                truth = trained_alone(run) if table is None else table
            except UsageError:  # refused, so the settings of what is on record stay
                (place / "judging.json").unlink()
                if before is not None:
                    write_atomically(place / "judging.json", before.encode())
                raise
        parts = run.load_searched()
        run.say_if_unfinished()
        n = min(run.config.judge.archs, len(truth))
        distribution = None
        program = run.recipe.on(run.net.space).phases[-1].program
        if isinstance(program, WeighsOptions) and len(truth) == run.net.space.size:
            weights = {name: values.cpu().numpy() for name, values in program.probabilities(parts).items()}
            distribution = Distribution.independent(run.net.space, weights)
        with ProgressBar("judge", n, unit="architectures") as bar:
            found = rank_report(
                run.net,
                run.data,
                truth,
                n=run.config.judge.archs,
                distribution=distribution,
                clusters=n >= _MIN_CLUSTERED,
                calibration=build_calibration(settings),
                images=settings.validation_images,
                batch_size=run.config.judge.batch_size,
                precision=run.config.train.precision,
                out=place / "scores.jsonl",
                progress=lambda done, _: bar.update(done),
            )
        place.write("judge.json", {**found.to_json(), "truth": repr(truth), "rows": found.rows()})
        write_atomically(place / "judge.csv", found.to_csv().encode())
        write_atomically(place / "ranking.csv", found.scores_csv().encode())
        refresh(run)
    return found


def check_wanted(run: Run) -> None:
    """Check that there is something to judge against.

    Raises:
        UsageError: there is not.
    """
    if not run.config.judge.wanted:
        raise UsageError(
            "A ranking is judged against a --table or against --retrain N architectures; give one of them."
        )


def table_of(run: Run) -> Truth:
    """The table that the configuration names.

    Raises:
        UsageError: there is no such table, or it is about another space.
        RunError: it is damaged.
    """
    settings = run.config.judge
    return read_truth(settings.table, run.net.space, dataset=settings.dataset or None, metric=settings.metric or None)


def trained_alone(run: Run) -> Truth:
    """Train as many architectures alone as the configuration says, in the same way as the supernet.

    The architectures are spread over parameter count. Trainings that are already in `retrained.jsonl` are kept.

    Raises:
        UsageError: as `supernet.judge.train_alone`.
        RunError: as `supernet.judge.train_alone`.
    """
    settings, count = run.config.judge, run.config.judge.retrain
    rng = np.random.default_rng(run.config.seed)
    codes = run.net.space.population(rng, 20 * count)
    order = np.argsort(cost_model(run.net, run.data.shape).params(codes), kind="stable")
    places = np.linspace(0, len(order) - 1, count).round().astype(int)
    return train_alone(
        partial(build_net, run.config, run.data),
        run.recipe,
        run.data.sealed(),
        run.net.space.wrap(codes[order[places]]),
        steps=settings.retrain_steps or run.config.train.steps,
        batch_size=run.config.train.batch_size,
        out=run.place / "retrained.jsonl",
        workers=settings.workers,
    )
