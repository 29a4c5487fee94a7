"""Changes of structure in the midst of a training: channels come and go, and networks are built anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.batch import place
from supernet.nn.channels import Channels, axes_of, resize, runs_along
from supernet.nn.mutable import is_opaque
from supernet.space import Expr
from supernet.train.averaging import WeightAverage
from supernet.train.processes.seeds import seeded
from supernet.train.updates import Stepper

__all__ = ["Rewriter"]


@runtime_checkable
class Rebuilds(Protocol):
    """A network that can be built with other options over the same choices, such as with more cells."""

    def rebuilt(self, **options: Any) -> nn.Module:
        """A new network of the same choices, with fresh weights."""
        ...


@runtime_checkable
class Removes(Protocol):
    """A module that can do without what computes the channels of a dimension, such as one of several operations."""

    def removable(self) -> Collection[str]:
        """The dimensions whose channels may all go, by name."""
        ...

    def remove(self, dimension: str) -> None:
        """Go on without what computes the channels of this dimension."""
        ...


Exchanged: TypeAlias = dict[nn.Parameter, tuple[nn.Parameter, Callable[[Tensor], Tensor]]]
"""By parameter the new one, and what makes of a tensor of the old shape one of the new."""

Inherit = Callable[[nn.Module, nn.Module], None]
"""Writes into a new network (the second) what it takes over from the old one."""


class Rewriter:
    """Carries out changes of structure, and keeps a journal of them that is replayed before a checkpoint is loaded.

    Weights, statistics, the states of optimisers and the running average follow. Parameters become new ones.

    The journal is `Supernet.changes`.

    Args:
        net: The supernet.
        steppers: How each family of parameters is stepped.
        average: The running average of the weights, if there is one.
        families: Finds the parameters of each family in the supernet, for a network that is built anew.
        seed: The seed of the weights of networks that are built anew.
    """

    def __init__(
        self,
        net: Supernet,
        steppers: Mapping[str, Stepper],
        average: WeightAverage | None,
        families: Callable[[], Mapping[str, list[nn.Parameter]]],
        seed: int,
    ) -> None:
        self.net, self.steppers, self.average = net, steppers, average
        self.families, self.seed = families, seed

    def take(self, dimension: str, keep: Sequence[int], *, share: bool = False) -> None:
        """Keep these channels of a named dimension (`nn.Channels`), in this order; one that is named twice is doubled.

        Args:
            dimension: The name of the dimension.
            keep: Positions of the channels that are kept: fewer of them cut it, an order sorts it, repeats widen it.
            share: Whether the weights that read a channel are divided among its repeats, so that they sum to what it
                gave alone (Net2WiderNet, arXiv 1511.05641, eq. 4); without it they are copies.

        Raises:
            UsageError: no layer has this dimension, no channel is kept, or one that there is not; layers that share
                it have different widths, or one has a fixed number of groups, which no channel can be taken out of.
                Nothing has been changed then.
        """
        places = [int(place) for place in keep]
        self._take(dimension, places, share=share)
        self.net.changes.append({"take": dimension, "keep": places})

    def remove(self, dimension: str) -> None:
        """Take out whatever computes the channels of a named dimension, all of which go (see `Removes`).

        Args:
            dimension: The name of the dimension.

        Raises:
            UsageError: no module can do without it. Nothing has been changed then.
        """
        self._remove(dimension)
        self.net.changes.append({"remove": dimension})

    @torch.no_grad()
    def permute(self, dimension: str | Expr, order: Sequence[int]) -> None:
        """Put the channels of a dimension into another order, in place; the largest subnet computes what it did.

        Sizes stay and parameters stay the same ones, so that the journal has no entry: tensors in a checkpoint are in
        the order that they have.

        Args:
            dimension: The name of the dimension (`nn.Channels`), or the very expression that its layers were given,
                such as the hidden width of a block. What reads these channels by another expression, as a linear
                layer behind `nn.Flatten`, is not found: give it the same one.
            order: The place that each channel had, by its new place.

        Raises:
            UsageError: no layer has this dimension, the order names a channel twice or leaves one out, or a layer
                treats its channels in fixed groups, or does not say what it is made of. Nothing has been changed then.
        """
        places = [int(place) for place in order]
        held = list(self._tensors(dimension))
        _check(self.net, dimension, places, held)
        width = getattr(held[0][0], held[0][1]).shape[held[0][2][0]]
        if sorted(places) != list(range(width)):
            raise UsageError(
                f"The {width} channels of {str(dimension)!r} were to be put into the order {places[:8]} …, which is "
                "none of them: name each once."
            )
        index = torch.as_tensor(places, device=next(self.net.parameters()).device)
        moved: Exchanged = {}
        for module, name, axes in held:
            tensor = getattr(module, name)
            if tensor not in moved:  # tied weights move once
                tensor.copy_(taken(tensor, axes, index))
                if isinstance(tensor, nn.Parameter):
                    moved[tensor] = (tensor, _Taking(axes, index))
        for stepper in self.steppers.values():
            stepper.exchange(moved)
        if self.average is not None:
            self.average.exchange(moved)

    def rebuild(self, options: Mapping[str, Any], inherit: Inherit | None = None) -> None:
        """Build the network anew with other options, such as more cells; its choices stay.

        Optimisers begin with no state for it, and the average with its weights.

        Args:
            options: The options that change, JSON-able, as the network's `rebuilt` takes them.
            inherit: What the new network takes over from the old one; None: its weights are fresh.

        Raises:
            UsageError: the network cannot be built anew, not with these options, or not over the same choices.
        """
        options = dict(options)
        if not _comes_back(options):
            raise UsageError(
                f"A network was to be built anew with {options}, which JSON does not give back, so that the training "
                "could not be resumed. Give numbers, text, truth values and lists of them."
            )
        before = self.net.module
        self._rebuild(options)
        if inherit is not None:
            with torch.no_grad():
                inherit(before, self.net.module)
        if self.average is not None:
            self.average.restart()
        self.net.changes.append({"rebuild": options})

    def replay(self, journal: Sequence[Mapping[str, Any]]) -> None:
        """Bring a network to the structure of a checkpoint: from how it was built, or from some way along.

        Raises:
            UsageError: the network was changed in another way than the one of the checkpoint.
        """
        done = self.net.changes
        if [dict(entry) for entry in journal[: len(done)]] != done:
            raise UsageError(
                f"The network was changed {len(done)} times since it was built, in another way than that of the "
                "checkpoint. Build it anew with the options of the run."
            )
        for entry in journal[len(done) :]:
            if "take" in entry:
                self._take(entry["take"], entry["keep"])
            elif "remove" in entry:
                self._remove(entry["remove"])
            else:
                self._rebuild(entry["rebuild"])
            self.net.changes.append(dict(entry))

    def _rebuild(self, options: Mapping[str, Any]) -> None:
        old = self.net.module
        if not isinstance(old, Rebuilds):
            raise UsageError(
                f"{type(old).__name__} cannot be built anew with {dict(options)}: it has no method `rebuilt`. Use a "
                "space of cells such as zoo.darts."
            )
        with seeded(self.seed, len(self.net.changes)):
            new = old.rebuilt(**options).train(old.training)
        place(new, next(old.parameters()).device)
        self.net.exchange(new)
        for family, parameters in self.families().items():
            self.steppers[family].follow(parameters)
        if self.average is not None:
            self.average.follow(self.net)

    def removable(self, dimension: str) -> bool:
        """Whether a module can do without what computes the channels of a dimension, see `remove`."""
        return self._holder(dimension) is not None

    def _holder(self, dimension: str) -> Removes | None:
        held = (module for module in self.net.modules() if isinstance(module, Removes))
        return next((module for module in held if dimension in module.removable()), None)

    def _remove(self, dimension: str) -> None:
        holder = self._holder(dimension)
        if holder is None:
            raise UsageError(
                f"All channels of {dimension!r} were to be taken, but no module can do without them. Keep at least one "
                "of them, or give the module that holds them the methods `removable` and `remove`."
            )
        holder.remove(dimension)
        left = set(self.net.parameters())
        for stepper in self.steppers.values():
            stepper.keep(left)
        if self.average is not None:
            self.average.keep(left)
        self.net.restructured()

    @torch.no_grad()
    def _take(self, dimension: str, keep: Sequence[int], *, share: bool = False) -> None:
        index = torch.as_tensor(list(keep), device=next(self.net.parameters()).device)
        held = list(self._tensors(dimension))
        _check(self.net, dimension, keep, held)
        repeats = torch.bincount(index)[index] if share else None
        states: Exchanged = {}
        averages: Exchanged = {}
        for module, name, axes in held:
            old = getattr(module, name)
            if not isinstance(old, nn.Parameter):
                module._buffers[name] = taken(old, axes, index)
                continue
            if old not in states:  # tied weights stay tied
                whole = _Taking(axes, index, repeats)
                new = nn.Parameter(whole(old), requires_grad=old.requires_grad)
                states[old], averages[old] = (new, _Taking(axes, index)), (new, whole)
            setattr(module, name, states[old][0])
        for module in self.net.modules():
            resize(module, dimension, len(keep))
        self.net.restructured()
        for stepper in self.steppers.values():
            stepper.exchange(states)
        if self.average is not None:
            self.average.exchange(averages)

    def _tensors(self, dimension: str | Expr) -> Iterator[tuple[nn.Module, str, tuple[int, ...]]]:
        """The tensors that a dimension runs along, by the module that holds them and their name, with the axes."""
        for module in self.net.modules():
            for name, axes in axes_of(module, dimension).items():
                if getattr(module, name) is not None:
                    yield module, name, axes


def _comes_back(options: dict[str, Any]) -> bool:
    """Whether JSON gives options back as they are."""
    try:
        return bool(json.loads(json.dumps(options)) == options)
    except (TypeError, ValueError):
        return False


def _check(
    net: Supernet,
    dimension: str | Expr,
    keep: Sequence[int],
    held: Sequence[tuple[nn.Module, str, tuple[int, ...]]],
) -> None:
    widths = sorted({int(getattr(module, name).shape[axis]) for module, name, axes in held for axis in axes})
    called = repr(str(dimension))
    if not widths:
        raise UsageError(
            f"No layer has a dimension named {called}. Give elastic layers a width nn.Channels(name, size)."
            if isinstance(dimension, str)
            else f"No layer was given the size {called} itself. Name the expression that elastic layers hold, not an "
            "equal one."
        )
    if len(widths) > 1:
        raise UsageError(
            f"Layers whose channels are named {called} have {' and '.join(map(str, widths))} of them. Give "
            "each width a name of its own."
        )
    if not keep or not 0 <= min(keep) <= max(keep) < widths[0]:
        raise UsageError(
            f"The channels {list(keep)[:8]} of {called} were to be kept, which has {widths[0]}. Keep at least "
            "one of them, and none that there is not."
        )
    for module in net.modules():
        if not any(runs_along(value, dimension) for value in vars(module).values()):
            continue
        groups = getattr(module, "group_count", 1)
        depthwise = isinstance(groups, Channels) or runs_along(groups, dimension)
        if not depthwise and (isinstance(groups, Expr) or groups != 1):
            raise UsageError(
                f"Channels of {called} were to be taken, but a convolution of them has {groups} groups, "
                f"which stay as they are. Name the groups after the channels too (depthwise), or have one group."
            )
        if isinstance(dimension, Expr) and (getattr(module, "group_size", 1) != 1 or is_opaque(module)):
            raise UsageError(
                f"Channels of {called} were to be put into another order, but {type(module).__name__} treats them in "
                "groups, or does not say what it is made of (Mutable.shapes)."
            )


class _Taking:
    """What became of a tensor of which channels were taken.

    Args:
        axes: The axes along which channels were taken.
        index: The channels.
        repeats: Into how many parts each of them divides what is read of it, along all axes but the first; None: none.
    """

    def __init__(self, axes: Sequence[int], index: Tensor, repeats: Tensor | None = None) -> None:
        self.axes, self.index, self.repeats = axes, index, repeats

    def __call__(self, tensor: Tensor) -> Tensor:
        found = taken(tensor, self.axes, self.index)
        for axis in self.axes:
            if self.repeats is not None and axis > 0:  # the first axis of a weight is what it gives
                found = found / self.repeats.view(-1, *[1] * (found.ndim - axis - 1))
        return found


def taken(tensor: Tensor, axes: Sequence[int], index: Tensor) -> Tensor:
    """Some channels of a tensor, along each of these axes, in memory of their own."""
    for axis in axes:
        tensor = tensor.index_select(axis, index)
    return tensor.clone(memory_format=torch.preserve_format)
