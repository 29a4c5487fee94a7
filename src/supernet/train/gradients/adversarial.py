"""The gradient at the worst mixture nearby (SDARTS-ADV)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn import Decisions, Mixture
from supernet.nn.modes import untouched_buffers
from supernet.train.executor import Executor
from supernet.train.move import Move, Path
from supernet.train.part import WEIGHTS
from supernet.train.processes.exchange import average
from supernet.train.relaxations.perturbed import shares_of
from supernet.train.step import Step
from supernet.train.values._protocol import Number, check_value, value_of
from supernet.train.values.ramp import Ramp


@dataclass(frozen=True, kw_only=True)
class Adversarial:
    """∇_w L(w, Ā + δ) with the δ, |δ| ≤ ε in every entry, that makes the loss of the batch large (SDARTS-ADV).

    [arXiv 2002.05283](https://arxiv.org/abs/2002.05283), section 4. Projected gradient ascent from a random δ: each
    step adds 2ε/n times the sign of ∇L, cuts δ to [−ε, ε], and makes shares of the weights of each mixture: cut to
    [0, 1] and divided by their sum. Where that ends with a smaller loss than without δ, δ is 0. These n + 2 passes
    leave running statistics as they are and drop nothing.

    Args:
        radius: ε, at least 0, which may change over time.
        steps: The number n of steps of the ascent.

    Raises:
        UsageError: a value outside its range.
    """

    radius: Number = field(default=Ramp(0.03, 0.3))
    steps: int = 7

    def __post_init__(self) -> None:
        check_value("The radius of the perturbation", self.radius, at_least=0)
        if self.steps < 1:
            raise UsageError(f"The perturbation is found in {self.steps} steps; give at least 1.")

    def __call__(self, executor: Executor, move: Move, step: Step) -> list[Tensor]:
        """The loss of each path at the mixtures found for it.

        Raises:
            UsageError: the move is not on the weights alone.
        """
        if move.families != (WEIGHTS,):
            raise UsageError(
                f"Mixtures are perturbed to train the weights, but the move is on {' and '.join(move.families)}. Give "
                "it to Bilevel(weights_gradient=…)."
            )
        paths = [self.worst(executor, path, move, step, number) for number, path in enumerate(move.paths)]
        return executor.backpropagate(replace(move, paths=paths), step)

    def worst(self, executor: Executor, path: Path, move: Move, step: Step, number: int = 0) -> Path:
        """The path with the mixtures that the ascent finds."""
        decisions = path.decisions if isinstance(path.decisions, Decisions) else Decisions()
        clean = {name: found for name, found in decisions.items() if isinstance(found, Mixture)}
        radius = value_of(self.radius, step)
        if not clean or radius == 0:
            return path
        batch = executor.batch(move.data)

        def loss(weights: Mapping[str, Tensor], *, learns: bool) -> Tensor:
            mixed = {name: Mixture(value, clean[name].run) for name, value in weights.items()}
            tried = replace(path, decisions=Decisions({**decisions, **mixed}), dropout=False, learns=learns)
            return executor.run(tried, batch, step)[0]

        def projected(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: shares_of(value, clean[name].run) for name, value in weights.items()}

        start = {name: mixture.weights.detach() for name, mixture in clean.items()}
        with step.seeded(f"adversarial {number}"):
            noise = {name: torch.empty(len(value)).uniform_(-radius, radius) for name, value in start.items()}
        found = projected({name: value + noise[name].to(value) for name, value in start.items()})
        with untouched_buffers(executor.net):
            for _ in range(self.steps):
                leaves = {name: value.requires_grad_() for name, value in found.items()}
                slopes = list(torch.autograd.grad(loss(leaves, learns=True), list(leaves.values())))
                average(executor.fabric, slopes)
                moved = {}
                for (name, value), slope in zip(leaves.items(), slopes, strict=True):
                    away = value.detach() + 2 * radius / self.steps * slope.sign() - start[name]
                    moved[name] = start[name] + away.clamp(-radius, radius)
                found = projected(moved)
            ends = [loss(start, learns=False), loss(found, learns=False)]
        average(executor.fabric, ends)
        kept = start if ends[0] > ends[1] else found
        mixed = {name: Mixture(value, clean[name].run) for name, value in kept.items()}
        return replace(path, decisions=Decisions({**decisions, **mixed}))
