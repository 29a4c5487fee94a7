"""Changes of structure in the midst of a training: channels come and go, and networks are built anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.channels import axes_of, resize
from supernet.train.averaging import WeightAverage
from supernet.train.processes import seeded
from supernet.train.updates import Stepper

__all__ = ["Rewriter"]


@runtime_checkable
class Rebuilds(Protocol):
    """A network that can be built with other options over the same choices, such as with more cells."""

    def rebuilt(self, **options: Any) -> nn.Module:
        """A new network of the same choices, with fresh weights."""
        ...


Inherit = Callable[[nn.Module, nn.Module], None]
"""Writes into a new network (the second) what it takes over from the old one."""


class Rewriter:
    """Carries out changes of structure, and keeps a journal of them that is replayed before a checkpoint is loaded.

    Weights, statistics, the states of optimisers and the running average follow. Parameters become new ones.

    Args:
        net: The supernet.
        steppers: How each family of parameters is stepped.
        average: The running average of the weights, if there is one.
        families: Finds the parameters of each family in the supernet, for a network that is built anew.
        journal: What was done so far, JSON-able; it is added to.
        seed: The seed of the weights of networks that are built anew.
    """

    def __init__(
        self,
        net: Supernet,
        steppers: Mapping[str, Stepper],
        average: WeightAverage | None,
        families: Callable[[], Mapping[str, list[nn.Parameter]]],
        journal: list[dict[str, Any]],
        seed: int,
    ) -> None:
        self.net, self.steppers, self.average = net, steppers, average
        self.families, self.journal, self.seed = families, journal, seed

    def take(self, dimension: str, keep: Sequence[int]) -> None:
        """Keep these channels of a named dimension (`nn.Channels`), in this order; one that is named twice is doubled.

        Args:
            dimension: The name of the dimension.
            keep: Positions of the channels that are kept: fewer of them cut it, an order sorts it, repeats widen it.

        Raises:
            UsageError: no layer has this dimension, no channel is kept, or one that there is not.
        """
        self._take(dimension, [int(place) for place in keep])
        self.journal.append({"take": dimension, "keep": [int(place) for place in keep]})

    def rebuild(self, options: Mapping[str, Any], inherit: Inherit | None = None) -> None:
        """Build the network anew with other options, such as more cells; its choices stay.

        Optimisers begin with no state for it, and the average with its weights.

        Args:
            options: The options that change, JSON-able, as the network's `rebuilt` takes them.
            inherit: What the new network takes over from the old one; None: its weights are fresh.

        Raises:
            UsageError: the network cannot be built anew, or not over the same choices.
        """
        before = self.net.module
        self._rebuild(options)
        if inherit is not None:
            with torch.no_grad():
                inherit(before, self.net.module)
        if self.average is not None:
            self.average.restart()
        self.journal.append({"rebuild": dict(options)})

    def replay(self, journal: Sequence[Mapping[str, Any]]) -> None:
        """Bring a network as it was at the beginning of a training to the structure of a checkpoint."""
        for entry in journal:
            if "take" in entry:
                self._take(entry["take"], entry["keep"])
            else:
                self._rebuild(entry["rebuild"])
            self.journal.append(dict(entry))

    def _rebuild(self, options: Mapping[str, Any]) -> None:
        old = self.net.module
        if not isinstance(old, Rebuilds):
            raise UsageError(
                f"{type(old).__name__} cannot be built anew with {dict(options)}: it has no method `rebuilt`. Use a "
                "space of cells such as zoo.darts."
            )
        with seeded(self.seed, len(self.journal)):
            new = old.rebuilt(**options)
        some = next(old.parameters())
        self.net.exchange(new.to(some.device, memory_format=torch.channels_last))  # type: ignore[call-overload]
        for family, parameters in self.families().items():
            self.steppers[family].follow(parameters)
        if self.average is not None:
            self.average.follow(self.net)

    @torch.no_grad()
    def _take(self, dimension: str, keep: Sequence[int]) -> None:
        index = torch.as_tensor(list(keep), device=next(self.net.parameters()).device)
        exchanged: dict[nn.Parameter, tuple[nn.Parameter, Callable[[Tensor], Tensor]]] = {}
        found = False
        for module in list(self.net.modules()):
            for name, axes in axes_of(module, dimension).items():
                old = getattr(module, name)
                if old is None:
                    continue
                if not found and (not keep or not 0 <= min(keep) <= max(keep) < old.shape[axes[0]]):
                    raise UsageError(
                        f"The channels {list(keep)[:8]} of {dimension!r} were to be kept, which has "
                        f"{old.shape[axes[0]]}. Keep at least one of them, and none that there is not."
                    )
                found = True
                if isinstance(old, nn.Parameter):
                    new = nn.Parameter(taken(old, axes, index), requires_grad=old.requires_grad)
                    exchanged[old] = (new, _Taking(axes, index))
                    setattr(module, name, new)
                else:
                    module._buffers[name] = taken(old, axes, index)
            resize(module, dimension, len(keep))
        if not found:
            raise UsageError(
                f"No layer has a dimension named {dimension!r}. Give elastic layers a width nn.Channels(name, size)."
            )
        self.net.restructured()
        for stepper in self.steppers.values():
            stepper.exchange(exchanged)
        if self.average is not None:
            self.average.exchange(exchanged)


class _Taking:
    """What became of a tensor of which channels were taken."""

    def __init__(self, axes: Sequence[int], index: Tensor) -> None:
        self.axes, self.index = axes, index

    def __call__(self, tensor: Tensor) -> Tensor:
        return taken(tensor, self.axes, self.index)


def taken(tensor: Tensor, axes: Sequence[int], index: Tensor) -> Tensor:
    """Some channels of a tensor, along each of these axes, in memory of their own."""
    for axis in axes:
        tensor = tensor.index_select(axis, index)
    return tensor.clone(memory_format=torch.preserve_format)
