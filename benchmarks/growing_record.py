"""A run whose records have any number of rows, for `growth.py`: made small, and then its rows repeated."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any


def small_run(folder: Path) -> Path:
    """A DARTS training of a few steps, and a search of its supernet."""
    out = folder / "run"
    command = [sys.executable, "-m", "supernet"]
    space = ["--space", "nasbench201", "-S", "channels=4", "-S", "cells=1", "--method", "darts", "--monitor-every", "0"]
    subprocess.run([*command, "train", "--out", str(out), *space, "--steps", "4"], check=True, capture_output=True)
    asked = ["--searcher", "random", "--budget", "20", "--objectives", "accuracy,macs", "--search"]
    subprocess.run([*command, "search", str(out), *asked[:-1]], check=True, capture_output=True)
    return out


def grow(run: Path, folder: Path, rows: int) -> None:
    """A copy of a run whose log, search and strengths of options have this many rows."""
    shutil.copytree(run, folder, dirs_exist_ok=True)
    for name in ("train.jsonl", "choices.jsonl", "search.jsonl"):
        known: list[dict[str, Any]] = [json.loads(line) for line in (run / name).read_text().splitlines()]
        made = []
        for number in range(rows):
            row = known[number % len(known)]
            if "step" in row:
                row = row | {"step": number + 1}
            else:
                row = row | {"generation": number // 50}
                row["values"] = {key: value * (1 + number / rows) for key, value in row["values"].items()}
            made.append(json.dumps(row))
        (folder / name).write_text("\n".join(made) + "\n")
