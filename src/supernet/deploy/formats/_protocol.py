"""What every format answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from supernet.nn.batch import Fields
from supernet.nn.program import Traced

Runner: TypeAlias = Callable[[Fields], list[NDArray[np.float32]]]
"""Runs inputs to all outputs, logits first."""


@dataclass(frozen=True)
class Subject:
    """What is written.

    Attributes:
        traced: The network as a program, with the names of its inputs and outputs; a format leaves it as it is.
        architecture: Its architecture as JSON, to travel with the file where the format has a place for it.
        images: The inputs of so many training examples, batch by batch; None: there are no data.
    """

    traced: Traced
    architecture: str = "{}"
    images: Callable[[int], Iterator[Fields]] | None = None


@dataclass(frozen=True)
class Opened:
    """A file, ready to run.

    Attributes:
        runtime: Name and version of what runs it.
        run: Runs inputs to all outputs, logits first.
        batch: The number of examples that it takes at a time; None: any number.
        most: The largest number of examples that it takes at a time; None: there is none.
    """

    runtime: str
    run: Runner
    batch: int | None = None
    most: int | None = None


@runtime_checkable
class Format(Protocol):
    """A kind of file that a network can be written as, and run from."""

    @property
    def name(self) -> str:
        """By which it is asked for, such as `"onnx"`."""

    @property
    def suffix(self) -> str:
        """What its files end in, such as `".onnx"`."""

    @property
    def tolerance(self) -> float:
        """Largest difference of an output from the module's that `verify` allows, as a share of the largest output."""

    def check(self) -> None:
        """Check that files can be written here.

        Raises:
            RunError: a package is missing; says how to install it.
        """

    def write(self, subject: Subject, file: Path) -> None:
        """Write a file, whole or not at all.

        Raises:
            RunError: the format cannot express the network, a package is missing, or the place cannot be written.
            UsageError: the format needs training examples, and there are none.
        """

    def open(self, file: Path, threads: int) -> Opened:
        """Load a file in the runtime made for it, on the CPU.

        Args:
            file: The file.
            threads: Number of threads to run it with, where the runtime can be told.

        Raises:
            RunError: the runtime is not installed.
            Exception: whatever the runtime raises of a damaged file.
        """
