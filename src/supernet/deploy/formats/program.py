"""A program of torch.export."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.export import ExportedProgram

from supernet.deploy.formats._protocol import Opened, Subject
from supernet.io.files import write_atomically
from supernet.measure.untouched import placed_like
from supernet.nn.batch import Fields
from supernet.nn.program import batch_of


@dataclass(frozen=True)
class Program:
    """torch.export: a program (.pt2) that `torch.export.load(path).module()` reads.

    The architecture is its extra file `architecture.json`.
    """

    name: ClassVar[str] = "program"
    suffix: ClassVar[str] = ".pt2"
    tolerance: ClassVar[float] = 1e-3

    def check(self) -> None:
        """torch writes it: nothing can be missing."""

    def write(self, subject: Subject, file: Path) -> None:
        """Write a program.

        Raises:
            RunError: the place cannot be written.
        """
        write_program(subject.traced.program, subject.architecture, file)

    def open(self, file: Path, threads: int) -> Opened:
        """Load a program in torch, which has the threads that it has."""
        return open_program(file)


def write_program(program: ExportedProgram, architecture: str, file: Path) -> None:
    """Write a program with its architecture, and without the inputs it was traced on, which torch would pickle.

    Raises:
        RunError: the place cannot be written.
    """
    content, inputs = io.BytesIO(), program.example_inputs
    program.example_inputs = None
    try:
        torch.export.save(program, content, extra_files={"architecture.json": architecture})
    finally:
        program.example_inputs = inputs  # the next format may need them
    write_atomically(file, content.getvalue())


def open_program(file: Path) -> Opened:
    """Load a program in torch."""
    program = torch.export.load(str(file))
    module = program.module()

    def run(x: Fields) -> list[NDArray[np.float32]]:
        given = placed_like(module, x)
        told = module(given) if isinstance(given, Tensor) else module(*given.values())
        tensors = [told] if isinstance(told, Tensor) else list(told)
        return [np.asarray(tensor.detach().float().cpu().numpy()) for tensor in tensors]

    return Opened(f"torch {torch.__version__}", run, batch_of(program))
