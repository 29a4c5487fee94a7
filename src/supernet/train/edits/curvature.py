"""The largest eigenvalue of the validation loss's Hessian in the architecture, and when it rises (R-DARTS)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from supernet.errors import RunError, UsageError
from supernet.nn.modes import untouched_buffers
from supernet.train.context import Context
from supernet.train.derivations._protocol import Derivation
from supernet.train.derivations.strongest import Strongest
from supernet.train.move import Objective, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.parametrisations._protocol import drawn
from supernet.train.processes.exchange import average
from supernet.train.relaxations._protocol import Relaxation
from supernet.train.relaxations.softmax import Softmax

HISTORY = "curvature"
"""The key of `Step.memory` under which the measurements stand: their epochs, values and derived architectures."""


@dataclass(frozen=True, kw_only=True)
class Curvature:
    """Measures λ_max, the largest eigenvalue of ∇²_α L_val, on the last validation batch of an epoch, and remembers it.

    [arXiv 1909.09656](https://arxiv.org/abs/1909.09656). By Lanczos' iteration on products of the Hessian with vectors,
    each of which is one backward through the graph of the gradient; the batch norm has the statistics of the batch, and
    nothing is dropped. The architecture that would be derived is remembered too. Epochs are those of the phase, from 0,
    and the very last one is not measured: nothing could follow from it.

    Args:
        every: The number of epochs from one measurement to the next; the first is that of epoch 0.
        relaxation: The rule by which logits become mixtures.
        objective: The loss L.
        derive: What the architecture would be.
        part: The part of the recipe that holds α.
        rise: What looks for a rise of the measurements; before a training that is too short for it to be found, that is
            said. None: nothing does.

    Raises:
        UsageError: `every` is below 1.
    """

    every: int = 2
    relaxation: Relaxation = field(default_factory=Softmax)
    objective: Objective = field(default_factory=CrossEntropy)
    derive: Derivation = field(default_factory=Strongest)
    part: str = "architecture"
    rise: CurvatureRise | None = None

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UsageError(f"The curvature is measured every {self.every} epochs; give at least 1.")

    def caution(self, steps: int, steps_per_epoch: int) -> str | None:
        """That no rise can be found in a phase of this length, if so."""
        if self.rise is None:
            return None
        epoch = self.rise.first(self.every)
        if steps > (epoch + 1) * steps_per_epoch:
            return None
        return (
            f"A rise of the curvature shows in epoch {epoch}, counted from 0, at the earliest, and this search has "
            f"{steps / steps_per_epoch:.3g} epochs of {steps_per_epoch} steps: nothing will follow from the curvature. "
            f"Train for {(epoch + 2) * steps_per_epoch} steps or more, or measure more often (every={self.every})."
        )

    def __call__(self, context: Context) -> dict[str, float] | None:
        """Measure, if this epoch is one of those; for the log the eigenvalue as `curvature`."""
        step = context.step
        epoch = step.index // step.steps_per_epoch
        if epoch % self.every or step.index + 1 == step.total:
            return None
        value = self.measure(context)
        if not math.isfinite(value):
            raise RunError(
                f"The curvature of the validation loss became {value} in epoch {epoch}. Lower the learning rate of the "
                "weights or of the architecture."
            )
        history = context.memory.setdefault(HISTORY, {"epochs": [], "values": [], "derived": []})
        history["epochs"].append(epoch)
        history["values"].append(value)
        history["derived"].append(str(self.derive.derive(context)))
        return {"curvature": value}

    def measure(self, context: Context) -> float:
        """λ_max on the validation batch of this step."""
        step, executor = context.step, context.executor
        path = Path(drawn(step, self.part, self.relaxation, "curvature"), self.objective, dropout=False)
        with untouched_buffers(context.net):
            loss, _ = executor.run(path, executor.batch("validation"), step)
            return largest_eigenvalue(
                loss, list(step.part(self.part, nn.Module).parameters()), partial(average, executor.fabric)
            )


def largest_eigenvalue(
    loss: Tensor, parameters: Sequence[Tensor], share: Callable[[list[Tensor]], None] = lambda _: None
) -> float:
    """The largest (not the largest in size) eigenvalue of the Hessian of a loss, to a relative accuracy of 10⁻⁴.

    Args:
        loss: A scalar with its graph.
        parameters: What it is differentiated by; those that it does not depend on add zeros.
        share: Averages tensors over processes in place.

    Raises:
        RunError: the iteration did not converge.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> round(largest_eigenvalue(x[0] ** 2 - 5 * x[1] ** 2, [x]), 3)
    2.0
    """
    from scipy.sparse.linalg import LinearOperator, eigsh

    first = _flat(torch.autograd.grad(loss, parameters, create_graph=True, allow_unused=True), parameters)
    if not first.requires_grad:
        return 0.0

    def product(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        along = torch.as_tensor(vector.reshape(-1), dtype=first.dtype, device=first.device)
        found = [_flat(torch.autograd.grad(first, parameters, along, retain_graph=True, allow_unused=True), parameters)]
        share(found)
        return np.asarray(found[0].double().cpu().numpy())

    size = len(first)
    if size == 1:
        return float(product(np.ones(1))[0])
    start = np.random.default_rng(0).standard_normal(size)
    operator: Any = LinearOperator((size, size), matvec=product, dtype=np.float64)
    try:
        (value,) = eigsh(operator, k=1, which="LA", v0=start, tol=1e-4, return_eigenvectors=False)
    except RuntimeError as error:  # ARPACK's own are
        raise RunError(
            f"The curvature of the loss in {size} architecture parameters could not be found: {error}. Measure it on a "
            "loss that is smooth and finite."
        ) from error
    return float(value)


def _flat(gradients: Sequence[Tensor | None], parameters: Sequence[Tensor]) -> Tensor:
    return torch.cat(
        [(torch.zeros_like(p) if g is None else g).reshape(-1) for g, p in zip(gradients, parameters, strict=True)]
    )


@dataclass(frozen=True, kw_only=True)
class CurvatureRise:
    """Says that the curvature has risen, so that a phase ends (`Phase.until`): the early stopping of DARTS-ES.

    [arXiv 1909.09656](https://arxiv.org/abs/1909.09656), as in the official code. λ̄(i) is the mean of the
    `window` measurements around i, so that the last one known is ⌊window / 2⌋ before the last measurement. It has
    risen if λ̄(i) > `ratio` · λ̄(i − `back`), and i − `back` is what to go back to. The very first means are of the
    measurements that there are.

    Args:
        window: The number of measurements in a mean.
        ratio: The factor by which the mean has to rise.
        back: How many measurements lie between the two means.
        earliest: The earliest epoch that may be gone back to.

    Raises:
        UsageError: a value outside its range.
    """

    window: int = 5
    ratio: float = 1.3
    back: int = 4
    earliest: int = 10

    def __post_init__(self) -> None:
        for name, least in (("window", 1), ("back", 1), ("earliest", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"A rise of the curvature has {name}={getattr(self, name)}; give at least {least}.")
        if not 0 <= self.ratio < math.inf:
            raise UsageError(f"The curvature was to rise by the ratio {self.ratio}; give a finite number, at least 0.")

    @property
    def depth(self) -> int:
        """How many measurements before the last one lies what it goes back to."""
        return self.window // 2 + self.back

    def first(self, every: int) -> int:
        """The first epoch, from 0, whose measurement can say that it has risen, with one every so many epochs."""
        return (math.ceil(self.earliest / every) + self.depth) * every

    def place(self, context: Context) -> int | None:
        """The position in the history that the last measurement says to go back to; None: it has not risen."""
        history = context.memory.get(HISTORY, {"epochs": [], "values": []})
        values, last = history["values"], len(history["values"]) - 1
        place = last - self.depth
        if place < 0 or history["epochs"][place] < self.earliest:
            return None
        before, now = (self._mean(values[: end + 1]) for end in (last - self.back, last))
        return place if now > self.ratio * before else None

    def _mean(self, values: Sequence[float]) -> float:
        return float(np.mean(values[-self.window :]))

    def __call__(self, context: Context) -> str | None:
        """The reason to end, once there is one."""
        place = self.place(context)
        if place is None:
            return None
        history = context.memory[HISTORY]
        return (
            f"the curvature of the validation loss rose to {history['values'][-1]:.3g} in epoch "
            f"{history['epochs'][-1]}; the architecture is that of epoch {history['epochs'][place]}"
        )
