"""Taking one subnet out of a supernet: as plain modules, and as files that run elsewhere."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from supernet.data import Data, Split
from supernet.deploy.formats import SUFFIXES, Format, onnx_bytes, program_bytes, traced
from supernet.errors import RunError, UsageError
from supernet.io.files import write_atomically
from supernet.measure.costs.input_shape import input_shape_of
from supernet.measure.scores.batch_statistics import BatchNorm, tracked_batch_norms
from supernet.measure.scores.calibration import DEFAULT, Calibration
from supernet.measure.scores.recalibration import calibrate
from supernet.nn import Supernet
from supernet.nn.input_shape import InputShape
from supernet.nn.supernet import plain_subnet
from supernet.space import Arch


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        module: The extracted subnet, in evaluation mode, as it went into the files.
        files: The files, in the order of the formats.
        input_shape: Shape of one input, (C, H, W).
        failures: Why a format could not be written, a sentence each; empty: all were.
    """

    module: nn.Module
    files: tuple[Path, ...]
    input_shape: InputShape
    failures: Mapping[Format, str]


def export(
    net: Supernet,
    arch: Arch,
    path: str | Path,
    *,
    data: Data | Split | None = None,
    calibration: Calibration = DEFAULT,
    finetune: Callable[[nn.Module], None] | None = None,
    formats: Sequence[Format] | None = None,
    input_shape: InputShape | None = None,
    batch_size: int | None = None,
) -> Exported:
    """Extract a subnet, give it BatchNorm statistics of its own, and write it.

    The file takes images (B, C, H, W) named `images` and returns `logits` (B, K). It carries the
    architecture as JSON: in ONNX as metadata `supernet.architecture`, in a program as extra file
    `architecture.json`. Folders are created; a file is whole or not there.

    Args:
        net: The supernet; it is left untouched.
        arch: The architecture to take out.
        path: File to write, such as `"net.onnx"` or `"net.pt2"`; the suffix says the format.
        data: Training images to calibrate BatchNorm on: a data set, or a split to be used as it is. Without
            them the subnet keeps the statistics that the supernet holds.
        calibration: How the statistics are computed.
        finetune: A function that trains the extracted module further, in place, before it is calibrated.
        formats: Formats to write, with the suffix of `path` exchanged; default: what the suffix says. Of several
            those that can be written are, with a warning for the others.
        input_shape: Shape of one input, (C, H, W). Default: that of `data`, `net.input_shape` where there is one, or
            what was given before.
        batch_size: Number of images that the file takes at a time; None: any number.

    Raises:
        UsageError: the suffix, a format or the batch size is impossible, the input shape is not known, the architecture
            belongs to another space, or BatchNorm has no statistics and there is no `data` to get them from.
        RunError: no format could be written: an exporter cannot follow the network (names the module and what it does),
            a format's package is not installed, or the place cannot be written.
    """
    targets = _targets(Path(path), formats)
    if batch_size is not None and batch_size < 1:
        raise UsageError(
            f"A file was to take batches of {batch_size} examples; give at least 1, or None for any number."
        )
    shape = data.shape if input_shape is None and isinstance(data, Data) else input_shape_of(net, input_shape)
    module = _settled(net.extract(arch) if data is None else plain_subnet(net, arch), data, calibration, finetune)
    architecture = json.dumps(arch.to_json(), ensure_ascii=False)
    program = traced(module, shape, batch_size)
    failures = dict[Format, str]()
    for kind, file in sorted(targets):  # what is written as a program loses its example inputs, which ONNX needs
        try:
            content = onnx_bytes if kind == "onnx" else program_bytes
            write_atomically(file, content(program, architecture))
        except RunError as error:
            if len(targets) == 1:
                raise
            failures[kind] = str(error)
            warnings.warn(f"{file.name} was not written. {error}", stacklevel=2)
    files = [file for kind, file in targets if kind not in failures]
    if not files:
        raise RunError(" ".join(failures.values()))
    return Exported(module, tuple(files), shape, failures)


