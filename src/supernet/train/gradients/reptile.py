"""A gradient from short trainings: how far, and where to, each path would go by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.train.executor import Executor
from supernet.train.move import Move, Outcome, Path
from supernet.train.optimisers._protocol import check_number
from supernet.train.part import WEIGHTS
from supernet.train.processes.exchange import average
from supernet.train.step import Step


@dataclass(frozen=True, kw_only=True)
class Reptile:
    """θ − φᵢ, combined over the paths of a move (SUM-NAS; Reptile, Nichol et al., 2018).

    SUM-NAS: [OpenReview](https://openreview.net/forum?id=Z8FzvVU6_Kj).

    φᵢ is where `steps` steps of SGD through path i on the batch of the move lead from θ; every path starts from θ, with
    a momentum of zero. The weights are restored exactly, and the optimiser of the family makes the step: with
    `combine=Mean()` and a learning rate of 1 it goes to the mean of the φᵢ. Parameters that no path used have no
    gradient. Running statistics of batch norm see every pass.

    Args:
        steps: r, the steps of each path.
        lr: Learning rate of these steps.
        momentum: Momentum of these steps, in [0, 1).
        clip_norm: Largest norm of their gradients; None: any.

    Raises:
        UsageError: a value outside its range.
    """

    steps: int = 2
    lr: float = 0.05
    momentum: float = 0.9
    clip_norm: float | None = 5.0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError(f"Each path takes {self.steps} steps of its own; give at least 1.")
        check_number("The learning rate lr of the inner steps", self.lr, above=0)
        check_number("The momentum of the inner steps", self.momentum, at_least=0, below=1)
        if self.clip_norm is not None:
            check_number("clip_norm of the inner steps (None for none)", self.clip_norm, above=0)

    def __call__(self, executor: Executor, move: Move, step: Step) -> list[Tensor]:
        """The first loss of each path."""
        if move.families != (WEIGHTS,) or move.micro_batch is not None:
            raise UsageError("Inner steps are made on weights, and on the whole batch; give the move no micro_batch.")
        family = executor.parameters([WEIGHTS])
        gradient: dict[nn.Parameter, Tensor] = {}
        losses: list[Tensor] = []
        earlier: list[Outcome] = []
        batch = executor.batch(move.data)
        given = {} if move.prepare is None else move.prepare(step, batch)
        for path in move.paths:
            if not path.learns:
                loss, outcome = executor.run(path, batch, step, earlier, given)
                losses.append(loss.detach())
                earlier.append(outcome.detached())
                continue
            start: dict[nn.Parameter, Tensor] = {}
            try:
                loss, outcome = self._train(executor, family, path, batch, step, earlier, given, start)
                with torch.no_grad():
                    for p, before in start.items():
                        way = (before - p) * (move.combine.weight(len(move.learning)) * path.weight)
                        gradient[p] = gradient[p] + way if p in gradient else way
            finally:
                with torch.no_grad():
                    for p, before in start.items():
                        p.copy_(before)
            losses.append(loss)
            earlier.append(outcome)
        for p, way in gradient.items():
            p.grad = way
        return losses

    def _train(
        self,
        executor: Executor,
        family: list[nn.Parameter],
        path: Path,
        batch: Batch,
        step: Step,
        earlier: list[Outcome],
        given: Mapping[str, Any],
        start: dict[nn.Parameter, Tensor],
    ) -> tuple[Tensor, Outcome]:
        """Train one path; first loss and outcome. Every parameter that moves has its value before in `start`."""
        factor = executor.steppers[WEIGHTS].loss_factor(step, path)
        velocity: dict[nn.Parameter, Tensor] = {}
        first: tuple[Tensor, Outcome] | None = None
        for _ in range(self.steps):
            loss, outcome = executor.run(path, batch, step, earlier, given)
            first = first or (loss.detach(), outcome.detached())
            found = torch.autograd.grad(loss * factor, family, allow_unused=True)
            used = [(p, g) for p, g in zip(family, found, strict=True) if g is not None]
            gradients = [g for _, g in used]
            average(executor.fabric, gradients)
            if self.clip_norm is not None:
                norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
                torch._foreach_mul_(gradients, (self.clip_norm / (norm + 1e-6)).clamp(max=1.0))
            with torch.no_grad():
                for p, g in used:
                    start.setdefault(p, p.detach().clone())
                    velocity[p] = self.momentum * velocity[p] + g if p in velocity else g
                    p.sub_(velocity[p], alpha=self.lr)
        assert first is not None
        return first
