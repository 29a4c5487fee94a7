"""Carrying out a study."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from supernet.bench.comparing import tabulate
from supernet.bench.finished import FinishedRun, differences, is_finished
from supernet.bench.processes import Estimator, Job, run_jobs
from supernet.bench.spent import Spent
from supernet.bench.study import TRUTH, Study, check_seeds
from supernet.bench.table import RunTable
from supernet.errors import RunError, UsageError
from supernet.io.asked_workers import AskedWorkers
from supernet.io.config import Config
from supernet.io.files import write_json
from supernet.io.locking import locked
from supernet.runs.run import Say
from supernet.workers.on_ray import Cluster, Ray


def run_study(
    study: Study,
    out: Path,
    *,
    workers: int | str = 1,
    seeds: Sequence[int] | None = None,
    only: Sequence[str] | None = None,
    again: str | None = None,
    say: Say = lambda text: None,
) -> RunTable:
    """Make the runs of a study that are missing, and compare all that there are.

    Every run has a directory `out/CELL/seed-N` and a process of its own. Finished ones are kept, stopped ones go on.
    The study is in `out/study.json` before the first run starts. `comparison.md`, `.csv`, `.json` and `.svg` are
    written to `out`.

    Args:
        study: The study to carry out.
        out: The directory that holds the study's runs and its table.
        workers: Number of runs at a time; the cores are shared among them. Or text for those of a Ray cluster, such as
            `"ray:8"`, whose machines share the directory.
        seeds: Seeds to run now; None: those of the study.
        only: Names of the cells to run now; None: all of the study.
        again: Command that goes on after an interruption, for the message.
        say: A function that is called with each sentence about the progress.

    Raises:
        UsageError: an unknown cell, a run in `out` with other settings, no two runs that can be compared, or another
            process is at work on the study.
        RunError: interrupted, a package is missing, or no run succeeded.
    """
    asked = AskedWorkers.of(workers)
    cells = list(study.cells) if only is None else list(only)
    if unknown := [cell for cell in cells if cell not in study.cells]:
        raise UsageError(f"There is no cell {unknown[0]!r}; there are {', '.join(study.cells)}.")
    chosen = study.seeds if seeds is None else tuple(seeds)
    check_seeds(chosen)
    study.check()
    everything = tuple(dict.fromkeys([*study.seeds, *chosen]))
    # All cells have their first seed before any has its second: a table can be had early.
    with locked(out), _cluster(asked) as (cluster, count):
        wanted = [Job(out, cell, seed, beside=count) for seed in chosen for cell in cells]
        _check_kept(study, out, wanted)
        missing = [job for job in wanted if not is_finished(job.run, study.truth(out))]
        say(
            f"cells {', '.join(cells)}; seeds {', '.join(map(str, chosen))}; {len(wanted) - len(missing)} of "
            f"{len(wanted)} runs are done, {len(missing)} to do, {count} at a time, in {out}"
        )
        failures: dict[Job, str] = {}
        if missing:
            write_json(out / "study.json", study.to_json())
            failures = _make(
                study,
                missing,
                len(wanted) - len(missing),
                out,
                workers=count,
                alone=asked.written,
                cluster=cluster,
                again=again or _again(out),
                say=say,
            )
        return _compared(study, out, everything, failures)


def _compared(study: Study, out: Path, seeds: Sequence[int], failures: Mapping[Job, str]) -> RunTable:
    """Compare what is finished, and write it; a run that cannot be read is named, and the others are compared."""
    groups: dict[str, list[FinishedRun]] = {cell: [] for cell in study.cells}
    failed = [f"{job} failed (see {job.log}): {reason}" for job, reason in failures.items()]
    for job in (Job(out, cell, seed) for cell in study.cells for seed in seeds):
        if is_finished(job.run, study.truth(out)):
            try:
                groups[job.cell].append(FinishedRun.read(job.run))
            except RunError as error:
                failed.append(f"{job} is left out: {error}")
    empty = [cell for cell, runs in groups.items() if not runs]
    if len(empty) == len(groups):
        raise RunError(" ".join(["No run of the study is complete.", *failed]))
    notes = [f"There is no finished run of {', '.join(empty)}."] if empty else []
    if study.baseline in empty:
        notes.append(f"The others are compared with {study.baseline} once it has one.")
    found = tabulate(
        {cell: runs for cell, runs in groups.items() if runs},
        baseline=None if study.baseline in empty else study.baseline,
        notes=notes,
        failed=failed,
    )
    found.write(out)
    return found


@contextmanager
def _cluster(asked: AskedWorkers) -> Iterator[tuple[Cluster | None, int]]:
    """Where the runs are made, None being here, and how many at a time."""
    if asked.engine == "local":
        yield None, asked.count or 1
        return
    cluster = Cluster(Ray(asked.count, asked.address))
    try:
        yield cluster, cluster.places()
    finally:
        cluster.close()


def _make(
    study: Study,
    missing: Sequence[Job],
    before: int,
    out: Path,
    *,
    workers: int,
    alone: int | str,
    cluster: Cluster | None,
    again: str,
    say: Say,
) -> dict[Job, str]:
    if study.judge is not None and study.judge.retrain:
        truth = Job(out, TRUTH, 0, beside=alone)  # made here, with workers of its own
        if cluster is not None:
            os.environ.setdefault("RAY_ADDRESS", cluster.address)
        say(f"first the truth: {study.judge.retrain} architectures trained alone")
        for reason in run_jobs([truth], workers=1, before=0, estimator=Estimator(), say=say, again=again).values():
            raise RunError(f"The truth could not be made: {reason} (log: {truth.log}).")
    estimator = Estimator()
    for cell in study.cells:
        for path in sorted((out / cell).glob("seed-*")):
            if path.is_dir() and is_finished(path, study.truth(out)):
                with suppress(RunError):  # `_compared` says so
                    estimator.add(cell, Spent.read(path).seconds)
    return run_jobs(missing, workers=workers, before=before, estimator=estimator, say=say, again=again, cluster=cluster)


def _check_kept(study: Study, out: Path, wanted: Sequence[Job]) -> None:
    """Check that what is in the directory is of this study, as far as it is wanted.

    Raises:
        UsageError: a file is no study, or a run was begun with other settings; names them.
    """
    if (out / "study.json").is_file():
        Study.read(out / "study.json")  # what is no study is somebody else's file, and not written over
    alone = [Job(out, TRUTH, 0)] if study.judge is not None and study.judge.retrain else []
    for job in [*wanted, *alone]:
        file = job.run / "config.json"
        if not file.is_file():
            continue
        kept = Config.read(file)
        asked = study.config(study.baseline if job.cell == TRUTH else job.cell, job.seed)
        before, now = differences(kept, asked), differences(asked, kept)
        if before:
            said = ", ".join(f"{name} = {before[name]!r}, not {now[name]!r}" for name in before)
            raise UsageError(
                f"{job.run} was begun with other settings than the study has: {file} says {said}. Give the study "
                "these settings, delete the run, or choose another directory with --out."
            )


def _again(out: Path) -> str:
    return shlex.join(["supernet", "bench", str(out / "study.json"), "--out", str(out)])
