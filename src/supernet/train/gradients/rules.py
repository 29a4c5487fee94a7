"""How the gradient of a move is computed: backpropagation, or DARTS's unrolled step (`reptile.py` has another)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.move import Move, Step
from supernet.train.processes import average

if TYPE_CHECKING:
    from supernet.train.executor import Executor


class GradientRule(Protocol):
    """Leaves a gradient on the parameters of the move's family, and returns the loss of each path."""

    def __call__(self, executor: Executor, move: Move, step: Step) -> list[Tensor]: ...


@dataclass(frozen=True)
class Backpropagation:
    """∇ of the weighted losses of all paths, one backward pass per path so that memory holds one at a time."""

    def __call__(self, executor: Executor, move: Move, step: Step) -> list[Tensor]:
        # Naming the leaves computes no gradient of the other family, and leaves none there.
        stepper = executor.steppers[move.updates]
        family = stepper.parameters
        shared = move.updates != "weights"  # the paths of a move on the architecture share the graph of the mixtures
        whole = executor.batch(move.data)
        pieces = _pieces(whole, move.micro_batch)
        totals = [torch.zeros((), device=whole.x.device) for _ in move.paths]
        for piece in pieces:
            share = len(piece.y) / len(whole.y)
            earlier: list[Tensor] = []
            for number, path in enumerate(move.paths):
                loss, logits = executor.run(path, piece, step, earlier)
                earlier.append(logits.detach())
                factor = move.combine.weight(len(move.paths)) * path.weight * stepper.loss_factor(step, path)
                scaled = loss * (share * factor)
                scaled.backward(inputs=family, retain_graph=shared)  # type: ignore[no-untyped-call]
                totals[number] += share * loss.detach()
        return totals


@dataclass(frozen=True)
class Unrolled:
    """∇_α L_val(w', α) with w' one training step ahead, by finite differences (DARTS, eq. 6–8), for one path.

    w' = w − ξ (μ·buffer + ∇_w L_train + λ w) with the current learning rate ξ, momentum μ and weight decay λ.
    The gradient is ∇_α L_val(w', α) − ξ [∇_α L_train(w⁺, α) − ∇_α L_train(w⁻, α)] / 2ε,
    w± = w ± ε ∇_{w'} L_val, ε = `radius` / ‖∇_{w'} L_val‖₂. The weights are restored exactly.

    Args:
        radius: Numerator of ε; the paper uses 0.01.
    """

    radius: float = 0.01

    def __call__(self, executor: Executor, move: Move, step: Step) -> list[Tensor]:
        weights = executor.steppers["weights"]
        logits = executor.steppers["architecture"].parameters
        train, validation = executor.batch("train"), executor.batch("validation")
        if len(move.paths) != 1 or move.micro_batch is not None:
            raise UsageError("The unrolled gradient is of one path on the whole batch; give the move no more.")
        path = move.paths[0]
        rate = weights.lr(step, move.paths)
        saved = [p.detach().clone() for p in weights.parameters]

        def gradient(batch: Batch, of: Sequence[nn.Parameter]) -> tuple[Tensor, list[Tensor]]:
            loss, _ = executor.run(path, batch, step, [])
            # The passes share the graph from logits to mixtures, so none may free it.
            found = torch.autograd.grad(loss, list(of), allow_unused=True, retain_graph=True)
            return loss.detach(), [torch.zeros_like(p) if g is None else g for p, g in zip(of, found, strict=True)]

        try:
            _, ahead = gradient(train, weights.parameters)
            with torch.no_grad():
                average(executor.fabric, ahead)
                for p, g in zip(weights.parameters, ahead, strict=True):
                    p.sub_(weights.direction(p, g), alpha=rate)
            loss, both = gradient(validation, [*logits, *weights.parameters])
            first, vector = both[: len(logits)], both[len(logits) :]
            average(executor.fabric, vector)
            norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(vector)))
            epsilon = self.radius / norm.clamp_min(1e-12)
            ends = []
            for sign in (1.0, -1.0):
                with torch.no_grad():
                    for p, start, v in zip(weights.parameters, saved, vector, strict=True):
                        p.copy_(start + sign * epsilon * v)
                ends.append(gradient(train, logits)[1])
        finally:
            with torch.no_grad():
                for p, start in zip(weights.parameters, saved, strict=True):
                    p.copy_(start)
        for p, direct, plus, minus in zip(logits, first, *ends, strict=True):
            p.grad = direct - rate * (plus - minus) / (2 * epsilon)
        return [loss]


def _pieces(batch: Batch, size: int | None) -> list[Batch]:
    if size is None or size >= len(batch.y):
        return [batch]
    return [Batch(x, y) for x, y in zip(torch.split(batch.x, size), torch.split(batch.y, size), strict=True)]


@contextmanager
def untouched_buffers(net: Supernet) -> Iterator[None]:
    """Restore all buffers (running statistics) afterwards: a pass that only measures must leave no trace."""
    buffers = list(net.buffers())
    saved = [b.clone() for b in buffers]
    try:
        yield
    finally:
        for buffer, before in zip(buffers, saved, strict=True):
            buffer.copy_(before)
