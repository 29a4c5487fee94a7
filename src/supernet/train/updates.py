"""How a family of parameters is stepped: optimiser, learning rate, clipping, unsampled parameters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.train.move import Path, Step
from supernet.train.schedules._protocol import LearningRate
from supernet.train.schedules.complexity_aware import ComplexityAwareLR
from supernet.train.schedules.constant import Constant
from supernet.train.schedules.linear import Linear
from supernet.train.schedules.on_loss import OnLoss
from supernet.train.states._protocol import StateGroups

Inactive: TypeAlias = Literal["freeze", "decay"]

OptimizerFactory: TypeAlias = Callable[[Iterable[dict[str, Any]]], torch.optim.Optimizer]

OptimizerState: TypeAlias = defaultdict[Tensor, Any]
"""What torch's optimisers keep per parameter."""


@dataclass(frozen=True, kw_only=True)
class Updates:
    """How parameters are stepped.

    Args:
        optimizer: Makes a torch optimiser from parameter groups, such as
            `functools.partial(torch.optim.SGD, lr=0.1, momentum=0.9)`.
        schedule: Factor on the learning rate.
        clip_norm: Largest norm of the gradient over the whole family.
        clip_value: Largest absolute entry of the gradient.
        inactive: Parameters that no path of the move used are left alone (`"freeze"`), or get a gradient of
            zero, so that weight decay and momentum still move them (`"decay"`: what torch before 2.0 did to
            parameters from their first use on, and many published figures rest on). It concerns whole tensors;
            the unused part of an elastic weight always has a gradient of zero.
        decay_vectors: Whether weight decay also applies to biases and to norm scales and shifts.
        reference_batch: The learning rate is for batches of this many images and scales linearly with the actual
            number; None: it holds as it is.
        states: Which paths share the optimiser's state (momentum); None: all do.

    Raises:
        UsageError: a value outside its range.
    """

    optimizer: OptimizerFactory
    schedule: LearningRate = field(default_factory=Constant)
    clip_norm: float | None = None
    clip_value: float | None = None
    inactive: Inactive = "freeze"
    decay_vectors: bool = True
    reference_batch: int | None = None
    states: StateGroups | None = None

    def __post_init__(self) -> None:
        if self.inactive not in get_args(Inactive):
            raise UsageError(f"Unsampled parameters are treated as one of {get_args(Inactive)}; got {self.inactive!r}.")
        for name in ("clip_norm", "clip_value", "reference_batch"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"{name} is {value}; it must be positive, or None for none.")

    def alone(self) -> Updates:
        """The same for one architecture trained alone, without what treats subnets differently.

        Momentum is one, a schedule acts on the learning rate, and one by complexity becomes linear. A truth that was
        trained otherwise would favour what the method favours.
        """
        schedule = self.schedule.schedule if isinstance(self.schedule, OnLoss) else self.schedule
        return replace(self, states=None, schedule=Linear() if isinstance(schedule, ComplexityAwareLR) else schedule)


class Stepper:
    """The parameters of one family with their optimiser, which may have several states over the same parameters.

    Args:
        updates: How to step.
        parameters: What to step.
        batch_size: Images per step over all processes, for `reference_batch`.
    """

    def __init__(self, updates: Updates, parameters: Iterable[nn.Parameter], *, batch_size: int) -> None:
        self.updates = updates
        self.parameters = [p for p in parameters if p.requires_grad]
        vectors = [] if updates.decay_vectors else [p for p in self.parameters if p.ndim <= 1]
        kept = {id(p) for p in vectors}
        groups: list[dict[str, Any]] = [{"params": [p for p in self.parameters if id(p) not in kept]}]
        if vectors:
            groups.append({"params": vectors, "weight_decay": 0.0})
        self.optimizer = updates.optimizer(groups)
        self.states: dict[int, OptimizerState] = {0: self.optimizer.state}
        self.used: set[nn.Parameter] = set()
        self._group = {id(p): group for group in self.optimizer.param_groups for p in group["params"]}
        scale = 1.0 if updates.reference_batch is None else batch_size / updates.reference_batch
        self._base: list[float] = [group["lr"] * scale for group in self.optimizer.param_groups]

    def rate(self, step: Step, paths: Sequence[Path]) -> float:
        """The learning rate that an update through these paths would use now."""
        return self._base[0] * self.updates.schedule(step, paths)

    def loss_factor(self, step: Step, path: Path) -> float:
        """The factor on the loss of a path, where the schedule acts on losses (`OnLoss`); else 1."""
        schedule = self.updates.schedule
        return schedule.schedule(step, [path]) if isinstance(schedule, OnLoss) else 1.0

    def select(self, group: int) -> None:
        """Make the optimiser go on with the state of a group of paths; an empty one where there is none yet."""
        self.optimizer.state = self.states.setdefault(group, defaultdict(dict))

    def restart(self) -> None:
        """Forget the states of all groups, and which parameters were in use."""
        self.states.clear()
        self.used.clear()
        self.select(0)

    def clear(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def gradients(self) -> list[Tensor]:
        """The gradients that the parameters have."""
        return [p.grad for p in self.parameters if p.grad is not None]

    def step(self, step: Step, paths: Sequence[Path]) -> None:
        """Clip, set the learning rate and update the parameters that have a gradient."""
        updates = self.updates
        gradients = self.gradients()
        if updates.clip_value is not None:
            torch._foreach_clamp_min_(gradients, -updates.clip_value)
            torch._foreach_clamp_max_(gradients, updates.clip_value)
        if updates.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters, updates.clip_norm)
        if updates.inactive == "decay":
            self.used.update(p for p in self.parameters if p.grad is not None)
            for parameter in self.used:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
        if updates.states is not None:
            self.select(updates.states.group(step, paths))
        factor = updates.schedule(step, paths)
        for group, base in zip(self.optimizer.param_groups, self._base, strict=True):
            group["lr"] = base * factor
        self.optimizer.step()

    def direction(self, parameter: nn.Parameter, gradient: Tensor) -> Tensor:
        """Where plain SGD would move a parameter: μ · buffer + gradient + λ · parameter, with its own μ and λ.

        An optimiser without momentum buffers counts as one without momentum.
        """
        group = self._group[id(parameter)]
        direction = gradient.add(parameter, alpha=group.get("weight_decay", 0.0))
        buffer = self.optimizer.state[parameter].get("momentum_buffer") if parameter in self.optimizer.state else None
        return direction if buffer is None else direction.add(buffer, alpha=group["momentum"])
