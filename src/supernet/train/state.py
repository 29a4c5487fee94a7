"""What a training consists of beyond its recipe, and its way into a checkpoint and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from supernet.errors import RunError, UsageError
from supernet.io.run_directory import RunDirectory
from supernet.nn import Supernet
from supernet.train import checkpoint
from supernet.train.averaging import WeightAverage
from supernet.train.parametrisations.option_logits import ArchitectureParameters
from supernet.train.updates import Stepper

__all__ = ["load_weights"]

_KEPT = ("draws", "losses", "passed", "counts", "memory")  # JSON-able, so that a checkpoint holds them as they are


@dataclass
class TrainingState:
    """Everything that a step changes.

    Attributes:
        net: The supernet that is trained.
        architecture: Parameters that weigh the options, for methods that learn them.
        steppers: Optimisers, by the family of parameters they step.
        done: Number of steps done.
        draws: Number of batches drawn from each split.
        losses: Losses since the last line of the log, by name.
        passed: Images that went `forward` and `backward` through the supernet, see `Executor`.
        counts: How often each option was trained, see `UpdateCounts`.
        memory: What programs remember from step to step.
        average: The running average of the weights, if there is one.
    """

    net: Supernet
    architecture: ArchitectureParameters | None
    steppers: Mapping[str, Stepper]
    done: int = 0
    draws: dict[str, int] = field(default_factory=dict)
    losses: dict[str, list[float]] = field(default_factory=dict)
    passed: dict[str, int] = field(default_factory=dict)
    counts: dict[str, list[int]] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)
    average: WeightAverage | None = None

    def save(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Write a checkpoint; `identity` says which training it belongs to.

        Raises:
            RunError: a weight is not finite (nothing is written), or the file cannot be written.
        """
        self.check_finite()
        tensors = {f"net/{name}": value for name, value in self.net.state_dict().items()}
        if self.architecture is not None:
            tensors |= {f"architecture/{name}": value for name, value in self.architecture.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average/{name}": value for name, value in self.average.tensors.items()}
        for family, stepper in self.steppers.items():
            for group, held in stepper.states.items():
                for number, parameter in enumerate(stepper.parameters):
                    for key, value in held.get(parameter, {}).items():
                        if value is not None:
                            tensors[f"optimizer/{family}/{group}/{number}/{key}"] = torch.as_tensor(value)
        kept = {name: getattr(self, name) for name in _KEPT}
        used = {
            family: [number for number, p in enumerate(stepper.parameters) if p in stepper.used]
            for family, stepper in self.steppers.items()
        }
        meta = {"step": self.done, **kept, "used": used, "identity": identity}
        checkpoint.save(path, tensors, meta)

    def check_finite(self) -> None:
        """Check the weights after a step: the loss that was computed before it may still have been finite.

        Raises:
            RunError: a weight is not finite.
        """
        for name, parameter in self.net.named_parameters():
            if not torch.isfinite(parameter).all():
                raise RunError(
                    f"The weights of {name} are no longer finite after step {self.done}. Lower the learning rate or "
                    "clip the gradient (clip_norm); earlier checkpoints are untouched."
                )

    def load(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Go back to a checkpoint.

        Raises:
            UsageError: it belongs to another training.
            RunError: it is damaged.
        """
        tensors, meta = checkpoint.load(path)
        found = meta["identity"]
        different = [
            f"{key} is {_short(found.get(key), identity[key])} there and {_short(identity[key], found.get(key))} now"
            for key in identity
            if found.get(key) != identity[key]
        ]
        if different:
            raise UsageError(
                f"{path.parent.parent} holds a different training: {'; '.join(different)}. "
                "Resume with the same settings, or choose another directory."
            )
        _load_modules(path, tensors, self.net, self.architecture)
        if self.average is not None:
            for name, value in _under("average/", tensors).items():
                self.average.tensors[name].copy_(value)
        for family, stepper in self.steppers.items():
            stepper.used = {stepper.parameters[number] for number in meta["used"][family]}
            for name, value in _under(f"optimizer/{family}/", tensors).items():
                group, number, key = name.split("/", 2)
                parameter = stepper.parameters[int(number)]
                if value.shape == parameter.shape:
                    held = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
                else:
                    held = value.clone()
                stepper.select(int(group))
                stepper.optimizer.state[parameter][key] = held
        self.done = int(meta["step"])
        for name in _KEPT:
            setattr(self, name, meta[name])


def load_weights(net: Supernet, run: Path | str) -> ArchitectureParameters | None:
    """Load the newest checkpoint of a run directory into a supernet of the same space: averaged weights, if it has any.

    Returns:
        The architecture parameters, if the method learned any.

    Raises:
        UsageError: the directory has no checkpoint, or one of another space or network.
        RunError: the checkpoint is damaged.
    """
    directory = RunDirectory(run)
    newest = checkpoint.latest(directory.checkpoints)
    if newest is None:
        raise UsageError(f"{directory.path} holds no checkpoint; train first (supernet train --out {directory.path}).")
    tensors, meta = checkpoint.load(newest)
    if meta["identity"]["space"] != net.space.fingerprint:
        raise UsageError(
            f"{newest} was trained on the space {meta['identity']['space']}, but this supernet spans "
            f"{net.space.fingerprint}. Build the supernet with the options of the run (its config.json)."
        )
    architecture = None
    if _under("architecture/", tensors):
        architecture = ArchitectureParameters(net)
    averaged = {f"net/{name}": value for name, value in _under("average/", tensors).items()}
    _load_modules(newest, tensors | averaged, net, architecture)
    net.statistics_belong_to()
    return architecture


def _load_modules(
    path: Path, tensors: Mapping[str, Tensor], net: Supernet, architecture: ArchitectureParameters | None
) -> None:
    try:
        net.load_state_dict(_under("net/", tensors))
        if architecture is not None:
            architecture.load_state_dict(_under("architecture/", tensors))
    except RuntimeError as error:
        reason = " ".join(str(error).splitlines()[1:2]).strip()
        raise UsageError(
            f"{path} holds the weights of another network over the same space: {reason} "
            "Build the supernet with the options of the run (its config.json)."
        ) from error


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _short(value: Any, other: Any) -> str:
    """The value, or of two tables only what differs."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        parts = [f"{key}: {_short(value[key], other.get(key))}" for key in value if value[key] != other.get(key)]
        return "{" + ", ".join(parts) + "}"
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"
