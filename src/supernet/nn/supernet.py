"""The supernet: any module that contains choices, and the space they span."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.channels import Channels
from supernet.nn.extraction import plain_module
from supernet.nn.input_shape import InputShape
from supernet.nn.mutable import Mutable, mixing_choices
from supernet.nn.norm import is_batch_norm
from supernet.nn.selection import Decision, Decisions, Selection, Target, as_decisions
from supernet.space import Arch, Expr, Space
from supernet.space.text import listed


class StaleStatistics(UserWarning):
    """A subnet runs, or is taken out, with BatchNorm statistics that are not its own: its accuracy means nothing."""


class Supernet(nn.Module):
    """One over-parameterised network that holds every architecture of a space.

    Reads the choices off the module tree. Stays an ordinary `nn.Module`: `state_dict`, `to`, `train`,
    `copy.deepcopy` and optimisers work as ever.

    Args:
        module: A module with at least one choice inside, or with channels that have a name (`nn.Channels`), out of
            which a training may cut; without a choice its space has the one architecture. It is used, not copied;
            wrapped a second time, both supernets share what is active.
        input_shape: Shape (C, H, W) of one input, what MACs and latency refer to unless told otherwise. Training
            sets it to the shape of the images.

    Attributes:
        structure: How often the sizes of layers were changed, or layers exchanged, since it was made.
        changes: What a training did to it then, JSON-able, in order: channels that were taken, networks built anew.
        calibrated_for: The architectures that the running statistics of the BatchNorms belong to: none after a
            training by paths, one after `measure.calibrate`. None: nothing is known against them, as in a network
            that was not trained, or keeps no running statistics. Others warn of `StaleStatistics`, once.
        nodes: The names under which `EdgeWeights` may be decided, with the number of edges.
        settings: Names of the settings that layers read, see `active`.

    Raises:
        UsageError: neither a choice nor named channels inside, two different choices of the same name, a choice that
            a module keeps and no layer reads, or that a layer of torch was given, nodes of one name with different
            numbers of edges, a Supernet inside, or layers of two supernets.

    >>> import torch
    >>> from supernet import Choice, ElasticConv2d
    >>> width = Choice("width", (4, 8))
    >>> net = Supernet(nn.Sequential(ElasticConv2d(3, width), ElasticConv2d(width, 2)))
    >>> net.space.size
    2
    >>> net(torch.ones(1, 3, 6, 6), net.space.smallest()).shape
    torch.Size([1, 2, 6, 6])
    >>> net.extract(net.space.smallest())
    Sequential(
      (0): Conv2d(3, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
      (1): Conv2d(4, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    )
    """

    def __init__(self, module: nn.Module, *, input_shape: InputShape | None = None) -> None:
        super().__init__()
        self.input_shape = input_shape
        self.calibrated_for: tuple[Arch, ...] | None = None
        self._warned = False
        self.structure = 0
        self.changes: list[dict[str, Any]] = []
        self.space = self._span(module)

    def _span(self, module: nn.Module) -> Space:
        """Hold a module; the space of its choices."""
        if not isinstance(module, nn.Module):
            raise UsageError(f"A supernet wraps a module of torch, and was given {module!r}. Give an nn.Module, built.")
        layers = [m for m in module.modules() if isinstance(m, Mutable)]
        sizes = [size for layer in layers for size in layer.depends_on() if isinstance(size, Expr)]
        named = any(isinstance(size, Channels) for layer in layers for size in layer.depends_on())
        _check_wrappable(module, sizes, named=named)
        space = Space(sizes)
        _check_all_read(module, space)
        mixed = {choice.name for choice in mixing_choices(module)}  # others read an index from the choice of a node
        self.nodes = {name: n for name, n in _nodes(layers).items() if name in mixed or name not in space.names}
        self.settings = frozenset(name for layer in layers for name in layer.settings)
        self.selection = _shared_selection(layers)
        for layer in layers:
            layer.selection = self.selection
        self.module = module
        return space

    def exchange(self, module: nn.Module) -> None:
        """Go on with another module over the same choices, such as one of more cells.

        Raises:
            UsageError: its choices are others.
        """
        before = self.module
        found = self._span(module)
        if found.fingerprint != self.space.fingerprint:
            self._span(before)
            raise UsageError(
                f"A module over {found} was to take the place of one over {self.space}; a supernet keeps its choices."
            )
        self.restructured()
        if self.calibrated_for is not None:  # else it is being trained, or keeps no statistics
            self.statistics_belong_to()

    def restructured(self) -> None:
        """Say that layers have changed their sizes, or are others: what was known of costs and modes is void."""
        self.structure += 1

    @contextmanager
    def active(self, target: Target, *, settings: Mapping[str, float] | None = None) -> Iterator[None]:
        """Make an architecture the active one, and restore what was active.

        Args:
            target: The architecture; or options by choice name, as `arch.options()` gives them (a `Mixture` may stand
                in place of an option, `EdgeWeights` for a node); or `Decisions`, which hold indices and subsets of
                indices.
            settings: Numbers that layers read while they run, by name, such as a drop-path probability. Those that
                are not given have the values of evaluation, whatever was set before.

        Raises:
            UsageError: the architecture belongs to another space, the choices do not allow what is decided, or no
                layer reads a setting.
        """
        unread = set(settings or ()) - self.settings
        if unread:
            raise UsageError(
                f"No layer of the network reads the setting {min(unread)!r}; the settings are "
                f"{listed(sorted(self.settings), wanted=min(unread))}."
            )
        before = self.selection.exchange(as_decisions(target, self.space, self.nodes), settings)
        try:
            yield
        finally:
            self.selection.exchange(*before)

    def forward(self, *inputs: Any, target: Target | Tensor | None = None, **named: Any) -> Any:
        """Run one architecture: (B, C, H, W) -> the module's output, for images logits (B, K).

        Args:
            inputs: The input batch, as the wrapped module takes it: tensors, or one mapping of tensors by the names of
                arguments. An architecture, or another target, may follow them: `net(x, arch)`.
            target: What to run, as in `active`; None: whatever `active` has set. A tensor is an input of this name.
            named: Further inputs by the names of arguments.
        """
        active: Any = target
        if target is None and isinstance(named.get("arch"), Arch):  # what the argument is called elsewhere
            active = named.pop("arch")
        if isinstance(target, Tensor):
            active, named = None, {**named, "target": target}
        if active is None and len(inputs) > 1 and _is_target(inputs[-1]):
            inputs, active = inputs[:-1], inputs[-1]
        first = inputs[0] if len(inputs) == 1 else None
        if isinstance(first, Mapping):
            inputs, named = (), {**first, **named}
        if active is not None:
            with self.active(active):
                return self._run(inputs, named)
        return self._run(inputs, named)

    def _run(self, inputs: Sequence[Any], named: Mapping[str, Any]) -> Any:
        if not self.training and self._stale(self.selection.active):
            self._warn("runs in evaluation mode", stacklevel=6)
        return self.module(*inputs, **named)

    def extract(self, arch: Arch) -> nn.Module:
        """The subnet as plain torch modules with copied weights, in the mode (train or eval) of the supernet.

        Forward and backward hooks stay behind: they belong to whoever registered them on the supernet. BatchNorm
        statistics are copied as they are, and after a training by paths they fit no subnet: `deploy.extract` gives it
        statistics of its own.

        Raises:
            UsageError: the architecture belongs to another space.
            RunError: a module cannot be copied or traced.

        Warns:
            StaleStatistics: the subnet has BatchNorms, and their statistics are not its own.
        """
        module = plain_subnet(self, arch)
        if self._stale(as_decisions(arch, self.space)) and _keeps_statistics(module):
            self._warn("was taken out", stacklevel=3)
        return module

    def statistics_belong_to(self, *archs: Arch) -> None:
        """Note whose the running statistics are from now on, such as nobody's after a training by paths."""
        self.calibrated_for = archs if _keeps_statistics(self) else None
        self._warned = False

    def _stale(self, active: Mapping[str, Decision] | None) -> bool:
        if self.calibrated_for is None or self._warned:
            return False
        return all(active != as_decisions(arch, self.space) for arch in self.calibrated_for)

    def _warn(self, what: str, *, stacklevel: int) -> None:
        self._warned = True
        warnings.warn(
            f"A subnet {what} with BatchNorm statistics that are not its own: the supernet was trained by many "
            "architectures, and its running statistics fit none of them. Take it out with deploy.extract(net, arch, "
            "data), or call measure.calibrate(net, arch, data) before net(x, arch) or net.extract(arch).",
            StaleStatistics,
            stacklevel=stacklevel,
        )


def _is_target(value: object) -> bool:
    """Whether an argument says what to run, rather than being an input."""
    if isinstance(value, Mapping):
        held = value.values()
        return isinstance(value, Decisions) or not any(isinstance(one, Tensor) and one.ndim for one in held)
    one = value[0] if isinstance(value, list | tuple) and value else value
    return value is None or isinstance(one, Arch | str) or isinstance(getattr(one, "arch", None), Arch)


def plain_subnet(net: Supernet, arch: Arch) -> nn.Module:
    """`Supernet.extract` for callers to whom the statistics make no difference, or who calibrate them next."""
    with net.active(arch):
        return plain_module(net.module, net.selection, net.space.choices)


def _nodes(layers: Sequence[Mutable]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, count in (pair for layer in layers for pair in layer.nodes().items()):
        if found.setdefault(name, count) != count:
            raise UsageError(
                f"Two nodes are named {name!r}, one with {found[name]} edges and one with {count}. Nodes of one name "
                "are weighed alike; give each its own, or the same number of edges."
            )
    return found


def _keeps_statistics(module: nn.Module) -> bool:
    return any(is_batch_norm(m) and getattr(m, "running_mean", None) is not None for m in module.modules())


def _check_wrappable(module: nn.Module, sizes: list[Expr], *, named: bool) -> None:
    if any(isinstance(m, Supernet) for m in module.modules()):
        raise UsageError(
            f"The model {type(module).__name__} contains a Supernet. One Supernet holds all choices of a network: "
            "build the model from unwrapped modules and wrap it once."
        )
    _check_torch_layers(module)
    if not sizes and not named:
        raise UsageError(
            f"The model {type(module).__name__} contains no choice. Put an OpChoice, an elastic layer or an "
            "ElasticDepth with a Choice inside it, or take a network from supernet.zoo. Where its structure is what a "
            "training cuts out of it, give elastic layers widths nn.Channels(name, size)."
        )


def _check_torch_layers(module: nn.Module) -> None:
    """A layer of torch takes a choice for a number, and fails somewhere in the first forward pass."""
    for place, layer in module.named_modules():
        if isinstance(layer, Mutable) or not type(layer).__module__.startswith("torch."):
            continue
        for name, expr in _held(layer):
            raise UsageError(
                f"The layer {place or 'itself'} is torch's {type(layer).__name__}, which takes numbers, but was given "
                f"the choice {expr} as its {name}. Put an elastic layer in its place, or one {type(layer).__name__} "
                "per value into an OpChoice."
            )


def _held(module: nn.Module) -> Iterator[tuple[str, Expr]]:
    """The choices and expressions among the attributes of a module, with the attribute's name."""
    for name, value in vars(module).items():
        held = value if isinstance(value, list | tuple) else value.values() if isinstance(value, dict) else [value]
        yield from ((name, part) for part in held if isinstance(part, Expr))


def _check_all_read(module: nn.Module, space: Space) -> None:
    """A choice that is kept and read by no layer would silently drop out of the space."""
    read = set(space.choices)
    for place, inside in module.named_modules():
        for name, part in _held(inside):
            for choice in part.choices():
                if choice not in read:
                    raise UsageError(
                        f"The choice {choice.name!r} is an attribute ({name!r}) of {place or 'the model'} "
                        f"({type(inside).__name__}), but no layer reads it, so that it would not be searched. Give it "
                        "to an elastic layer, an OpChoice or an ElasticDepth; or derive your module from "
                        "supernet.nn.Mutable, read self.selection.option(choice) in forward, and name the choice in "
                        "depends_on."
                    )


def _shared_selection(layers: Sequence[Mutable]) -> Selection:
    """A new selection, or the one that an earlier wrapping left: no supernet loses its layers unnoticed."""
    earlier = {id(layer.selection): layer.selection for layer in layers if "selection" in vars(layer)}
    if len(earlier) > 1:
        raise UsageError(
            f"The model joins layers of {len(earlier)} supernets, each of which activates its own architecture. "
            "Build it from modules that no Supernet has wrapped yet."
        )
    return next(iter(earlier.values()), Selection())
