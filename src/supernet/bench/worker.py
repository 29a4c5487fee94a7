"""One run of a study, in a process of its own: `python -m supernet.bench.worker OUT CELL SEED WORKERS`.

The cell `truth` trains the architectures alone that the runs are judged against. The process ends with the one that
holds its standard input, however that ends: a training after its step, with a checkpoint.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread

import msgspec
import torch

from supernet.bench.finished import is_finished
from supernet.bench.processes import Job
from supernet.bench.spent import read_resources
from supernet.bench.study import TRUTH, Study
from supernet.errors import SupernetError, UsageError
from supernet.io import schema
from supernet.io.allocator import keep_freed_memory
from supernet.io.asked_workers import AskedWorkers
from supernet.io.run_directory import RunDirectory
from supernet.runs.judge import Alone, judge, trained_alone
from supernet.runs.run import Run
from supernet.runs.search import search
from supernet.runs.train import train

PATIENCE_SECONDS = 60.0
"""How long a worker of a study that was killed may need for its last step."""


def work(out: Path, cell: str, seed: int, *, workers: int | str) -> None:
    """Train and judge one run, or go on where it stopped.

    Raises:
        UsageError: as training and judging raise it, and another process is at work on this run.
        RunError: as training and judging raise it.
    """
    study, path = Study.read(out / "study.json"), Job(out, cell, seed).run
    with _alone(RunDirectory(path)):
        if cell != TRUTH and is_finished(path, study.truth(out)):
            return
        config = study.config(study.baseline if cell == TRUTH else cell, seed)
        run = Run.create(config, path, resume=RunDirectory(path).is_run, say=_say)
        if cell == TRUTH:
            assert study.judge is not None
            run.directory.begin()
            trained_alone(run.asking(judge=replace(study.judge, workers=workers)))
        else:
            _train_and_judge(study, run, out, cell, int(workers))
        _say(f"finished: {path}")


def _train_and_judge(study: Study, run: Run, out: Path, cell: str, workers: int) -> None:
    trained = train(run, resume=True)
    assert trained is not None  # one device each
    words = ["supernet", "bench", str(out / "study.json"), "--out", str(out), "--only", cell]
    command = shlex.join([*words, "--seeds", str(run.config.seed)])
    machine = run.directory.read("environment.json", schema.Environment)
    run.directory.write("environment.json", msgspec.structs.replace(machine, command=command))
    before, truth = read_resources(run.directory.path), study.truth(out)
    took = schema.Resources(
        training_memory_bytes=max(filter(None, (peak_memory_bytes(), before.training_memory_bytes)), default=None),
        threads=torch.get_num_threads(),
        workers=workers,
    )
    run.directory.write("resources.json", took)
    began = time.monotonic()
    if truth is None:
        search(trained, resume=True)
    else:
        # What an earlier study found goes first, so that no file says more than is true if this process dies.
        for name in ("ranking.csv", "judge.json"):
            (run.directory / name).unlink(missing_ok=True)
        for sentence in judge(
            trained.asking(judge=truth), alone=_alone_like_the_truth(study, trained, out)
        ).sentences():
            _say(sentence)
    spent = {
        "judging_seconds": round(time.monotonic() - began, 1),
        "memory_bytes": peak_memory_bytes(),
        "accelerator_memory_bytes": torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None,
    }
    run.directory.write("resources.json", msgspec.structs.replace(took, **spent))


def _alone_like_the_truth(study: Study, run: Run, out: Path) -> Alone | None:
    """What trains a derived architecture as the truth of the study was trained; its file is that of the run."""
    if study.judge is None or not study.judge.retrain:
        return None
    like = Run(study.config(study.baseline, 0), RunDirectory(Job(out, TRUTH, 0).run)).asking(judge=study.judge)
    return partial(trained_alone, like, out=run.directory / "derived.jsonl")


def peak_memory_bytes() -> int | None:
    """Largest resident memory that this process has had."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            # Not `ru_maxrss`: Linux hands that of the parent on to the programs it starts.
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024


@contextlib.contextmanager
def _alone(directory: RunDirectory) -> Iterator[None]:
    """Hold a run, once a worker that a killed study has left behind is through with it."""
    until = time.monotonic() + PATIENCE_SECONDS
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(directory.alone(_say))
                break
            except UsageError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
        yield


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Entry point: the last line of the log says why a run failed."""
    Thread(target=_end_with_parent, daemon=True).start()
    keep_freed_memory()
    out, cell, seed, workers = sys.argv[1:]
    try:
        work(Path(out), cell, int(seed), workers=AskedWorkers.of(workers).written)
    except SupernetError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2 if isinstance(error, UsageError) else 1) from None
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
