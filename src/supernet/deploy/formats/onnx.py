"""ONNX."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from supernet import __version__
from supernet.deploy.formats._protocol import Opened, Subject
from supernet.errors import RunError, require
from supernet.io.files import write_atomically
from supernet.nn.batch import Fields
from supernet.nn.program import batch_of
from supernet.nn.untraceable import unknown_operation

OPSET = 20


@dataclass(frozen=True)
class Onnx:
    """ONNX: a model of operator set 20, weights included; onnxruntime and most inference engines read it.

    The architecture is its metadata `supernet.architecture`. A network gives the same bytes every time: what torch
    notes of where an operation came from, with the paths of source files and addresses in memory, is left out.
    """

    name: ClassVar[str] = "onnx"
    suffix: ClassVar[str] = ".onnx"
    tolerance: ClassVar[float] = 1e-3

    def check(self) -> None:
        """Check that files can be written here.

        Raises:
            RunError: a package of the extra `export` is missing.
        """
        for package in ("onnx", "onnxscript"):
            require(package, "export", "Writing ONNX files")

    def write(self, subject: Subject, file: Path) -> None:
        """Write a model.

        Raises:
            RunError: ONNX lacks an operation (names it and its module), a package is missing, or the place cannot be
                written.
        """
        self.check()
        program, inputs, outputs, is_row = subject.traced
        axes: Any = tuple({0: "batch"} for _ in inputs)
        free = batch_of(program) is None
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="# The axis name")  # of several inputs with one batch
                converted = torch.onnx.export(
                    program,
                    dynamo=True,
                    opset_version=OPSET,
                    input_names=list(inputs),
                    output_names=list(outputs),
                    dynamic_shapes=((axes,) if is_row else axes) if free else None,
                    verbose=False,
                )
        except Exception as error:
            raise RunError(
                f"The network cannot be written as ONNX: {unknown_operation(program, error, 'ONNX')}. Use another "
                "operation there, or write a program of torch.export alone (formats=('program',))."
            ) from error
        assert converted is not None
        model = converted.model_proto
        _forget_origins(model)
        model.producer_name, model.producer_version = "supernet", __version__
        for key, value in (("supernet.architecture", subject.architecture), ("supernet.version", __version__)):
            model.metadata_props.add(key=key, value=value)
        write_atomically(file, model.SerializeToString())

    def open(self, file: Path, threads: int) -> Opened:
        """Load a model in onnxruntime.

        Raises:
            RunError: onnxruntime is not installed.
        """
        require("onnxruntime", "export", "Verifying ONNX files")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        names = [given.name for given in session.get_inputs()]
        size = session.get_inputs()[0].shape[0]

        def run(x: Fields) -> list[NDArray[np.float32]]:
            given = {names[0]: x} if isinstance(x, Tensor) else x
            told = session.run(None, {name: tensor.numpy() for name, tensor in given.items()})
            return [np.asarray(array, dtype=np.float32) for array in told]

        return Opened(f"onnxruntime {onnxruntime.__version__}", run, size if isinstance(size, int) else None)


def _forget_origins(message: Any) -> None:
    """Take the exporter's notes out of a model and all that is in it."""
    for field, value in message.ListFields():
        if field.name == "metadata_props":
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in (value,) if hasattr(value, "ListFields") else value:
                _forget_origins(part)
