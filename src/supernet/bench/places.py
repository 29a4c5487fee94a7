"""Where a study keeps what."""

from __future__ import annotations

import json
from pathlib import Path

from supernet.bench.judging import Judging
from supernet.bench.resources import Resources
from supernet.bench.study import TRUTH


def run_directory(out: Path, cell: str, seed: int) -> Path:
    """The run directory of a cell and seed, or that of the architectures trained alone."""
    return out / TRUTH if cell == TRUTH else out / cell / f"seed-{seed}"


def log_file(run: Path) -> Path:
    """What the process of a run said, beside its directory."""
    return run.with_name(run.name + ".log")


def retrained_file(out: Path) -> Path:
    """The table of the architectures trained alone."""
    return out / TRUTH / "retrained.jsonl"


def finished(run: Path, judging: Judging | None) -> bool:
    """Whether a run is complete, and judged as asked.

    A run that was judged by hand is taken as it is: only the truth that a study itself used is on record.
    """
    files = ("front.json",) if judging is None else ("judge.json", "ranking.csv")
    if not all((run / name).is_file() for name in files):
        return False
    took = Resources.read(run)
    return took is None or judging is None or took.judging == json.loads(json.dumps(judging.to_json()))
