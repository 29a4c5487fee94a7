"""Workers on a Ray cluster of this machine."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spread_searches import files, searched
from supernet.errors import RunError, UsageError
from supernet.workers import Ray, Work

HERE = importlib.util.find_spec("ray") is not None
with_ray = pytest.mark.skipif(not HERE, reason="needs the extra ray")


@pytest.mark.skipif(HERE, reason="the extra ray is installed")
def test_without_ray_the_extra_is_named() -> None:
    for call in (Ray(2).check, lambda: Ray(2).open(Work(len, ()))):
        with pytest.raises(RunError, match=r"Work on a Ray cluster needs the package 'ray'.*'supernet\[ray\]'"):
            call()


@pytest.fixture(scope="module")
def _cluster() -> Iterator[None]:
    import ray

    os.environ |= {"RAY_worker_niceness": "0", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@with_ray
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("_cluster")
def test_a_search_is_the_same_when_a_worker_is_killed(tmp_path: Path) -> None:
    searched(tmp_path / "alone", None)
    (lost,) = searched(tmp_path / "spread", Ray(2), flag=tmp_path / "killed")
    assert "died unexpectedly" in lost
    assert files(tmp_path / "spread") == files(tmp_path / "alone")


@with_ray
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("_cluster")
def test_more_workers_than_the_cluster_has_room_for() -> None:
    with pytest.raises(UsageError, match="3 workers were asked for, of a CPU each, and the Ray cluster has 2 of these"):
        Ray(3).open(Work(len, ()))
