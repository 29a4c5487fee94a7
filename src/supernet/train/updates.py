"""How a family of parameters is stepped: optimiser, schedule, clipping, unsampled parameters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, TypeAlias, TypedDict, Unpack, get_args

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.table import is_table
from supernet.train.alone import alone
from supernet.train.move import Path
from supernet.train.optimisers._protocol import Optimiser, check_number, factor_for
from supernet.train.optimisers.adam import Adam
from supernet.train.optimisers.rmsprop import RMSprop
from supernet.train.optimisers.sgd import SGD
from supernet.train.schedules._protocol import LearningRate
from supernet.train.schedules.constant import Constant
from supernet.train.schedules.on_loss import OnLoss
from supernet.train.states._protocol import StateGroups
from supernet.train.step import Step

__all__ = ["Updates", "adam", "rmsprop", "sgd"]

Inactive: TypeAlias = Literal["freeze", "decay"]

OptimizerState: TypeAlias = defaultdict[Tensor, Any]
"""What torch's optimisers keep per parameter."""


@dataclass(frozen=True, kw_only=True)
class Updates:
    """How parameters are stepped; `sgd`, `adam` and `rmsprop` are short forms.

    Args:
        optimiser: A function that makes a torch optimiser of parameter groups, such as `SGD(lr=0.1)` or, of one's own,
            `functools.partial(torch.optim.AdamW, lr=1e-3)`.
        schedule: A factor on the learning rate over the training, such as `Cosine()`.
        clip_norm: The largest norm of the gradient over the whole family; None: gradients are not clipped by their
            norm.
        clip_value: The largest absolute entry of the gradient; None: entries are not clipped.
        inactive: Parameters that no path of the move used are left alone (`"freeze"`), or get a gradient of
            zero, so that weight decay and momentum still move them (`"decay"`: what torch before 2.0 did to
            parameters from their first use on, and many published figures rest on). It concerns whole tensors;
            the unused part of an elastic weight always has a gradient of zero.
        decay_vectors: Whether weight decay also applies to biases, to norm scales and shifts, and to learned positions
            (every `nn.table.Table`).
        states: The rule by which paths are grouped, each group with an optimiser's state (momentum) of its own; None:
            all share one.

    Raises:
        UsageError: a value outside its range, or of another kind.

    >>> Updates(optimiser=SGD(lr=0.1)) == sgd(0.1)
    True
    """

    optimiser: Optimiser = field(metadata={"reach": True})  # dotted names of settings look inside it too
    schedule: LearningRate = field(default_factory=Constant)
    clip_norm: float | None = None
    clip_value: float | None = None
    inactive: Inactive = "freeze"
    decay_vectors: bool = True
    states: StateGroups | None = None

    def __post_init__(self) -> None:
        for name, example in (("optimiser", "SGD(lr=0.1)"), ("schedule", "Cosine()")):
            value = getattr(self, name)
            if not callable(value) or (isinstance(value, type) and is_dataclass(value)):
                raise UsageError(f"The {name} is {value!r}; give a value such as {example}.")
        if self.states is not None and not callable(getattr(self.states, "group", None)):
            raise UsageError(f"states is {self.states!r}; give MomentumSeparation(), or None for one state.")
        if self.inactive not in get_args(Inactive):
            raise UsageError(f"Unsampled parameters are treated as one of {get_args(Inactive)}; got {self.inactive!r}.")
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                check_number(f"{name} (None for none)", getattr(self, name), above=0)
        if not isinstance(self.decay_vectors, bool):
            raise UsageError(f"decay_vectors is {self.decay_vectors!r}; give True or False.")

    def alone(self) -> Updates:
        """The same for one architecture trained alone, without what treats subnets differently.

        Momentum is one, and the schedule is what it says itself. A truth that was trained otherwise would favour what
        the method favours.
        """
        return replace(self, states=None, schedule=alone(self.schedule))

    def with_settings(self, **settings: Any) -> Updates:
        """The same with some settings exchanged; those that are not of `Updates` are the optimiser's.

        Raises:
            UsageError: neither has such a setting, or a value is outside its range.

        >>> sgd(0.5, per=1024).with_settings(lr=0.1, per=None, clip_norm=5.0) == sgd(0.1, clip_norm=5.0)
        True
        """
        mine = {f.name for f in fields(self)}
        inner = {name: value for name, value in settings.items() if name not in mine}
        changed = replace(self, **{name: value for name, value in settings.items() if name in mine})
        if not inner:
            return changed
        optimiser: Any = changed.optimiser
        known = [f.name for f in fields(optimiser)] if is_dataclass(optimiser) else []
        for name in inner:
            if name not in known:
                raise UsageError(
                    f"Updates have no setting {name!r}; they have {', '.join(sorted(mine))}, and their optimiser has "
                    f"{', '.join(known) or 'none that is known'}."
                )
        return replace(changed, optimiser=replace(optimiser, **inner))


class Further(TypedDict, total=False):
    """The settings of `Updates` beside the optimiser."""

    schedule: LearningRate
    clip_norm: float | None
    clip_value: float | None
    inactive: Inactive
    decay_vectors: bool
    states: StateGroups | None


def sgd(
    lr: float,
    *,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    per: int | None = None,
    whole: bool = False,
    **further: Unpack[Further],
) -> Updates:
    """Updates by stochastic gradient descent; the settings are those of `SGD` and of `Updates`.

    >>> sgd(0.5, weight_decay=4e-5, per=1024).optimiser
    SGD(lr=0.5, momentum=0.9, nesterov=False, weight_decay=4e-05, per=1024, whole=False)
    """
    optimiser = SGD(lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, per=per, whole=whole)
    return Updates(optimiser=optimiser, **further)


