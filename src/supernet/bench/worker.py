"""One run of a study, in a process of its own: `python -m supernet.bench.worker OUT CELL SEED WORKERS`.

The cell `truth` trains the architectures alone that the runs are judged against.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from supernet.bench.places import finished, retrained_file, run_directory
from supernet.bench.resources import Resources, accelerator_memory_bytes, peak_memory_bytes
from supernet.bench.study import TRUTH, Study
from supernet.errors import SupernetError, UsageError
from supernet.io.run_directory import RunDirectory


def work(out: Path, cell: str, seed: int, *, workers: int) -> None:
    """Train and judge one run, or go on where it stopped.

    Raises:
        UsageError: as training and judging raise it, and another process is at work on this run.
        RunError: as training and judging raise it.
    """
    study = Study.read(out / "study.json")
    path = run_directory(out, cell, seed)
    with RunDirectory(path).alone(_say):
        if cell == TRUTH:
            _train_alone(study, out, path, workers)
        elif not finished(path, study.judging):
            _train_and_judge(study, out, path, cell, seed, workers)


def _train_and_judge(study: Study, out: Path, path: Path, cell: str, seed: int, workers: int) -> None:
    import torch

    from supernet.runs.judge import judge
    from supernet.runs.run import Run
    from supernet.runs.search import search
    from supernet.runs.train import train

    job = Run.create(study.config(cell, seed), path, overwrite=False, resume=RunDirectory(path).is_run, say=_say)
    trained = train(job, resume=True)
    assert trained is not None  # one device each
    job = trained
    _say(f"trained: {path}")
    _note_command(job.directory, f"supernet bench {out / 'study.json'} --out {out} --only {cell} --seeds {seed}")
    judging = study.judging
    before = Resources.read(path) or Resources()
    took = Resources(
        training_memory_bytes=max(filter(None, (peak_memory_bytes(), before.training_memory_bytes)), default=None),
        threads=torch.get_num_threads(),
        workers=workers,
        judging=None if judging is None else judging.to_json(),
    )
    # What an earlier study found goes first, so that no file says more than is true if this process dies.
    for name in ("ranking.csv", "judge.json") if judging is not None else ():
        (path / name).unlink(missing_ok=True)
    took.write(path)
    began = time.monotonic()
    if judging is None:
        search(job, resume=True)
    else:
        job = job.asking(judge=replace(job.config.judge, archs=judging.archs))
        for sentence in judge(job, judging.truth(job, retrained_file(out))).sentences():
            _say(sentence)
    replace(
        took,
        judging_seconds=round(time.monotonic() - began, 1),
        memory_bytes=peak_memory_bytes(),
        accelerator_memory_bytes=accelerator_memory_bytes(),
    ).write(path)
    _say(f"finished: {path}")


def _train_alone(study: Study, out: Path, path: Path, workers: int) -> None:
    from supernet.runs.judge import trained_alone
    from supernet.runs.run import Run

    assert study.judging is not None
    job = Run.create(study.config(study.baseline, 0), path, overwrite=False, resume=RunDirectory(path).is_run, say=_say)
    job.directory.begin()
    asked = replace(job.config.judge, table="", retrain=study.judging.retrain or 0, workers=workers)
    trained_alone(job.asking(judge=asked))


def _note_command(directory: RunDirectory, command: str) -> None:
    """The command that a user would give, in the place of this process's own."""
    directory.write("environment.json", directory.read("environment.json") | {"command": command})


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Entry point: the last line of the log says why a run failed."""
    out, cell, seed, workers = sys.argv[1:]
    try:
        work(Path(out), cell, int(seed), workers=int(workers))
    except SupernetError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2 if isinstance(error, UsageError) else 1) from None
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
