"""Signals as a process in a terminal meets them, also where the tests themselves run in the background."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest


def as_in_a_terminal() -> None:
    """For `preexec_fn`: a shell makes what it puts into the background ignore interrupts, and nohup hang-ups."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def terminal() -> Iterator[None]:
    """Ctrl-C reaches this process, too, and not only those that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
