"""Eight bits: a program of torch.export with quantised weights and activations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from supernet.deploy.formats._protocol import Opened, Subject
from supernet.deploy.formats.program import open_program, write_program
from supernet.errors import UsageError
from supernet.measure.scores.int8 import IMAGES, check_int8, quantised


@dataclass(frozen=True)
class Int8:
    """int8: a program (.int8.pt2) with eight-bit weights and activations, quantised statically by torchao.

    Ranges of activations are those of training examples. torch computes what integer arithmetic would, in floating
    point; a compiler that knows the pattern (Inductor on x86) runs it in integers. Loading needs the operations:
    `import torch.ao.quantization.fx._decomposed`.

    Args:
        images: Number of training examples that the ranges of activations are observed on.
        tolerance: Largest difference of a logit from the unquantised module's, as a share of the largest logit; what
            quantisation costs beyond that makes the file useless.

    Raises:
        UsageError: no image, or a tolerance that is not above 0.
    """

    images: int = IMAGES
    tolerance: float = 0.5
    name: ClassVar[str] = "int8"
    suffix: ClassVar[str] = ".int8.pt2"

    def __post_init__(self) -> None:
        if self.images < 1 or not self.tolerance > 0:
            raise UsageError(
                f"A quantisation with images={self.images} and tolerance={self.tolerance:g} cannot be; give at least "
                "one image, and a tolerance above 0."
            )

    def check(self) -> None:
        """Check that files can be written here.

        Raises:
            RunError: torchao is not installed.
        """
        check_int8()

    def write(self, subject: Subject, file: Path) -> None:
        """Quantise, and write a program.

        Raises:
            UsageError: there are no training examples.
            RunError: torchao cannot quantise the network, is not installed, or the place cannot be written.
        """
        self.check()
        if subject.images is None:
            raise UsageError(
                "An int8 file needs training examples that show the ranges of its activations. Pass data=, or leave "
                "int8 out of the formats."
            )
        done = quantised(subject.traced, subject.images(self.images))
        write_program(done.program, subject.architecture, file)

    def open(self, file: Path, threads: int) -> Opened:
        """Load a program in torch, which has the threads that it has."""
        import torch.ao.quantization.fx._decomposed  # noqa: F401 - registers the operations of the program

        return open_program(file)
