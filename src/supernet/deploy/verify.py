"""Does the file compute what the subnet computes? Answered by running the file itself on real images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from supernet.data import Split
from supernet.deploy.formats import batch_of, first_line
from supernet.errors import RunError, UsageError, require
from supernet.measure.quantity import STANDARD, Quantity
from supernet.measure.untouched import placed_like, untouched
from supernet.search import Constraints

_Run: TypeAlias = Callable[[Tensor], NDArray[np.float32]]


@dataclass(frozen=True)
class _Runner:
    """A loaded file.

    Attributes:
        runtime: Name and version of what runs it.
        run: Runs images (B, C, H, W) to logits (B, K).
        batch: The number of images that it takes; None: any number.
    """

    runtime: str
    run: _Run
    batch: int | None


@dataclass(frozen=True)
class Verification:
    """An exported file beside the module it was made from.

    Attributes:
        file: The file that was run.
        runtime: Name and version of what ran it.
        max_difference: Largest absolute difference of a logit.
        logit_scale: Largest absolute logit of the module, to compare the difference with.
        accuracy_file: Top-1 accuracy of the file, 0 … 1.
        accuracy_module: Top-1 accuracy of the module, 0 … 1.
        agreement: Share of the images on which both decide for the same class.
        images: Number of images.
        threads: Number of CPU threads that ran the file.
    """

    file: Path
    runtime: str
    max_difference: float
    logit_scale: float
    accuracy_file: float
    accuracy_module: float
    agreement: float
    images: int
    threads: int


def verify(
    path: str | Path,
    module: nn.Module,
    split: Split,
    *,
    images: int | None = None,
    batch_size: int = 256,
    tolerance: float = 1e-3,
) -> Verification:
    """Run an exported file on real images, in the runtime made for it, and compare it with the module.

    An `.onnx` file runs in onnxruntime on the CPU, a `.pt2` program in torch. A file for a fixed number of images gets
    so many at a time.

    Args:
        path: The file to run.
        module: The extracted subnet, such as `Exported.module`; it runs in evaluation mode and is left untouched.
        split: Labelled images, such as `data.validation`.
        images: Number of images to use, the first ones; None: all.
        batch_size: Number of images per batch.
        tolerance: Largest difference of a logit that is allowed, as a share of the largest logit.

    Raises:
        UsageError: the file is missing, or ends in neither `.onnx` nor `.pt2`.
        RunError: the file does not run, its logits are not finite, or they differ by more than the tolerance.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"There is no file {file} to verify; write it with deploy.export.")
    threads = torch.get_num_threads()
    if file.suffix == ".onnx":
        runner = _onnx_runner(file, threads)
    elif file.suffix == ".pt2":
        runner = _program_runner(file)
    else:
        raise UsageError(f"{file.name!r} cannot be verified: files that end in .onnx and .pt2 can.")
    told, expected, labels = [], [], []
    with untouched(module), torch.no_grad():
        for x, y in split.batches(batch_size, limit=images):
            expected.append(module(placed_like(module, x)).float().cpu().numpy())
            told.append(_run(file, runner, x))
            labels.append(y.numpy())
    arrays = (np.concatenate(told), np.concatenate(expected), np.concatenate(labels))
    return _compared(file, runner.runtime, *arrays, threads=threads, tolerance=tolerance)


def missed(
    constraints: Constraints, values: Mapping[str, float], quantities: Mapping[str, Quantity] = STANDARD
) -> tuple[str, ...]:
    """What was measured of an exported network and lies outside the bounds of the search, a sentence each.

    A search may predict what is measured after export (latency from a table), and fine-tuning changes accuracy.

    Args:
        constraints: The bounds of the search, such as `front.constraints`.
        values: What was measured, by the names of quantities; a bound on anything else is not looked at.
        quantities: The quantities by name, for their units.

    >>> from supernet.search import Constraint
    >>> missed(Constraints((Constraint("latency_ms", high=0.45),)), {"latency_ms": 0.58, "macs": 9.0})
    ('latency_ms measured after export is 0.58 ms, outside the bound of the search: latency_ms ≤ 0.45.',)
    """
    sentences = []
    for constraint in constraints.only(values):
        value = values[constraint.name]
        if not constraint.excess(np.asarray(value)) <= 0:  # also true of NaN
            unit = quantities.get(constraint.name, Quantity(constraint.name))
            sentences.append(
                f"{constraint.name} measured after export is {unit.text(value)}, outside the bound of the search: "
                f"{constraint}."
            )
    return tuple(sentences)


def _compared(
    file: Path,
    runtime: str,
    told: NDArray[np.float32],
    expected: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    threads: int,
    tolerance: float,
) -> Verification:
    if told.shape != expected.shape:
        raise RunError(f"{file} returns logits of shape {told.shape} where the module returns {expected.shape}.")
    scale, difference = float(np.abs(expected).max()), float(np.abs(told - expected).max())
    result = Verification(
        file=file,
        runtime=runtime,
        max_difference=difference,
        logit_scale=scale,
        accuracy_file=float((told.argmax(1) == labels).mean()),
        accuracy_module=float((expected.argmax(1) == labels).mean()),
        agreement=float((told.argmax(1) == expected.argmax(1)).mean()),
        images=len(labels),
        threads=threads,
    )
    if not difference <= tolerance * scale:  # also true of NaN
        raise RunError(
            f"{file} does not compute what the subnet computes: its logits differ by up to {difference:.3g} where "
            f"{tolerance * scale:.3g} is allowed ({tolerance:g} of the largest logit, {scale:.3g}); accuracy "
            f"{result.accuracy_file:.4f} against {result.accuracy_module:.4f} on {len(labels)} images. Do not use "
            "the file; export it anew from this very module."
        )
    return result


def _onnx_runner(file: Path, threads: int) -> _Runner:
    require("onnxruntime", "export", "Verifying ONNX files")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    with _readable(file):
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    images = session.get_inputs()[0]
    name, size = images.name, images.shape[0]

    def run(x: Tensor) -> NDArray[np.float32]:
        return np.asarray(session.run(None, {name: x.numpy()})[0], dtype=np.float32)

    return _Runner(f"onnxruntime {onnxruntime.__version__}", run, size if isinstance(size, int) else None)


def _program_runner(file: Path) -> _Runner:
    with _readable(file):
        program = torch.export.load(str(file))
        module = program.module()

    def run(x: Tensor) -> NDArray[np.float32]:
        logits: Tensor = module(placed_like(module, x))
        return np.asarray(logits.float().cpu().numpy())

    return _Runner(f"torch {torch.__version__}", run, batch_of(program))


def _run(file: Path, runner: _Runner, x: Tensor) -> NDArray[np.float32]:
    try:
        if runner.batch is None:
            return runner.run(x)
        missing = -len(x) % runner.batch
        padded = torch.cat([x, x[-1:].expand(missing, *x.shape[1:])])
        starts = range(0, len(padded), runner.batch)
        return np.concatenate([runner.run(padded[start : start + runner.batch]) for start in starts])[: len(x)]
    except Exception as error:
        raise RunError(
            f"{file} does not run on images of shape {tuple(x.shape)}: {first_line(error)}. Export it with the "
            "input_shape of these images."
        ) from error


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Loaders fail in many ways on a damaged file; all mean the same to the caller."""
    try:
        yield
    except Exception as error:
        raise RunError(f"{file} cannot be loaded: {first_line(error)}. Export it anew.") from error