def adam(
    lr: float,
    *,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    per: int | None = None,
    **further: Unpack[Further],
) -> Updates:
    """Updates by Adam, or AdamW with `decoupled=True`; the settings are those of `Adam` and of `Updates`."""
    optimiser = Adam(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, decoupled=decoupled, per=per)
    return Updates(optimiser=optimiser, **further)


def rmsprop(
    lr: float,
    *,
    alpha: float = 0.99,
    momentum: float = 0.9,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    per: int | None = None,
    **further: Unpack[Further],
) -> Updates:
    """Updates by RMSprop; the settings are those of `RMSprop` and of `Updates`."""
    optimiser = RMSprop(lr=lr, alpha=alpha, momentum=momentum, eps=eps, weight_decay=weight_decay, per=per)
    return Updates(optimiser=optimiser, **further)


class Stepper:
    """The parameters of one family with their optimiser, which may have several states over the same parameters.

    Args:
        updates: The optimiser and all that goes with it.
        parameters: The parameters to step; those that need no gradient are left out.
        batch_size: Number of images per step over all processes; the learning rate of an optimiser with `per` scales
            with it.
    """

    def __init__(self, updates: Updates, parameters: Iterable[nn.Parameter], *, batch_size: int) -> None:
        self.parameters = [p for p in parameters if p.requires_grad]
        self.states: dict[int, OptimizerState] = {}
        self.used: set[nn.Parameter] = set()
        self.configure(updates, batch_size=batch_size)

    def configure(self, updates: Updates, *, batch_size: int) -> None:
        """Go on with other updates, or for batches of another size; the states that optimisers hold are kept."""
        self.updates, self.batch_size = updates, batch_size
        vectors = [] if updates.decay_vectors else [p for p in self.parameters if p.ndim <= 1 or is_table(p)]
        kept = {id(p) for p in vectors}
        groups: list[dict[str, Any]] = [{"params": [p for p in self.parameters if id(p) not in kept]}]
        if vectors:
            groups.append({"params": vectors, "weight_decay": 0.0})
        self.optimizer = updates.optimiser(groups)
        self.states.setdefault(0, self.optimizer.state)
        self.select(0)
        self._group = {id(p): group for group in self.optimizer.param_groups for p in group["params"]}
        scale = factor_for(updates.optimiser, batch_size)
        self._base: list[float] = [group["lr"] * scale for group in self.optimizer.param_groups]

    def lr(self, step: Step, paths: Sequence[Path]) -> float:
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

    def forget(self, parameters: Iterable[nn.Parameter]) -> None:
        """Forget the states of some parameters, and that they were in use."""
        for parameter in parameters:
            self.used.discard(parameter)
            for state in self.states.values():
                state.pop(parameter, None)

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
        if updates.clip_value is not None and gradients:  # a path may use no weights at all
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

    def exchange(self, exchanged: Mapping[nn.Parameter, tuple[nn.Parameter, Callable[[Tensor], Tensor]]]) -> None:
        """Go on with other parameters in the place of some; what optimisers hold of the same shape changes alike.

        Args:
            exchanged: By parameter the new one, and what makes of a tensor of the old shape one of the new.
        """
        mine = {old: new for old, new in exchanged.items() if id(old) in self._group}
        for old, (new, change) in mine.items():
            for state in self.states.values():
                if old in state:
                    state[new] = {
                        key: change(value) if isinstance(value, Tensor) and value.shape == old.shape else value
                        for key, value in state.pop(old).items()
                    }
            self._group[id(new)] = self._group.pop(id(old))
            if old in self.used:
                self.used.remove(old)
                self.used.add(new)
        fresh = {id(old): new for old, (new, _) in mine.items()}
        self.parameters = [fresh.get(id(p), p) for p in self.parameters]
        for group in self.optimizer.param_groups:
            group["params"] = [fresh.get(id(p), p) for p in group["params"]]

    def keep(self, parameters: Collection[nn.Parameter]) -> None:
        """Go on with these alone, others having left the network; what optimisers hold of those is forgotten."""
        gone = [p for p in self.parameters if p not in parameters]
        for parameter in gone:
            for state in self.states.values():
                state.pop(parameter, None)
            del self._group[id(parameter)]
            self.used.discard(parameter)
        self.parameters = [p for p in self.parameters if p in parameters]
        for group in self.optimizer.param_groups:
            group["params"] = [p for p in group["params"] if p in parameters]

    def follow(self, parameters: Iterable[nn.Parameter]) -> None:
        """Go on with other parameters, of which optimisers hold nothing yet."""
        self.parameters = [p for p in parameters if p.requires_grad]
        self.states.clear()
        self.used.clear()
        self.configure(self.updates, batch_size=self.batch_size)

    def direction(self, parameter: nn.Parameter, gradient: Tensor) -> Tensor:
        """Where plain SGD would move a parameter: μ · buffer + gradient + λ · parameter, with its own μ and λ.

        An optimiser without momentum buffers counts as one without momentum.
        """
        group = self._group[id(parameter)]
        direction = gradient.add(parameter, alpha=group.get("weight_decay", 0.0))
        buffer = self.optimizer.state[parameter].get("momentum_buffer") if parameter in self.optimizer.state else None
        return direction if buffer is None else direction.add(buffer, alpha=group["momentum"])
