"""A subnet as a program of torch.export."""

from __future__ import annotations

import io

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from supernet.measure.costs.counting import BATCH
from supernet.measure.untouched import placed_like


def exported_program(module: nn.Module, input_shape: tuple[int, ...]) -> ExportedProgram:
    """Trace a module for any number of images."""
    x = placed_like(module, torch.zeros(BATCH, *input_shape))
    with torch.no_grad():
        return torch.export.export(module, (x,), dynamic_shapes=({0: Dim("batch")},))


def program_bytes(module: nn.Module, input_shape: tuple[int, ...], architecture: str) -> bytes:
    """Content of a `.pt2` file; `torch.export.load` reads it."""
    program, file = exported_program(module, input_shape), io.BytesIO()
    program.example_inputs = None  # torch would pickle them into the file
    torch.export.save(program, file, extra_files={"architecture.json": architecture})
    return file.getvalue()
