"""Earlier states of a training to go back to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.train.context import Context
from supernet.train.part import Part, Setting


class Snapshots(nn.Module):
    """Weights, statistics, what parts learn and the states of all optimisers, as they were at some steps.

    It is a part without updates; checkpoints hold it. Steps, memory and restriction are not in it.

    Attributes:
        held: The tensors of each snapshot, by its name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, dict[str, Tensor]] = {}

    @torch.no_grad()
    def take(self, name: str, context: Context, *, most: int) -> None:
        """Keep the present state under a name without a slash; of more than `most` the oldest goes."""
        states = {f"state/{place}/{key}": value for place, key, value in _states(context)}
        found = {f"tensor/{key}": value for key, value in _tensors(context)} | states
        self.held[name] = {key: value.detach().clone() for key, value in found.items()}
        for old in list(self.held)[:-most]:
            del self.held[old]

    @torch.no_grad()
    def restore(self, name: str, context: Context) -> None:
        """Put everything back to what it was.

        Raises:
            UsageError: nothing was kept under the name.
        """
        if name not in self.held:
            raise UsageError(
                f"There is no snapshot {name!r} to go back to; there are {', '.join(self.held) or 'none'}."
            )
        held = self.held[name]
        for key, value in _tensors(context):
            value.copy_(held[f"tensor/{key}"])
        for family, stepper in context.steppers.items():
            stepper.states.clear()
            stepper.select(0)
            for key, value in held.items():
                kind, of, *place = key.split("/", 4)
                if kind == "state" and of == family:
                    group, number, entry = place
                    stepper.select(int(group))
                    stepper.optimizer.state[stepper.parameters[int(number)]][entry] = value.clone()
            stepper.select(0)

    def forget_after(self, name: str) -> None:
        """Drop the snapshots that were taken after this one."""
        names = list(self.held)
        for later in names[names.index(name) + 1 :]:
            del self.held[later]

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for number, (name, tensors) in enumerate(self.held.items()):
            for key, value in tensors.items():
                destination[f"{prefix}{number}/{name}/{key}"] = value

    def _load_from_state_dict(self, state_dict: Mapping[str, Tensor], prefix: str, *_: Any) -> None:
        found: dict[int, tuple[str, dict[str, Tensor]]] = {}
        for key, value in state_dict.items():
            if key.startswith(prefix):
                number, name, rest = key.removeprefix(prefix).split("/", 2)
                found.setdefault(int(number), (name, {}))[1][rest] = value.clone()
        self.held = dict(found[number] for number in sorted(found))


def snapshots() -> Part:
    """The part of a recipe that holds snapshots; it begins with none."""
    return Part(build=_empty)


def _empty(_: Setting) -> Snapshots:
    return Snapshots()


def _tensors(context: Context) -> Iterator[tuple[str, Tensor]]:
    """What the supernet and the parts that are stepped consist of, by a name of its own."""
    modules: dict[str, nn.Module] = {"net": context.net}
    modules |= {f"part {name}": part for name, part in context.parts.items() if name in context.steppers}
    for of, module in modules.items():
        for name, value in module.state_dict(keep_vars=True).items():
            yield f"{of}/{name}", value


def _states(context: Context) -> Iterator[tuple[str, str, Tensor]]:
    """What optimisers keep: family, group and parameter, the entry's name, the tensor."""
    for family, stepper in context.steppers.items():
        for group, held in stepper.states.items():
            for number, parameter in enumerate(stepper.parameters):
                for key, value in held.get(parameter, {}).items():
                    if value is not None:
                        yield f"{family}/{group}/{number}", key, torch.as_tensor(value)
