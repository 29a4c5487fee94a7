"""Processes end with the process that started them, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from signals import as_in_a_terminal

pytestmark = pytest.mark.slow  # whole runs, or processes of their own

PARENT = """
import sys
from supernet.workers import Crew, Local, Work
from waiting_workers import begin

if __name__ == "__main__":
    crew = Crew(Local(2), Work(begin, sys.argv[1]))
    for _ in range(2):
        crew.submit(sys.argv[1])
    next(crew.finished())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda number: number.name)
def test_they_end_with_their_parent(number: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], env=environment, preexec_fn=as_in_a_terminal
    )
    try:
        pids = wait_for(lambda: len(found := list(tmp_path.glob("*.pid"))) == 2 and found)
        workers = [int(path.stem) for path in pids]
        assert all(map(alive, workers))
        parent.send_signal(number)
        parent.wait(30)
        wait_for(lambda: not any(map(alive, workers)))
    finally:
        parent.kill()
        for path in tmp_path.glob("*.pid"):
            if alive(int(path.stem)):
                os.kill(int(path.stem), signal.SIGKILL)


def wait_for(condition, seconds: float = 60):
    """What the condition gives once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come true in time")


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
