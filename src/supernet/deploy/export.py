"""Writing one subnet as a file: ONNX, or a program of torch.export."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from torch import nn

from supernet.data import ImageData, Split
from supernet.deploy.statistics import settle_statistics
from supernet.errors import UsageError
from supernet.io.files import write_atomically
from supernet.measure.costs.input_shape import input_shape_of
from supernet.measure.scores.calibration import DEFAULT, Calibration
from supernet.nn import Supernet
from supernet.nn.supernet import plain_subnet
from supernet.space import Arch

Format: TypeAlias = Literal["onnx", "program"]
"""`"onnx"`: an ONNX model (`.onnx`). `"program"`: a program of `torch.export` (`.pt2`)."""

_SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "program": ".pt2"}


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        module: The extracted subnet, in evaluation mode, as it went into the files.
        files: The files, in the order of the formats.
        input_shape: Of one input, (C, H, W); the number of images per batch is free.
    """

    module: nn.Module
    files: tuple[Path, ...]
    input_shape: tuple[int, ...]


def export(
    net: Supernet,
    arch: Arch,
    path: str | Path,
    *,
    data: ImageData | Split | None = None,
    calibration: Calibration = DEFAULT,
    finetune: Callable[[nn.Module], None] | None = None,
    formats: Sequence[Format] | None = None,
    input_shape: tuple[int, ...] | None = None,
) -> Exported:
    """Extract a subnet, give it BatchNorm statistics of its own, and write it.

    The file takes images (B, C, H, W) named `images`, any B, and returns `logits` (B, K). It carries the
    architecture as JSON: in ONNX as metadata `supernet.architecture`, in a program as extra file
    `architecture.json`. Folders are created; a file is whole or not there.

    Args:
        net: The supernet; it is left untouched.
        arch: The architecture.
        path: `"net.onnx"` or `"net.pt2"`; the suffix says the format.
        data: Training images to calibrate BatchNorm on: a data set, or a split to be used as it is. Without
            them the subnet keeps the statistics that the supernet holds.
        calibration: How to calibrate.
        finetune: Trains the extracted module further, in place, before it is calibrated.
        formats: Write these formats, with the suffix of `path` exchanged; default: what the suffix says.
        input_shape: Of one input, (C, H, W). Default: that of `data`, `net.input_shape` where there is one, or what
            was given before.

    Raises:
        UsageError: the suffix or a format is unknown, the input shape is not known, the architecture belongs to
            another space, or BatchNorm has no statistics and there is no `data` to get them from.
        RunError: a format's package is not installed, or a file cannot be written.
    """
    targets = _targets(Path(path), formats)
    shape = data.shape if input_shape is None and isinstance(data, ImageData) else input_shape_of(net, input_shape)
    module = _settled(net.extract(arch) if data is None else plain_subnet(net, arch), data, calibration, finetune)
    architecture = json.dumps(arch.to_json(), ensure_ascii=False)
    for kind, file in targets:
        if kind == "onnx":
            from supernet.deploy.onnx_file import onnx_bytes as content
        else:
            from supernet.deploy.program_file import program_bytes as content
        write_atomically(file, content(module, shape, architecture))
    return Exported(module, tuple(file for _, file in targets), shape)


def extract(net: Supernet, arch: Arch, data: ImageData | Split, *, calibration: Calibration = DEFAULT) -> nn.Module:
    """A subnet as plain torch modules in evaluation mode, with copied weights and BatchNorm statistics of its own.

    It is the module that `export` writes, and as accurate as `measure.accuracy` and a search have told.

    Args:
        net: The supernet; it is left untouched.
        arch: The architecture.
        data: Training images to calibrate BatchNorm on: a data set, or a split to be used as it is.
        calibration: How to calibrate.

    Raises:
        UsageError: the architecture belongs to another space.
        RunError: a module cannot be copied or traced.
    """
    return _settled(plain_subnet(net, arch), data, calibration)


def _settled(
    module: nn.Module,
    data: ImageData | Split | None,
    calibration: Calibration,
    finetune: Callable[[nn.Module], None] | None = None,
) -> nn.Module:
    # Training leaves weights channels-last; a program keeps strides, and readers expect the default layout.
    module = module.to(memory_format=torch.contiguous_format)
    if finetune is not None:
        finetune(module)
    module.eval()
    settle_statistics(module, data, calibration)
    return module


def _targets(path: Path, formats: Sequence[Format] | None) -> list[tuple[Format, Path]]:
    if formats is None:
        found = [kind for kind, suffix in _SUFFIXES.items() if suffix == path.suffix]
        if not found:
            raise UsageError(
                f"The name {path.name!r} does not say what to write; end it in .onnx or .pt2, or pass "
                "formats=('onnx', 'program')."
            )
        return [(found[0], path)]
    unknown = [kind for kind in formats if kind not in _SUFFIXES]
    if unknown or not formats:
        raise UsageError(f"formats={tuple(formats)} cannot be written; give one or more of {tuple(_SUFFIXES)}.")
    stem = path.with_suffix("") if path.suffix in _SUFFIXES.values() else path
    return [(kind, stem.with_name(stem.name + _SUFFIXES[kind])) for kind in dict.fromkeys(formats)]
