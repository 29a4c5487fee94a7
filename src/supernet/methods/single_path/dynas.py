"""DYNAS: Subnet-Aware Dynamic Supernet Training for Neural Architecture Search (Jeon, Noh and Ham, CVPR 2025)."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch

from supernet.errors import UsageError
from supernet.train import (
    ComplexityAwareLR,
    CrossEntropy,
    MomentumSeparation,
    OneGroup,
    OnLoss,
    Recipe,
    StrictFair,
    TrainPaths,
    Uniform,
    Updates,
)
from supernet.train.schedules.complexity_aware import Complexity
from supernet.train.updates import Inactive


def dynas(
    *,
    paths: Literal["uniform", "strict_fair"] = "uniform",
    gamma_max: float = 4.0,
    complexity: Complexity = "params",
    states: MomentumSeparation | None = None,
    learning_rate: float = 0.025,
    momentum: float = 0.9,
    nesterov: bool = True,
    weight_decay: float = 5e-4,
    label_smoothing: float = 0.0,
    inactive: Inactive = "decay",
    clip_norm: float | None = None,
    reference_batch: int | None = 64,
) -> Recipe:
    """DYNAS: SPOS or FairNAS with a complexity-aware learning rate and separate momentum.

    The defaults are the released NAS-Bench-201 setting: SGD with Nesterov momentum at 0.025 for batches of 64, weight
    decay 5e-4. With one uniform path per step CaLR scales the learning rate and the gradient is clipped at norm 5.
    With strictly fair paths it scales the loss of each path, so that weight decay is not annealed, and nothing is
    clipped. The pieces plug into other methods as well: `schedule=ComplexityAwareLR()`, `states=MomentumSeparation()`.

    Args:
        paths: `"uniform"`: one path per step, as in SPOS. `"strict_fair"`: as in FairNAS, all paths of a step with the
            same option on the edge that separates momentum.
        gamma_max: γ of the smallest subnet, see `ComplexityAwareLR`.
        complexity: C(α) of subnets.
        states: Separation of momentum; default `MomentumSeparation()`: by one edge, drawn from the seed.
        learning_rate: For batches of `reference_batch` images.
        momentum: Of SGD.
        nesterov: Whether the momentum is Nesterov's.
        weight_decay: On all parameters.
        label_smoothing: Of the cross-entropy.
        inactive: Treatment of unsampled parameters. `"decay"` is what the torch version of the published figures did.
        clip_norm: Largest gradient norm; None: 5 with uniform paths, none with strictly fair ones, as released.
        reference_batch: Images per batch that `learning_rate` is meant for; None: any.
    """
    if paths not in ("uniform", "strict_fair"):
        raise UsageError(f"DYNAS samples 'uniform' or 'strict_fair' paths; got {paths!r}.")
    groups = MomentumSeparation() if states is None else states
    rate = ComplexityAwareLR(gamma_max=gamma_max, complexity=complexity)
    single = paths == "uniform"
    return Recipe(
        name="dynas",
        program=TrainPaths(
            sampler=Uniform() if single else OneGroup(StrictFair(), groups), objective=CrossEntropy(label_smoothing)
        ),
        weights=Updates(
            optimizer=partial(
                torch.optim.SGD, lr=learning_rate, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay
            ),
            schedule=rate if single else OnLoss(rate),
            clip_norm=5.0 if single and clip_norm is None else clip_norm,
            inactive=inactive,
            reference_batch=reference_batch,
            states=groups,
        ),
    )
