"""Formats that this package does not bring: an honest one, and one whose files say something else."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from supernet.deploy.formats import Opened, Subject
from supernet.errors import RunError
from supernet.io.files import write_atomically


@dataclass(frozen=True)
class Own:
    """A program under another name, whose runtime adds something to the logits of class 0."""

    shift: float = 0.0
    tolerance: float = 1e-3
    most: int | None = None
    missing: bool = False
    name: str = "own"
    suffix: str = ".own"

    def check(self) -> None:
        if self.missing:
            raise RunError("Own files need what nobody has.")

    def write(self, subject: Subject, file: Path) -> None:
        self.check()
        content = io.BytesIO()
        torch.export.save(subject.traced.program, content)
        write_atomically(file, content.getvalue())

    def open(self, file: Path, threads: int) -> Opened:
        module = torch.export.load(io.BytesIO(file.read_bytes())).module()

        def run(x: torch.Tensor) -> list[NDArray[np.float32]]:
            assert self.most is None or len(x) <= self.most
            with torch.no_grad():
                logits = module(x).numpy().copy()
            logits[:, 0] += self.shift
            return [logits]

        run_all: Callable[..., list[NDArray[np.float32]]] = run
        return Opened("own runtime 1", run_all, None, self.most)


def liar() -> Own:
    """One whose files compute something else."""
    return Own(shift=100.0, name="liar", suffix=".lie")


def rough() -> Own:
    """One that says that its files are rough."""
    return Own(shift=100.0, tolerance=1e9, name="rough", suffix=".rough")
