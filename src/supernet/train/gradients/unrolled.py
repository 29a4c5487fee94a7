"""The unrolled step of DARTS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.train.executor import Executor
from supernet.train.move import Move, Objective, Path
from supernet.train.optimisers._protocol import check_number
from supernet.train.part import WEIGHTS
from supernet.train.processes.exchange import average
from supernet.train.processes.shared_weight import number_of
from supernet.train.step import Step


@runtime_checkable
class OfArchitecture(Protocol):
    """A loss of the architecture that says by which other one the weights learn."""

    def of_weights(self) -> Objective:
        """The loss of the weights."""
        ...


@dataclass(frozen=True)
class Unrolled:
    """∇_α L_val(w', α) with w' one training step ahead, by finite differences (DARTS, eq. 6–8), for one path.

    [arXiv 1806.09055](https://arxiv.org/abs/1806.09055).

    w' = w − ξ (μ·buffer + ∇_w L_train + λ w) with the current learning rate ξ, momentum μ and weight decay λ.
    The gradient is ∇_α L_val(w', α) − ξ [∇_α L_train(w⁺, α) − ∇_α L_train(w⁻, α)] / 2ε,
    w± = w ± ε ∇_{w'} L_val, ε = `radius` / ‖∇_{w'} L_val‖₂. The weights are restored exactly.

    L_train and L_val are the loss of the path; where its objective has a method `of_weights`, L_train is what that
    returns (NASDA, whose discrepancy of domains is a loss of the architecture alone).

    With `clip_norm` the two gradients of the weights are clipped before they are used, as in the authors' search of
    recurrent cells.

    Args:
        radius: Numerator of ε; the paper uses 0.01.
        part: The family of the architecture's parameters.
        clip_norm: The largest norm of ∇_w L_train and of ∇_{w'} L_val; None: they are not clipped.

    Raises:
        UsageError: a norm that is not above 0.
    """

    radius: float = 0.01
    part: str = "architecture"
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        if self.clip_norm is not None:
            check_number("The largest norm of the gradients ahead (None for none)", self.clip_norm, above=0)

    def __call__(self, executor: Executor, move: Move, step: Step) -> list[Tensor]:
        weights = executor.steppers[WEIGHTS]
        logits = executor.parameters([self.part])
        train, validation = executor.batch("train"), executor.batch("validation")
        path, *others = move.paths
        if others or not path.learns or path.weight != 1 or move.micro_batch is not None:
            raise UsageError("The unrolled gradient is of one path on the whole batch, of weight 1; give it no more.")
        rate = weights.lr(step, move.paths)
        saved = [p.detach().clone() for p in weights.parameters]

        used: set[nn.Parameter] = set()

        objective = path.objective
        ahead_path = replace(path, objective=objective.of_weights()) if isinstance(objective, OfArchitecture) else path

        def gradient(path: Path, batch: Batch, of: Sequence[nn.Parameter]) -> tuple[Tensor, list[Tensor]]:
            given = {} if move.prepare is None else move.prepare(step, batch)
            loss, _ = executor.run(path, batch, step, given=given)
            # The passes share the graph from logits to mixtures, so none may free it.
            found = torch.autograd.grad(loss, list(of), allow_unused=True, retain_graph=True)
            used.update(p for p, g in zip(of, found, strict=True) if g is not None)
            return loss.detach(), [torch.zeros_like(p) if g is None else g for p, g in zip(of, found, strict=True)]

        try:
            _, ahead = gradient(ahead_path, train, weights.parameters)
            with torch.no_grad():
                average(executor.fabric, ahead)
                self._clip(ahead)
                for p, g in zip(weights.parameters, ahead, strict=True):
                    p.sub_(weights.direction(p, g), alpha=rate)
            loss, both = gradient(path, validation, [*logits, *weights.parameters])
            first, vector = both[: len(logits)], both[len(logits) :]
            average(executor.fabric, vector)
            self._clip(vector)
            epsilon = self.radius / _norm(vector).clamp_min(1e-12)
            ends = []
            for sign in (1.0, -1.0):
                with torch.no_grad():
                    for p, start, v in zip(weights.parameters, saved, vector, strict=True):
                        p.copy_(start + sign * epsilon * v)
                ends.append(gradient(ahead_path, train, logits)[1])
        finally:
            with torch.no_grad():
                for p, start in zip(weights.parameters, saved, strict=True):
                    p.copy_(start)
        for p, direct, plus, minus in zip(logits, first, *ends, strict=True):
            if p in used:  # a choice that is decided has no gradient, so that weight decay does not move it
                p.grad = direct - rate * (plus - minus) / (2 * epsilon)
        return [loss]

    def _clip(self, gradients: Sequence[Tensor]) -> None:
        if self.clip_norm is not None:
            torch._foreach_mul_(list(gradients), (self.clip_norm / (_norm(gradients) + 1e-6)).clamp(max=1.0))


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(tensors))))
    return number_of(norm)
