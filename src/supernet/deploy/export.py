"""Taking one subnet out of a supernet: as plain modules, and as files that run elsewhere."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import nn

from supernet.data import Data, Split
from supernet.deploy.formats import Format, Subject, by_suffix, format_of
from supernet.deploy.formats._finding import suffixes
from supernet.errors import RunError, UsageError
from supernet.measure.costs.input_shape import input_shape_of
from supernet.measure.scores.calibration import DEFAULT, Calibration
from supernet.measure.scores.int8 import calibration_inputs
from supernet.measure.scores.settled import settled
from supernet.nn import Supernet
from supernet.nn.given import check_supernet
from supernet.nn.input_shape import InputShape
from supernet.nn.program import traced
from supernet.nn.supernet import plain_subnet
from supernet.space import Arch


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        module: The extracted subnet, in evaluation mode, as it went into the files.
        files: The files, in the order of the formats.
        input_shape: Shape of one input, (C, H, W).
        failures: Why a format could not be written, by its name, a sentence each; empty: all were.
    """

    module: nn.Module
    files: tuple[Path, ...]
    input_shape: InputShape
    failures: Mapping[str, str]


def export(
    net: Supernet,
    arch: Arch,
    path: str | Path,
    *,
    data: Data | Split | None = None,
    calibration: Calibration = DEFAULT,
    finetune: Callable[[nn.Module], None] | None = None,
    formats: Sequence[str | Format] | None = None,
    input_shape: InputShape | None = None,
    batch_size: int | None = None,
) -> Exported:
    """Extract a subnet, give it BatchNorm statistics of its own, and write it.

    The file takes images (B, C, H, W) named `images` and returns `logits` (B, K). It carries the
    architecture as JSON, in the place that its format has for it (`deploy.formats`). Folders are created; a file is
    whole or not there.

    Args:
        net: The supernet; it is left untouched.
        arch: The architecture to take out.
        path: File to write, such as `"net.onnx"` or `"net.pt2"`; the suffix says the format.
        data: Training images to calibrate BatchNorm on: a data set, or a split to be used as it is. Without
            them the subnet keeps the statistics that the supernet holds. What is quantised needs them.
        calibration: How the statistics are computed.
        finetune: A function that trains the extracted module further, in place, before it is calibrated.
        formats: Formats to write, with the suffix of `path` exchanged: names, such as `"onnx"`, or values, such as
            `formats.Int8(images=512)`; default: what the suffix says. Of several those that can be written are, with a
            warning for the others.
        input_shape: Shape of one input, (C, H, W). Default: that of `data`, `net.input_shape` where there is one, or
            what was given before.
        batch_size: Number of images that the file takes at a time; None: any number.

    Raises:
        UsageError: the suffix, a format or the batch size is impossible, the input shape is not known, the architecture
            belongs to another space, or BatchNorm has no statistics and there is no `data` to get them from.
        RunError: no format could be written: an exporter cannot follow the network (names the module and what it does),
            a format's package is not installed, or the place cannot be written.
    """
    check_supernet(net)
    targets = _targets(Path(path), formats)
    if batch_size is not None and batch_size < 1:
        raise UsageError(
            f"A file was to take batches of {batch_size} examples; give at least 1, or None for any number."
        )
    if len(targets) == 1:
        targets[0][0].check()
    shape = data.shape if input_shape is None and isinstance(data, Data) else input_shape_of(net, input_shape)
    arch = net.space.taken(arch)
    module = settled(net.extract(arch) if data is None else plain_subnet(net, arch), data, calibration, finetune)
    architecture = json.dumps(arch.to_json(), ensure_ascii=False)
    images = None if data is None else partial(calibration_inputs, data)
    subject = Subject(traced(module, shape, batch_size), architecture, images)
    failures = dict[str, str]()
    for kind, file in targets:
        try:
            kind.write(subject, file)
        except RunError as error:
            if len(targets) == 1:
                raise
            failures[kind.name] = str(error)
            warnings.warn(f"{file.name} was not written. {error}", stacklevel=2)
    files = [file for kind, file in targets if kind.name not in failures]
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
    return settled(plain_subnet(net, arch), data, calibration)


def _targets(path: Path, formats: Sequence[str | Format] | None) -> list[tuple[Format, Path]]:
    if formats is None:
        found = by_suffix(path)
        if found is None:
            raise UsageError(
                f"The name {path.name!r} does not say what to write; end it in {suffixes()}, or pass "
                "formats=('onnx', 'program')."
            )
        return [(found, path)]
    if isinstance(formats, str) or not formats:
        raise UsageError(f"formats={formats!r} is no list of formats; give one or more, as in formats=('onnx',).")
    chosen = {each.name: each for each in map(format_of, formats)}
    stemmed = by_suffix(path, chosen.values())
    stem = path.name if stemmed is None else path.name.removesuffix(stemmed.suffix)
    return [(each, path.with_name(stem + each.suffix)) for each in chosen.values()]
