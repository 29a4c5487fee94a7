"""Processes side by side: how many, what stops them, what their failures say."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from signals import terminal
from supernet.bench.processes import Estimator, Job, Started, run_jobs
from supernet.errors import RunError

__all__ = ["terminal"]  # a fixture

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("terminal")]  # whole runs, or processes of their own


@dataclass(frozen=True)
class Scripted(Job):
    """A job that runs a script instead of a training."""

    script: str = ""

    def start(self, threads: int | None, cluster: object = None) -> Started:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        limits = {} if threads is None else {"THREADS": str(threads)}
        with self.log.open("ab") as log:
            command = [sys.executable, "-S", "-c", self.script]
            env = {**os.environ, **limits}
            return Started(subprocess.Popen(command, stdout=log, stderr=log, env=env, start_new_session=True))


def go(jobs: list[Scripted], *, workers: int, said: list[str] | None = None) -> dict[Job, str]:
    say = (lambda text: None) if said is None else said.append
    return run_jobs(jobs, workers=workers, before=0, estimator=Estimator(), say=say, again="supernet bench x")


def test_one_failure_does_not_stop_the_others(tmp_path: Path) -> None:
    scripts = {
        "good": "print('well')",
        "bad": "import sys; print('hm'); sys.exit('error: The loss became nan.')",
        "killed": "import os, signal; print('here', flush=True); os.kill(os.getpid(), signal.SIGKILL)",
        "silent": "raise SystemExit(3)",
        "later": "print('well')",
    }
    jobs = [Scripted(tmp_path, cell, 0, script=script) for cell, script in scripts.items()]
    said: list[str] = []
    failures = go(jobs, workers=2, said=said)
    assert {job.cell: reason for job, reason in failures.items()} == {
        "bad": "The loss became nan.",
        "killed": "killed by SIGKILL (out of memory?), 3 times",
        "silent": "it ended with code 3 and said nothing",
    }
    assert jobs[2].log.read_text() == "here\n" * 3
    assert sum("begun again" in line for line in said) == 2
    assert any(line.startswith("[2/5] later seed 0: done in ") for line in said)
    assert (tmp_path / "good/seed-0.log").read_text() == "well\n"


def test_never_more_than_asked_at_a_time(tmp_path: Path) -> None:
    """Every process counts those that run, itself included."""
    (tmp_path / "now").mkdir()
    script = (
        "import os, time, pathlib\n"
        f"now = pathlib.Path({str(tmp_path / 'now')!r}); mine = now / str(os.getpid()); mine.touch()\n"
        "time.sleep(0.4); print(len(list(now.iterdir()))); mine.unlink()"
    )
    jobs = [Scripted(tmp_path, "a", seed, script=script) for seed in range(5)]
    assert not go(jobs, workers=2)
    counts = [int(job.log.read_text()) for job in jobs]
    assert max(counts) == 2


def test_cores_are_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    script = "import os; print(os.environ.get('THREADS'))"
    found = {}
    for workers, before in ((1, None), (3, None), (20, None), (3, "4")):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        if before is not None:
            monkeypatch.setenv("OMP_NUM_THREADS", before)
        job = Scripted(tmp_path, f"w{workers}-{before}", 0, script=script)
        go([job], workers=workers)
        found[workers, before] = job.log.read_text().strip()
    assert found == {(1, None): "None", (3, None): "2", (20, None): "1", (3, "4"): "None"}


def test_an_interruption_stops_what_runs_and_starts_nothing_more(tmp_path: Path) -> None:
    patient = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *a: (print('checkpoint written'), sys.exit(1)))\n"
        "print('begun', flush=True); time.sleep(60)"
    )
    jobs = [Scripted(tmp_path, "a", seed, script=patient) for seed in range(2)]

    def interrupt() -> None:
        while not (jobs[0].log.is_file() and "begun" in jobs[0].log.read_text()):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(RunError, match=r"0 of 2 runs are done.*Go on with: supernet bench x"):
        go(jobs, workers=1)
    thread.join()
    assert jobs[0].log.read_text() == "begun\ncheckpoint written\n"
    assert not jobs[1].log.exists()
    assert signal.getsignal(signal.SIGINT) is before


def test_the_estimate_of_the_time_left() -> None:
    job = [Job(Path(), cell, seed) for cell, seed in (("a", 0), ("a", 1), ("b", 0), ("c", 0))]
    estimator = Estimator()
    assert estimator.left(job, {}, 1) is None
    for seconds in (90.0, 110.0):
        estimator.add("a", seconds)
    estimator.add("b", 400.0)
    # a: 100, b: 400, c is unknown: the mean of all three runs, 200
    assert estimator.left(job, {}, 1) == pytest.approx(100 + 100 + 400 + 200)
    assert estimator.left(job, {}, 2) == pytest.approx(400)  # half of 800, and never less than b alone
    assert estimator.left(job[1:2], {job[0]: 30.0}, 2) == pytest.approx(100)  # 170 / 2 is less than a whole run
    assert estimator.left([], {job[0]: 130.0}, 2) == 0
