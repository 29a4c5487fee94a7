"""A short soak, and that growth of each kind is found; `make soak` does ten thousand steps."""

from __future__ import annotations

import mmap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import fx, nn

from hardening.growth import MEASURES, Sampler, growths, held, table
from hardening.soak import WORKS, Work, net, soaked
from supernet.measure.costs import model

NAMES = [measure.name for measure in MEASURES]


def nothing(steps: int, folder: Path, tick: Callable[[int], None]) -> None:
    """Work that holds nothing."""
    for done in range(1, steps + 1):
        sum(number * number for number in range(30_000))
        tick(done)


@pytest.fixture
def kept() -> Iterator[list[Any]]:
    """What a leak keeps, until the test is over."""
    found: list[Any] = []
    yield found
    for one in found:
        for release in ("close", "set"):
            getattr(one, release, lambda: None)()
    model._models.pop(REMEMBERED, None)


def waiting(event: threading.Event) -> threading.Event:
    threading.Thread(target=event.wait, daemon=True).start()
    return event


def pages(size: int) -> mmap.mmap:
    """Memory that the process did not have before: an allocation may find some that others have left it."""
    found = mmap.mmap(-1, size)
    found.write(b"x" * size)
    return found


REMEMBERED = net()
"""A network of which one more cost model is remembered each time."""


def remember(kept: list[Any]) -> None:
    model._models.setdefault(REMEMBERED, {})[len(kept), (1, 8, 8)] = model.CostModel(REMEMBERED, (1, 8, 8))
    kept.append(None)


LEAKS: dict[str, Callable[[list[Any], Path], Any]] = {
    "memory, MB": lambda kept, _: kept.append(pages(2**20)),
    "open files": lambda kept, folder: kept.append((folder / "file").open("w")),
    "threads": lambda kept, _: kept.append(waiting(threading.Event())),
    "objects": lambda kept, _: kept.append([[one] for one in range(100)]),
    "tensors": lambda kept, _: kept.append(torch.zeros(2)),
    "programs": lambda kept, _: kept.append(fx.symbolic_trace(nn.ReLU())),
    "cached": lambda kept, _: remember(kept),
    "ms per step": lambda kept, _: kept.append(sum(n * n for n in range(1000 * len(kept)))),
}


@pytest.mark.parametrize("name", NAMES)
def test_growth_of_each_kind_is_found(name: str, kept: list[Any], tmp_path: Path) -> None:
    found = soaked(Work(nothing, {}), 60, tmp_path, samples=30, leak=lambda done: LEAKS[name](kept, tmp_path))
    assert name in [one.measure.name for one in found if one.grows], table(found)
    assert f"{name:12}" in table(found)
    assert "GROWS" in table(found)


def test_work_that_holds_nothing_does_not_grow(tmp_path: Path) -> None:
    found = soaked(Work(nothing, {}), 60, tmp_path, samples=30)
    assert [one.measure.name for one in found if one.grows and one.measure.name != "ms per step"] == [], table(found)
    assert [one.measure.name for one in found] == NAMES


def test_what_one_step_holds_is_counted() -> None:
    before, event = held(), threading.Event()
    waiting(event)
    tensor, program = torch.zeros(3), fx.symbolic_trace(nn.ReLU())
    with Path(__file__).open():
        after = held()
    event.set()
    del tensor, program
    gained = {name: after[name] - before[name] for name in ("open files", "threads", "tensors", "programs", "cached")}
    assert gained == {"open files": 1, "threads": 1, "tensors": 1, "programs": 1, "cached": 0}
    assert after["objects"] > before["objects"]


def series(rise: float, noise: float = 0.0) -> dict[str, list[float]]:
    rng = np.random.default_rng(0)
    values = [1000 + rise * number + noise * rng.standard_normal() for number in range(100)]
    return dict.fromkeys(NAMES, values)


def test_growth_is_that_after_the_beginning() -> None:
    done = [10 * number for number in range(1, 101)]
    straight = growths(done, series(0.5), {})
    assert [one.growth for one in straight] == pytest.approx([0.5 * 79] * len(NAMES))
    early = {name: [900.0] * 20 + values[20:] for name, values in series(0.0).items()}
    assert not any(one.grows for one in growths(done, early, {})), "a beginning that fills pools is none"
    files = straight[NAMES.index("open files")]
    assert files.grows
    assert not growths(done, series(0.5), {"open files": 0.05})[NAMES.index("open files")].grows, "results may be kept"
    assert not any(one.grows for one in growths(done, series(-0.5), {}))
    noisy = growths(done, series(0.0, noise=5.0), {})
    assert not any(one.grows for one in noisy), table(noisy)
    assert all(one.low < 0 < one.high for one in noisy)


@pytest.mark.slow
def test_samples_are_taken_as_often_as_asked() -> None:
    sampler = Sampler(100, 20)
    for done in range(1, 101):
        time.sleep(0)
        sampler(done)
    assert sampler.done == list(range(5, 101, 5))
    assert {len(values) for values in sampler.values.values()} == {20}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(WORKS))
def test_short_work_does_not_grow(name: str, tmp_path: Path) -> None:
    found = soaked(WORKS[name], 300, tmp_path, samples=50)
    assert [one.measure.name for one in found if one.grows and one.measure.name != "ms per step"] == [], table(found)
    assert (tmp_path / "samples.json").is_file()


@pytest.mark.slow
def test_a_training_that_leaks_is_found(kept: list[Any], tmp_path: Path) -> None:
    found = soaked(
        WORKS["training"],
        300,
        tmp_path,
        samples=50,
        leak=lambda done: kept.append(torch.zeros(2**14)) if done % 10 == 0 else None,
    )
    assert {"tensors", "objects"} & {one.measure.name for one in found if one.grows}, table(found)
