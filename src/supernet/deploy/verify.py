"""Does the file compute what the subnet computes? Answered by running the file itself on real images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from supernet.data import Split
from supernet.errors import RunError, UsageError, require
from supernet.measure.untouched import placed_like, untouched

_Runner: TypeAlias = Callable[[Tensor], NDArray[np.float32]]


@dataclass(frozen=True)
class Verification:
    """An exported file beside the module it was made from.

    Attributes:
        file: What was run.
        runtime: With what.
        max_difference: Largest absolute difference of a logit.
        logit_scale: Largest absolute logit of the module, to compare it with.
        accuracy_file: Top-1 of the file, 0 … 1.
        accuracy_module: Top-1 of the module.
        agreement: Share of the images on which both decide for the same class.
        images: How many images.
        threads: CPU threads that ran the file.
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

    An `.onnx` file runs in onnxruntime on the CPU, a `.pt2` program in torch.

    Args:
        path: The file.
        module: The extracted subnet, such as `Exported.module`; it runs in evaluation mode and is left untouched.
        split: Labelled images, such as `data.validation`.
        images: Use only the first so many.
        batch_size: Images per batch.
        tolerance: Largest difference allowed, as a share of the largest logit.

    Raises:
        UsageError: the file is missing, or ends in neither `.onnx` nor `.pt2`.
        RunError: the file does not run, its logits are not finite, or they differ by more than the tolerance.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"There is no file {file} to verify; write it with deploy.export.")
    threads = torch.get_num_threads()
    if file.suffix == ".onnx":
        runtime, run = _onnx_runner(file, threads)
    elif file.suffix == ".pt2":
        runtime, run = _program_runner(file)
    else:
        raise UsageError(f"{file.name!r} cannot be verified: files that end in .onnx and .pt2 can.")
    told, expected, labels = [], [], []
    with untouched(module), torch.no_grad():
        for x, y in split.batches(batch_size, limit=images):
            expected.append(module(placed_like(module, x)).float().cpu().numpy())
            told.append(_run(file, run, x))
            labels.append(y.numpy())
    arrays = (np.concatenate(told), np.concatenate(expected), np.concatenate(labels))
    return _compared(file, runtime, *arrays, threads=threads, tolerance=tolerance)


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


def _onnx_runner(file: Path, threads: int) -> tuple[str, _Runner]:
    require("onnxruntime", "export", "Verifying ONNX files")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    with _readable(file):
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(x: Tensor) -> NDArray[np.float32]:
        return np.asarray(session.run(None, {name: x.numpy()})[0], dtype=np.float32)

    return f"onnxruntime {onnxruntime.__version__}", run


def _program_runner(file: Path) -> tuple[str, _Runner]:
    with _readable(file):
        module = torch.export.load(str(file)).module()

    def run(x: Tensor) -> NDArray[np.float32]:
        logits: Tensor = module(placed_like(module, x))
        return np.asarray(logits.float().cpu().numpy())

    return f"torch {torch.__version__}", run


def _run(file: Path, run: _Runner, x: Tensor) -> NDArray[np.float32]:
    try:
        return run(x)
    except Exception as error:
        raise RunError(
            f"{file} does not run on images of shape {tuple(x.shape)}: {_first_line(error)}. Export it with the "
            "input_shape of these images."
        ) from error


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Loaders fail in many ways on a damaged file; all mean the same to the caller."""
    try:
        yield
    except Exception as error:
        raise RunError(f"{file} cannot be loaded: {_first_line(error)}. Export it anew.") from error


def _first_line(error: Exception) -> str:
    return f"{error}".strip().partition("\n")[0].rstrip(".") or type(error).__name__
