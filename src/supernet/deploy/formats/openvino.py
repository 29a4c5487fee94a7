"""OpenVINO."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from supernet.deploy.formats._protocol import Opened, Subject
from supernet.errors import RunError, require
from supernet.io.files import write_atomically
from supernet.nn.batch import Fields
from supernet.nn.program import batch_of, inputs_of
from supernet.nn.untraceable import first_line


@dataclass(frozen=True)
class OpenVINO:
    """OpenVINO: its intermediate representation (.xml, with the weights beside it in .bin, in float32).

    The architecture is its runtime information `supernet.architecture`.
    """

    name: ClassVar[str] = "openvino"
    suffix: ClassVar[str] = ".xml"
    tolerance: ClassVar[float] = 1e-3

    def check(self) -> None:
        """Check that files can be written here.

        Raises:
            RunError: OpenVINO is not installed.
        """
        require("openvino", "openvino", "Writing OpenVINO files")

    def write(self, subject: Subject, file: Path) -> None:
        """Write a model: first its weights, then what names them, so that the .xml is whole or not there.

        Raises:
            RunError: OpenVINO cannot convert the network, is not installed, or the place cannot be written.
        """
        self.check()
        import openvino

        program, inputs, outputs, _ = subject.traced
        free = batch_of(program) is None
        shapes = [[-1 if free else value.shape[0], *map(int, value.shape[1:])] for value in inputs_of(program)]
        try:
            model = openvino.convert_model(program)
            for port, name in zip(model.inputs, inputs, strict=True):
                port.get_tensor().set_names({name})
            for port, name in zip(model.outputs, outputs, strict=True):
                port.get_tensor().set_names({name})
            model.reshape(
                {port: openvino.PartialShape(shape) for port, shape in zip(model.inputs, shapes, strict=True)}
            )
            model.set_rt_info(subject.architecture, "supernet.architecture")
            with tempfile.TemporaryDirectory() as folder:
                openvino.save_model(model, Path(folder) / "net.xml", compress_to_fp16=False)
                content, weights = ((Path(folder) / f"net.{end}").read_bytes() for end in ("xml", "bin"))
        except Exception as error:
            raise RunError(
                f"The network cannot be written for OpenVINO: {first_line(error)}. Write ONNX (formats=('onnx',)), "
                "which OpenVINO reads too, or a fixed batch (batch_size=1)."
            ) from error
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            file.unlink()  # never an old model beside new weights
        write_atomically(file.with_suffix(".bin"), weights)
        write_atomically(file, content)

    def open(self, file: Path, threads: int) -> Opened:
        """Compile a model for the CPU, to compute in float32.

        Raises:
            RunError: OpenVINO is not installed.
        """
        require("openvino", "openvino", "Verifying OpenVINO files")
        import openvino

        settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        compiled = openvino.Core().compile_model(str(file), "CPU", settings)
        size = compiled.inputs[0].get_partial_shape()[0]

        def run(x: Fields) -> list[NDArray[np.float32]]:
            given = [x] if isinstance(x, Tensor) else list(x.values())
            told = compiled([tensor.contiguous().numpy() for tensor in given])
            return [np.array(told[port], dtype=np.float32) for port in compiled.outputs]

        version = openvino.__version__.partition("-")[0]
        return Opened(f"openvino {version}", run, size.get_length() if size.is_static else None)