def extract(net: Supernet, arch: Arch, data: Data | Split, *, calibration: Calibration = DEFAULT) -> nn.Module:
    """A subnet as plain torch modules in evaluation mode, with copied weights and BatchNorm statistics of its own.

    It is the module that `export` writes, and as accurate as `measure.accuracy` and a search have told; nearly so where
    BatchNorm was evaluated by the batch (`statistics="batch"`), since here it gets statistics of training images.

    Args:
        net: The supernet; it is left untouched.
        arch: The architecture to take out.
        data: Training images to calibrate BatchNorm on: a data set, or a split to be used as it is.
        calibration: How the statistics are computed.

    Raises:
        UsageError: the architecture belongs to another space.
        RunError: a module cannot be copied or traced.
    """
    return _settled(plain_subnet(net, arch), data, calibration)


def _settled(
    module: nn.Module,
    data: Data | Split | None,
    calibration: Calibration,
    finetune: Callable[[nn.Module], None] | None = None,
) -> nn.Module:
    # Training leaves weights channels-last; a program keeps strides, and readers expect the default layout.
    module = module.to(memory_format=torch.contiguous_format)
    if finetune is not None:
        finetune(module)
    module.eval()
    _settle_statistics(module, data, calibration)
    return module


def _targets(path: Path, formats: Sequence[Format] | None) -> list[tuple[Format, Path]]:
    if formats is None:
        found = [kind for kind, suffix in SUFFIXES.items() if suffix == path.suffix]
        if not found:
            raise UsageError(
                f"The name {path.name!r} does not say what to write; end it in .onnx or .pt2, or pass "
                "formats=('onnx', 'program')."
            )
        return [(found[0], path)]
    unknown = [kind for kind in formats if kind not in SUFFIXES]
    if unknown or not formats:
        raise UsageError(f"formats={tuple(formats)} cannot be written; give one or more of {tuple(SUFFIXES)}.")
    stem = path.with_suffix("") if path.suffix in SUFFIXES.values() else path
    return [(kind, stem.with_name(stem.name + SUFFIXES[kind])) for kind in dict.fromkeys(formats)]


def _settle_statistics(module: nn.Module, data: Data | Split | None, calibration: Calibration) -> None:
    """Calibrate every BatchNorm of an extracted subnet, also those that normalised by the batch until now.

    Raises:
        UsageError: there is no data, and some BatchNorm has no statistics or never saw an image.
    """
    if data is not None:
        for layer in module.modules():
            if isinstance(layer, BatchNorm) and layer.running_mean is None:
                _start_tracking(layer)
        calibrate(module, None, data, calibration)
        return
    if any(isinstance(layer, BatchNorm) and layer.running_mean is None for layer in module.modules()):
        raise UsageError(
            'The BatchNorms of this subnet normalise by the evaluated batch (statistics="batch"), so a file would '
            "give an image different logits in different company. Pass data= to fix their statistics first."
        )
    if any(_is_blank(layer) for layer in tracked_batch_norms(module)):
        raise UsageError(
            "The BatchNorms of this subnet hold no statistics: the supernet was trained to calibrate them per subnet "
            '(statistics="calibrate"), or not at all. Pass data= to compute them.'
        )


def _start_tracking(layer: BatchNorm) -> None:
    device = layer.weight.device if layer.affine else torch.get_default_device()
    layer.running_mean = torch.zeros(layer.num_features, device=device)
    layer.running_var = torch.ones(layer.num_features, device=device)
    layer.num_batches_tracked = torch.tensor(0, device=device)
    layer.track_running_stats = True


def _is_blank(layer: BatchNorm) -> bool:
    mean, var = layer.running_mean, layer.running_var
    assert mean is not None
    assert var is not None
    return not mean.any() and bool((var == 1).all())
