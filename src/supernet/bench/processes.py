"""Runs side by side, each in a process of its own, until all have ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from supernet.bench.study import TRUTH
from supernet.bench.words import duration
from supernet.errors import RunError
from supernet.train.interruption import Interruption

Say = Callable[[str], None]
_LOOK_EVERY_SECONDS = 0.1
_SPEAK_EVERY_SECONDS = 60.0


@dataclass(frozen=True)
class Job:
    """One run to make.

    Attributes:
        out: Directory of the study.
        cell: Its cell, or `TRUTH`.
        seed: Its seed.
        beside: Runs made at the same time (of the truth: processes it may use).
    """

    out: Path
    cell: str
    seed: int
    beside: int = 1

    def __str__(self) -> str:
        return "truth: architectures trained alone" if self.cell == TRUTH else f"{self.cell} seed {self.seed}"

    @property
    def run(self) -> Path:
        """Its directory."""
        return self.out / TRUTH if self.cell == TRUTH else self.out / self.cell / f"seed-{self.seed}"

    @property
    def log(self) -> Path:
        """What its process says, beside its directory."""
        return self.run.with_name(self.run.name + ".log")

    def start(self, threads: int | None) -> subprocess.Popen[bytes]:
        """Start the process, which ends with this one; what it says is added to the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        limits = {} if threads is None else dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        asked = (self.out, self.cell, self.seed, self.beside)
        command = [sys.executable, "-m", "supernet.bench.worker", *map(str, asked)]
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches it through us, once, and not half of its processes from the terminal.
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # closed where we end, however that is: see the worker
                stdout=log,
                stderr=log,
                env={**os.environ, **limits},
                start_new_session=True,
            )


@dataclass
class Estimator:
    """Expected seconds of a run: the mean of its cell's runs, else of all runs that are known."""

    known: dict[str, list[float]] = field(default_factory=dict)

    def add(self, cell: str, seconds: float) -> None:
        """Note how long a whole run took."""
        self.known.setdefault(cell, []).append(seconds)

    def left(self, waiting: Sequence[Job], running: Mapping[Job, float], workers: int) -> float | None:
        """Seconds until all are done, or None while nothing is known.

        Args:
            waiting: Runs that have not started.
            running: Runs under way and for how many seconds.
            workers: Runs at a time.
        """
        everything = [seconds for group in self.known.values() for seconds in group]
        if not everything:
            return None

        def expected(job: Job) -> float:
            group = self.known.get(job.cell) or everything
            return sum(group) / len(group)

        rest = [max(expected(job) - seconds, 0.0) for job, seconds in running.items()]
        # As well packed as can be, and never shorter than what a single run still needs.
        whole = [expected(job) for job in waiting]
        return max([(sum(rest) + sum(whole)) / workers, *rest, *whole], default=0.0)


def run_jobs(
    jobs: Sequence[Job], *, workers: int, before: int, estimator: Estimator, say: Say, again: str
) -> dict[Job, str]:
    """Carry out jobs, `workers` at a time; one that fails does not stop the others.

    Args:
        jobs: In the order in which they start.
        workers: Processes.
        before: Runs finished earlier, for the count.
        estimator: Durations known so far.
        say: A function that is called with each sentence about the progress.
        again: Command that goes on after an interruption.

    Returns:
        The failed jobs, each with the last line of its log.

    Raises:
        RunError: interrupted; the runs under way have stopped, each with a checkpoint.
    """
    threads = _threads(workers)
    waiting, running, failures = list(jobs), dict[Job, tuple[subprocess.Popen[bytes], float]](), dict[Job, str]()
    total, spoke = before + len(jobs), time.monotonic()

    def done() -> int:
        return total - len(waiting) - len(running) - len(failures)

    def left() -> str:
        now = time.monotonic()
        seconds = estimator.left(waiting, {job: now - began for job, (_, began) in running.items()}, workers)
        return "" if seconds is None or seconds < 1 else f", about {duration(seconds)} left"

    try:
        with Interruption() as interruption:
            while waiting or running:
                if interruption.noted:
                    say("stopping after the current step; Ctrl-C again to stop at once")
                    _stop([process for process, _ in running.values()])
                    raise RunError(
                        f"Interrupted: {done()} of {total} runs are done, and those under way have stopped. "
                        f"Go on with: {again}"
                    )
                while waiting and len(running) < workers:
                    job = waiting.pop(0)
                    running[job] = job.start(threads), time.monotonic()
                    say(f"[{done()}/{total}] {job}: started")
                for job, (process, began) in list(running.items()):
                    code = process.poll()
                    if code is None:
                        continue
                    del running[job]
                    _close(process)
                    seconds = time.monotonic() - began
                    if code == 0:
                        estimator.add(job.cell, seconds)
                        say(f"[{done()}/{total}] {job}: done in {duration(seconds)}{left()}")
                    else:
                        failures[job] = _reason(job.log, code)
                        say(f"[{done()}/{total}] {job}: failed after {duration(seconds)}: {failures[job]}")
                if time.monotonic() - spoke >= _SPEAK_EVERY_SECONDS and running:
                    spoke = time.monotonic()
                    doing = "; ".join(f"{job}: {last_line(job.log) or 'starting'}" for job in running)
                    say(f"[{done()}/{total}] {doing}{left()}")
                time.sleep(_LOOK_EVERY_SECONDS)
    finally:
        for process, _ in running.values():
            _signal(process, signal.SIGKILL)
            _close(process)
    return failures


def last_line(log: Path) -> str:
    """The last line that says something, or nothing. An error counts as last: buffered output may follow it."""
    if not log.is_file():
        return ""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines[-5:] if line.startswith("error: ")]
    return (errors or lines or [""])[-1]


def _reason(log: Path, code: int) -> str:
    if code < 0:
        killed = f"killed by {signal.Signals(-code).name}"
        return f"{killed} (out of memory?)" if code == -signal.SIGKILL else killed
    return last_line(log).removeprefix("error: ") or f"it ended with code {code} and said nothing"


def _threads(workers: int) -> int | None:
    """Threads of each process: an equal share of the cores, unless the user has decided; one process takes all."""
    if workers == 1 or "OMP_NUM_THREADS" in os.environ:
        return None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // workers)


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask all to stop, which a training does after its step and with a checkpoint; and wait."""
    for process in processes:
        _signal(process, signal.SIGTERM)  # not SIGINT, which is ignored by what a shell script starts with &
    for process in processes:
        process.wait()


def _close(process: subprocess.Popen[bytes]) -> None:
    """Close what we hold of a process that has ended, or is about to."""
    with process:
        pass


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To the process and those it has started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
