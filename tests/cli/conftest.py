"""Runs that many tests of the command line look at; those that change one take a copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import supernet
from quick_runs import QUICK


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run. Not to be changed."""
    out = tmp_path_factory.mktemp("whole") / "r"
    options = ("--budget", 12, "--exports", 1, "-S", "statistics=calibrate")
    done = supernet("run", "--out", out, *QUICK, *options)
    assert done.code == 0, done.err
    return out


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training. Not to be changed."""
    out = tmp_path_factory.mktemp("trained") / "r"
    done = supernet("train", "--out", out, *QUICK)
    assert done.code == 0, done.err
    return out


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    """Copies a run, for a test that changes it."""

    def copy(run: Path, name: str = "run") -> Path:
        return Path(shutil.copytree(run, tmp_path / name))

    return copy


@pytest.fixture
def whole(whole_run: Path, copied: Callable[[Path], Path]) -> Path:
    """A whole run to change."""
    return copied(whole_run)


@pytest.fixture
def trained(trained_run: Path, copied: Callable[[Path], Path]) -> Path:
    """A training to go on from."""
    return copied(trained_run)
