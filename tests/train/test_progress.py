"""Progress: silence for short work, plain lines in a log, a bar in a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from supernet.io import progress
from supernet.io.progress import ProgressBar, within


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(name="clock")
def make_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def work(clock: Clock, *, total: int, seconds_each: float, start: int = 0, enabled: bool = True) -> None:
    with ProgressBar("train", total, start=start, enabled=enabled) as bar:
        for done in range(start + 1, total + 1):
            clock.now += seconds_each
            bar.update(done, f"loss {done}")


def test_short_work_is_silent(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    work(clock, total=100, seconds_each=0.019)
    assert capsys.readouterr() == ("", "")


def test_a_log_gets_a_line_every_ten_seconds_and_one_at_the_end(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    work(clock, total=100, seconds_each=0.25)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "train: 8/100 steps, 4.0 steps/s, 23 s left  loss 8",
        "train: 48/100 steps, 4.0 steps/s, 13 s left  loss 48",
        "train: 88/100 steps, 4.0 steps/s, 3 s left  loss 88",
        "train: 100/100 steps, 4.0 steps/s, 0 s left  loss 100",
    ]


def test_slow_work_is_given_in_seconds_each(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    work(clock, total=3, seconds_each=20)
    assert capsys.readouterr().err.splitlines()[0] == "train: 1/3 steps, 20.0 s each, 40 s left  loss 1"


def test_a_resumed_run_counts_only_its_own_speed(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    work(clock, total=1000, start=990, seconds_each=1)
    assert capsys.readouterr().err.startswith("train: 992/1000 steps, 1.0 steps/s, 8 s left")


def test_it_can_be_turned_off(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    work(clock, total=10, seconds_each=60, enabled=False)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_with_rate_and_status(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    work(clock, total=10, seconds_each=1)
    shown = terminal.getvalue()
    assert "10/10" in shown
    assert "1.0 steps/s" in shown
    assert "loss 10" in shown


def measure(clock: Clock) -> None:
    with within("measure", 3, unit="subnets") as part:
        for done in (1, 2, 3):
            clock.now += 30
            part.update(done)


def test_a_part_of_the_work_tells_how_far_it_is(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("train", 2) as bar:
        clock.now += 1
        bar.update(2)
        measure(clock)
    assert capsys.readouterr().err.splitlines() == [
        "measure: 1/3 subnets, 30.0 s each, 60 s left",
        "measure: 2/3 subnets, 30.0 s each, 30 s left",
        "measure: 3/3 subnets, 30.0 s each, 0 s left",
    ]


def test_a_part_is_silent_where_the_work_is(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    measure(clock)
    with ProgressBar("train", 2, enabled=False):
        measure(clock)
    with ProgressBar("train", 2):
        pass
    measure(clock)  # the work around it is over
    assert capsys.readouterr() == ("", "")


def test_in_a_terminal_a_part_is_a_line_below_the_work_and_goes_when_it_ends(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with ProgressBar("train", 10) as bar:
        clock.now += 1
        bar.update(1)  # too early to be shown
        with within("measure", 2, unit="subnets") as part:
            clock.now += 3
            part.update(1)
            assert bar._bar is part._bar is not None
            assert [task.description for task in bar._bar.tasks] == ["train", "measure"]
        clock.now += 3
        bar.update(2)
        assert [(task.description, task.completed) for task in bar._bar.tasks] == [("train", 2)]
