"""ExecuTorch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from supernet.deploy.formats._protocol import Opened, Subject
from supernet.errors import RunError, UsageError, require
from supernet.io.files import write_atomically
from supernet.io.quiet import quiet
from supernet.nn.batch import Fields
from supernet.nn.program import batch_of, retraced
from supernet.nn.untraceable import first_line

_CONSTANT = "supernet_architecture"
_MOST = "supernet_largest_batch"
_BATCH = "supernet_batch"


@dataclass(frozen=True)
class Executorch:
    """ExecuTorch: a program (.pte) for phones and boards, lowered to XNNPACK where that computes its operations.

    Memory is planned ahead, so that a file for any number of examples has a largest number. The architecture is what
    its method `supernet_architecture` returns.

    Args:
        largest_batch: Largest number of examples at a time of a file that takes any number.

    Raises:
        UsageError: the largest number is below 2.
    """

    largest_batch: int = 64
    name: ClassVar[str] = "executorch"
    suffix: ClassVar[str] = ".pte"
    tolerance: ClassVar[float] = 1e-3

    def __post_init__(self) -> None:
        if self.largest_batch < 2:
            raise UsageError(
                f"The largest batch is {self.largest_batch}; give 2 or more, or write a file for one example at a "
                "time (batch_size=1)."
            )

    def check(self) -> None:
        """Check that files can be written here.

        Raises:
            RunError: ExecuTorch is not installed.
        """
        require("executorch", "executorch", "Writing ExecuTorch files")

    def write(self, subject: Subject, file: Path) -> None:
        """Write a program.

        Raises:
            RunError: ExecuTorch cannot lower the network, is not installed, or the place cannot be written.
        """
        self.check()
        traced, size = subject.traced, batch_of(subject.traced.program)
        try:
            with quiet():
                from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
                from executorch.exir import to_edge_transform_and_lower

                bounded = retraced(traced, traced.program.module(), most=None if size else self.largest_batch)
                lowered = to_edge_transform_and_lower(
                    bounded.program,
                    partitioner=[XnnpackPartitioner()],
                    constant_methods={
                        _CONSTANT: json.dumps(json.loads(subject.architecture)),
                        _MOST: self.largest_batch,
                        _BATCH: size or 0,
                    },
                )
                content = bytes(lowered.to_executorch().buffer)
        except Exception as error:
            raise RunError(
                f"The network cannot be written for ExecuTorch: {first_line(error)}. Write a fixed batch "
                "(batch_size=1), or another format."
            ) from error
        write_atomically(file, content)

    def open(self, file: Path, threads: int) -> Opened:
        """Load a program in ExecuTorch's runtime, which has the threads that it has.

        Raises:
            RunError: ExecuTorch is not installed.
        """
        require("executorch", "executorch", "Verifying ExecuTorch files")

        with quiet():
            from executorch.runtime import Runtime

        program = Runtime.get().load_program(file)
        forward = program.load_method("forward")
        size, most = (int(program.load_method(name).execute([])[0]) for name in (_BATCH, _MOST))

        def run(x: Fields) -> list[NDArray[np.float32]]:
            given = [x] if isinstance(x, Tensor) else list(x.values())
            told = forward.execute([tensor.contiguous() for tensor in given])
            return [np.array(tensor.float().numpy()) for tensor in told]

        return Opened(f"executorch {version('executorch')}", run, size or None, None if size else most)
