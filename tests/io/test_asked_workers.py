"""What `--workers` means."""

from __future__ import annotations

import pytest

from supernet.errors import UsageError
from supernet.io.asked_workers import AskedWorkers
from supernet.io.config import Judging
from supernet.workers import Local, Ray, workers_of


@pytest.mark.parametrize(
    ("text", "found", "written"),
    [
        (1, None, 1),
        ("3", Local(3), 3),
        ("ray", Ray(), "ray"),
        ("ray:8", Ray(8), "ray:8"),
        ("ray://head:10001", Ray(None, "ray://head:10001"), "ray://head:10001"),
        ("ray://head:10001/8", Ray(8, "ray://head:10001"), "ray://head:10001/8"),
    ],
)
def test_every_form(text: int | str, found: object, written: int | str) -> None:
    assert workers_of(text) == found
    assert AskedWorkers.of(text).written == written
    assert Judging(workers=text).workers == written


@pytest.mark.parametrize("text", ["0", 0, -1, "", "two", "2.5", "ray:", "ray:0", "ray://head", "dask:4", "ray://h:1/0"])
def test_what_is_none(text: int | str) -> None:
    with pytest.raises(UsageError, match=r"judge\.workers is .*(a number of processes|at least 1)"):
        Judging(workers=text)
