"""A subnet as an ONNX model."""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import nn

from supernet.deploy.program_file import exported_program
from supernet.errors import require

OPSET = 20


def onnx_bytes(module: nn.Module, input_shape: tuple[int, ...], architecture: str) -> bytes:
    """Content of an `.onnx` file (operator set 20), weights included.

    Raises:
        RunError: the packages of the extra `export` are missing.
    """
    for package in ("onnx", "onnxscript"):
        require(package, "export", "Writing ONNX files")
    from supernet._version import __version__

    program = torch.onnx.export(
        exported_program(copy.deepcopy(module).cpu(), input_shape),
        dynamo=True,
        opset_version=OPSET,
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=({0: "batch"},),
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    model.producer_name, model.producer_version = "supernet", __version__
    for key, value in (("supernet.architecture", architecture), ("supernet.version", __version__)):
        model.metadata_props.add(key=key, value=value)
    return cast(bytes, model.SerializeToString())
