"""The files of a run: what each is called, and the facts every run records about itself."""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from supernet.errors import RunError, UsageError
from supernet.io.files import write_atomically, write_json


class RunDirectory:
    """A directory that holds one run.

    | file | content |
    |---|---|
    | `config.json` | what was asked for |
    | `environment.json` | machine, versions, command, date |
    | `space.json`, `data.json` | the search space, the data |
    | `train.jsonl` | scalars by training step |
    | `counts.json` | how often each candidate was trained |
    | `checkpoints/` | the newest two checkpoints |
    | `search.jsonl`, `front.json` | every evaluated architecture, and the best of them |
    | `scores.jsonl` | scores of architectures as they become known, so that judging resumes |
    | `judge.json`, `judge.csv` | how right the ranking is |
    | `ranking.csv` | every score that was compared for that |
    | `retrained.jsonl` | architectures trained alone |
    | `exports.json`, `export/` | deployed networks and what was measured of them |
    | `report.html` | the page |
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"
        self.log = self.path / "train.jsonl"

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def write(self, name: str, value: Any) -> None:
        """Write a JSON file atomically."""
        write_json(self.path / name, value)

    def read(self, name: str) -> Any:
        """Read a JSON file.

        Raises:
            UsageError: the directory has no such file.
            RunError: the file is damaged.
        """
        path = self.path / name
        if not path.is_file():
            raise UsageError(f"{self.path} holds no {name}; give a directory that `supernet train` or `run` has made.")
        try:
            return json.loads(path.read_text())
        except ValueError as error:
            raise RunError(
                f"{path} is not valid JSON ({error}). Restore it, or delete the run and start again."
            ) from error

    def append(self, row: Mapping[str, float]) -> None:
        """Add a line to the training log."""
        try:
            with self.log.open("a") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise RunError(f"{self.log} could not be written: {error.strerror or error}.") from error

    def cut_log(self, step: int) -> None:
        """Drop log lines after `step` (they belong to steps that will run again) and a torn last line."""
        if not self.log.is_file():
            return
        kept = []
        for line in self.log.read_text().splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line)
            except (ValueError, KeyError, TypeError):
                continue
        write_atomically(self.log, "".join(line + "\n" for line in kept).encode())

    def write_environment(self) -> None:
        """Record machine, versions and command."""
        self.write("environment.json", environment())


def environment() -> dict[str, Any]:
    """What a figure depends on besides the code: machine, versions, threads, command."""
    from supernet._version import __version__

    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "supernet": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "platform": platform.platform(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
