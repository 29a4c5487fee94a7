"""Runs side by side, each in a process of its own, until all have ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from supernet.bench.study import TRUTH
from supernet.bench.words import duration
from supernet.errors import RunError
from supernet.runs.run import Say
from supernet.train.interruption import Interruption
from supernet.workers.crew import LIVES
from supernet.workers.local import how_it_ended
from supernet.workers.on_ray import Cluster, RayCommand

_LOOK_EVERY_SECONDS = 0.1
_SPEAK_EVERY_SECONDS = 60.0


class Running(Protocol):
    """A run under way, in some process."""

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        ...

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and those it has started."""
        ...

    def close(self) -> None:
        """Close what we hold of a process that has ended, or is about to."""
        ...


@dataclass(frozen=True)
class Job:
    """One run to make.

    Attributes:
        out: Directory of the study.
        cell: Its cell, or `TRUTH`.
        seed: Its seed.
        beside: Runs made at the same time; of the truth: the workers that it may use, as `--workers` has them.
    """

    out: Path
    cell: str
    seed: int
    beside: int | str = 1

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

    @property
    def command(self) -> list[str]:
        """The program that makes it, and its arguments."""
        asked = (self.out.resolve(), self.cell, self.seed, self.beside)
        return ["-m", "supernet.bench.worker", *map(str, asked)]

    def start(self, threads: int | None, cluster: Cluster | None = None) -> Running:
        """Start the process, here or on a cluster; it ends with this one, and what it says is added to the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        limits = {} if threads is None else dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        if cluster is not None:
            return RayCommand(cluster, self.command, limits, self.log.resolve())
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches it through us, once, and not half of its processes from the terminal.
            return Started(
                subprocess.Popen(
                    [sys.executable, *self.command],
                    stdin=subprocess.PIPE,  # closed where we end, however that is: see the worker
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **limits},
                    start_new_session=True,
                )
            )


class Started:
    """A process of this machine in a session of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and those it has started."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def close(self) -> None:
        """Wait for its end and close its pipe."""
        with self._process:
            pass


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
    jobs: Sequence[Job],
    *,
    workers: int,
    before: int,
    estimator: Estimator,
    say: Say,
    again: str,
    cluster: Cluster | None = None,
) -> dict[Job, str]:
    """Carry out jobs, `workers` at a time; one that fails does not stop the others.

    A job whose process is killed, or whose machine goes, is begun again after the others, up to `LIVES` times in all; a
    run goes on from its checkpoint.

    Args:
        jobs: In the order in which they start.
        workers: Processes.
        before: Runs finished earlier, for the count.
        estimator: Durations known so far.
        say: A function that is called with each sentence about the progress.
        again: Command that goes on after an interruption.
        cluster: Where the processes run; None: on this machine.

    Returns:
        The failed jobs, each with the last line of its log.

    Raises:
        RunError: interrupted; the runs under way have stopped, each with a checkpoint.
    """
    threads = _threads(workers) if cluster is None else 1  # the processor that a job reserves there
    waiting, running, failures = list(jobs), dict[Job, tuple[Running, float]](), dict[Job, str]()
    killed: Counter[Job] = Counter()
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
                    running[job] = job.start(threads, cluster), time.monotonic()
                    say(f"[{done()}/{total}] {job}: started")
                for job, (process, began) in list(running.items()):
                    code = process.poll()
                    if code is None:
                        continue
                    del running[job]
                    process.close()
                    seconds = time.monotonic() - began
                    if code == 0:
                        estimator.add(job.cell, seconds)
                        say(f"[{done()}/{total}] {job}: done in {duration(seconds)}{left()}")
                    elif code < 0 and killed[job] < LIVES - 1:
                        killed[job] += 1
                        waiting.append(job)
                        say(
                            f"[{done()}/{total}] {job}: {how_it_ended(code)}; it is begun again, and goes on from there"
                        )
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
            process.signal(signal.SIGKILL)
            process.close()
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
        return f"{how_it_ended(code)}, {LIVES} times"
    return last_line(log).removeprefix("error: ") or f"it ended with code {code} and said nothing"


def _threads(workers: int) -> int | None:
    """Threads of each process: an equal share of the cores, unless the user has decided; one process takes all."""
    if workers == 1 or "OMP_NUM_THREADS" in os.environ:
        return None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // workers)


def _stop(processes: Sequence[Running]) -> None:
    """Ask all to stop, which a training does after its step and with a checkpoint; and wait."""
    for process in processes:
        process.signal(signal.SIGTERM)  # not SIGINT, which is ignored by what a shell script starts with &
    for process in processes:
        while process.poll() is None:
            time.sleep(_LOOK_EVERY_SECONDS)
