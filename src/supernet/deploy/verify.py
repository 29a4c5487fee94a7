"""Does the file compute what the subnet computes? Answered by running the file itself on real images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from supernet.data import Batch, Split
from supernet.deploy.formats import Format, Opened, by_suffix
from supernet.deploy.formats._finding import suffixes
from supernet.errors import RunError, SupernetError, UsageError
from supernet.measure.untouched import placed_like, untouched
from supernet.nn.batch import Fields, called, exactly, shapes
from supernet.nn.output import Output, as_output
from supernet.nn.program import flat
from supernet.nn.untraceable import first_line
from supernet.quantity import ACCURACY, STANDARD, Quantity
from supernet.search import Constraints
from supernet.tasks import Classification, Network, Task, take_in


@dataclass(frozen=True)
class Verification:
    """An exported file beside the module it was made from.

    Attributes:
        file: The file that was run.
        runtime: Name and version of what ran it.
        max_difference: Largest absolute difference of an output.
        logit_scale: Largest absolute logit of the module, to compare the difference with.
        scores_file: Loss and scores of the file, by the names of the task.
        scores_module: The same of the module.
        agreement: Share of the examples for which both decide for the same class; None: the task is another.
        images: Number of examples.
        threads: Number of CPU threads that ran the file.
    """

    file: Path
    runtime: str
    max_difference: float
    logit_scale: float
    scores_file: Mapping[str, float]
    scores_module: Mapping[str, float]
    agreement: float | None
    images: int
    threads: int

    @property
    def accuracy_file(self) -> float:
        """Top-1 accuracy of the file, 0 … 1, where the task is classification."""
        return self.scores_file[ACCURACY.name]

    @property
    def accuracy_module(self) -> float:
        """Top-1 accuracy of the module, 0 … 1, where the task is classification."""
        return self.scores_module[ACCURACY.name]


def verify(
    path: str | Path,
    module: nn.Module,
    split: Split,
    *,
    task: Task | None = None,
    images: int | None = None,
    batch_size: int = 256,
    tolerance: float | None = None,
    format: Format | None = None,
) -> Verification:
    """Run an exported file on real examples, in the runtime made for it, and compare it with the module.

    An `.onnx` file runs in onnxruntime on the CPU, a `.pt2` program in torch, and so on. A file for a fixed number of
    examples gets so many at a time.

    Args:
        path: The file to run.
        module: The extracted subnet, such as `Exported.module`; it runs in evaluation mode and is left untouched.
        split: Examples with targets, such as `data.validation`.
        task: What is asked of the network, such as `data.task`; None: classification.
        images: Number of examples to use, the first ones; None: all.
        batch_size: Number of examples per batch.
        tolerance: Largest difference of an output that is allowed, as a share of its largest value; None: that of the
            format, 0.001 of those that compute in float32.
        format: The format of the file; None: what its name ends in.

    Raises:
        UsageError: the file is missing, or its name ends as no format's does.
        RunError: the file does not run, or its runtime is not installed; or its outputs are not finite, or differ by
            more than the tolerance.
    """
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"There is no file {file} to verify; write it with deploy.export.")
    threads = torch.get_num_threads()
    format = by_suffix(file) if format is None else format
    if format is None:
        raise UsageError(f"{file.name!r} cannot be verified: files that end in {suffixes()} can.")
    with _readable(file):
        runner = format.open(file, threads)

    def of_file(x: Fields) -> Output:
        return compared.named(_run(file, runner, x))

    def of_module(x: Fields) -> Output:
        return as_output(called(module, placed_like(module, x)))

    compared = _Compared(file, runner.runtime, task or Classification(), threads, (of_file, of_module))
    with untouched(module), torch.no_grad():
        for batch in split.batches(batch_size, limit=images):
            expected = of_module(batch.x)
            compared.add(_run(file, runner, batch.x), expected, batch)
    return compared.result(format.tolerance if tolerance is None else tolerance)


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


class _Compared:
    """Takes in what file and module say of the same batches."""

    def __init__(self, file: Path, runtime: str, task: Task, threads: int, networks: tuple[Network, Network]) -> None:
        self._file, self._runtime, self._threads, self._networks = file, runtime, threads, networks
        self._names: tuple[str, ...] = ()
        self._heads: tuple[str, ...] = ()
        self._decides = isinstance(task, Classification)
        self._meters = task.meter(), task.meter()
        self._scale: dict[str, float] = {}
        self._difference: dict[str, float] = {}
        self._agree = self._images = 0

    def add(self, told: Sequence[NDArray[np.float32]], expected: Output, batch: Batch) -> None:
        wanted = {name: tensor.float().cpu() for name, tensor in flat(expected).items()}
        self._names, self._heads = tuple(wanted), tuple(expected.heads)
        found = dict(zip(wanted, map(torch.from_numpy, told), strict=False))
        for name, tensor in wanted.items():
            if name not in found or found[name].shape != tensor.shape:
                shape = tuple(found[name].shape) if name in found else "nothing"
                raise RunError(
                    f"{self._file} returns {name} of shape {shape} where the module returns {tuple(tensor.shape)}."
                )
            difference = float((found[name] - tensor).abs().max())
            worst = self._difference.get(name, 0.0)
            self._difference[name] = difference if not difference <= worst else worst  # NaN stays
            self._scale[name] = max(self._scale.get(name, 0.0), float(tensor.abs().max()))
        target = batch.to("cpu")
        for meter, tensors, network in zip(self._meters, (found, wanted), self._networks, strict=True):
            take_in(meter, self._output(tensors), target, network)
        if self._decides:
            self._agree += int((found["logits"].argmax(1) == wanted["logits"].argmax(1)).sum())
        self._images += batch.size

    def named(self, told: Sequence[NDArray[np.float32]]) -> Output:
        """What the file returns, as the module's output was named."""
        return self._output(dict(zip(self._names, map(torch.from_numpy, told), strict=True)))

    def _output(self, tensors: Mapping[str, Tensor]) -> Output:
        return Output(tensors["logits"], heads={name: tensors[name] for name in self._heads})

    def result(self, tolerance: float) -> Verification:
        scores = [meter.values() for meter in self._meters]
        found = Verification(
            file=self._file,
            runtime=self._runtime,
            max_difference=max(self._difference.values(), key=lambda value: (value != value, value)),
            logit_scale=self._scale["logits"],
            scores_file=scores[0],
            scores_module=scores[1],
            agreement=self._agree / self._images if self._decides else None,
            images=self._images,
            threads=self._threads,
        )
        for name, difference in self._difference.items():
            if not difference <= tolerance * self._scale[name]:  # also true of NaN
                told = ", ".join(
                    f"{score} {scores[0][score]:.4f} against {scores[1][score]:.4f}" for score in scores[0]
                )
                raise RunError(
                    f"{self._file} does not compute what the subnet computes: its {name} differ by up to "
                    f"{difference:.3g} where {tolerance * self._scale[name]:.3g} is allowed ({tolerance:g} of the "
                    f"largest, {self._scale[name]:.3g}); {told} on {self._images} examples. Do not use the file; "
                    "export it anew from this very module."
                )
        return found


def _run(file: Path, runner: Opened, x: Fields) -> list[NDArray[np.float32]]:
    size = Batch(x, x).size
    try:
        if runner.batch is None:
            parts = [runner.run(piece.x) for piece in Batch(x, x).pieces(runner.most)]
            return [np.concatenate(tensors) for tensors in zip(*parts, strict=True)]
        told = zip(*(runner.run(piece) for piece in exactly(x, runner.batch)), strict=True)
        return [np.concatenate(parts)[:size] for parts in told]
    except Exception as error:
        raise RunError(
            f"{file} does not run on inputs of {shapes(x)}: {first_line(error)}. Export it with the "
            "input_shape of these inputs."
        ) from error


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Loaders fail in many ways on a damaged file; all mean the same to the caller."""
    try:
        yield
    except SupernetError:
        raise
    except Exception as error:
        raise RunError(f"{file} cannot be loaded: {first_line(error)}. Export it anew.") from error
