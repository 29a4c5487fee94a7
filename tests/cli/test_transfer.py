"""`supernet transfer`: to other data, and on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from command_line import supernet

pytestmark = pytest.mark.slow  # whole runs, or processes of their own


def test_a_supernet_moves_and_goes_on(trained_run: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (400, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", x_train=images, y_train=np.arange(400) % 3)
    out = tmp_path / "new"
    to = ("transfer", trained_run, "--out", out)
    quick = ("--images", 64, "--searcher", "random", "--budget", 2)
    done = supernet(*to, "--data", tmp_path / "mine.npz", *quick, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (found["run"], found["evaluations"]) == (str(out), 2)
    kept = json.loads((out / "config.json").read_text())
    assert (kept["transfer"]["shifting"]["images"], kept["transfer"]["adapt"]) == (64, "resize")
    assert "tensors inherited" in done.err
    done = supernet(*to, "--resume", "--budget", 3)
    assert done.code == 0, done.err
    assert "3 architectures evaluated" in done.out
    done = supernet(*to, "--resume", "--budget", 3, "--validation-images", 20)
    assert done.code == 2
    assert "search.validation_images" in done.err


def test_the_data_are_asked_for(trained_run: Path, tmp_path: Path) -> None:
    done = supernet("transfer", trained_run, "--out", tmp_path / "new")
    assert done.code == 2
    assert "--data" in done.err
