"""Several architectures in one pass: each example of a batch runs the widths of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.batch import Fields, called, mapped
from supernet.nn.conv import ElasticConv1d, ElasticConv2d, ElasticConv3d
from supernet.nn.layout import Layout
from supernet.nn.linear import ElasticLinear
from supernet.nn.output import as_output
from supernet.nn.selection import Decision, Decisions, as_decisions
from supernet.nn.sliced import layouts_of
from supernet.nn.supernet import Supernet
from supernet.space import Arch, Choice, Expr

Read = Callable[[Expr | int], int]

_ROUNDING = 1e-3
"""How far results in float64 may differ that are the same, as a share of what another option changes."""


def input_layout(layer: nn.Module) -> tuple[int, Layout] | None:
    """The axis of its input whose entries the layer sums over, and which of them an architecture uses.

    None: the layer is no linear map without groups, or the width of its input is fixed.
    """
    if isinstance(layer, ElasticLinear):
        found = -1, Layout.of(layer.weight.shape[1], layer.width_in)
    elif isinstance(layer, ElasticConv1d | ElasticConv2d | ElasticConv3d):
        if isinstance(layer.group_count, Expr) or layer.group_count != 1:
            return None
        found = 1, Layout.of(layer.weight.shape[1], layer.width_in)
    else:
        layouts = layouts_of(layer).get("weight")
        if layouts is None or not isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            return None
        if getattr(layer, "groups", 1) != 1:
            return None
        found = (-1 if isinstance(layer, nn.Linear) else 1), layouts[1]
    return found if found[1].varies else None


class ByExample:
    """The decisions under which one pass runs several architectures, each on some of the examples.

    Choices that are `nested` may differ between the architectures; of each, the pass takes the option that is largest
    among theirs, and every layer that sums over such a width is shown zeros beyond the width of the example. All other
    choices are those of the first architecture.

    Args:
        net: The supernet.
        archs: The architectures; example b runs number b modulo their number.
        nested: Names of the choices that may differ, see `nested_choices`.

    Raises:
        UsageError: no architecture.
    """

    def __init__(self, net: Supernet, archs: Sequence[Arch | Decisions], nested: Sequence[str]) -> None:
        if not archs:
            raise UsageError("A pass of several architectures was given none; give at least one.")
        self.net, first = net, as_decisions(archs[0], net.space)
        own = [as_decisions(arch, net.space) for arch in archs]
        self.each = tuple(Decisions({**first, **{name: found[name] for name in nested}}) for found in own)
        widest = {name: _widest(_choice(net, name), [found[name] for found in own]) for name in nested}
        self.envelope = Decisions({**first, **widest})

    @contextmanager
    def masked(self) -> Iterator[None]:
        """Within it a pass under `envelope` gives each example what its own architecture makes of it."""
        reads = [_reader(self.net, decisions) for decisions in self.each]
        widest, handles = _reader(self.net, self.envelope), []
        try:
            for layer in self.net.module.modules():
                found = input_layout(layer)
                if found is None:
                    continue
                axis, layout = found
                entries = layout.entries(widest)
                mask = torch.stack([torch.isin(entries, layout.entries(read)) for read in reads])
                if not bool(mask.all()):
                    handles.append(layer.register_forward_pre_hook(partial(_hide, mask, axis)))
            yield
        finally:
            for handle in handles:
                handle.remove()


def nested_choices(net: Supernet, x: Fields) -> tuple[str, ...]:
    """The choices of widths of which every example of a batch may have its own option, exactly.

    Such a width lies between layers that treat its entries one by one: neurons of a feed-forward block, heads, channels
    between two convolutions. What normalises over it or mixes it otherwise (the width of a layer-normed stream,
    squeeze-and-excite) is none. It is tried: in evaluation mode, on a copy whose parameters are drawn anew so that none
    is zero, one pass of two examples with two widths must equal two passes in float64.

    Args:
        net: The supernet.
        x: Inputs of two examples or more.
    """
    trial = copy.deepcopy(net).eval().double()
    _disturb(trial)
    x = mapped(x, lambda tensor: _two_of_the_first(tensor))
    asked: dict[Choice, None] = {}
    for layer in trial.module.modules():
        found = input_layout(layer)
        if found is not None and isinstance(found[1].width, Expr):
            asked |= dict.fromkeys(found[1].width.choices())
    largest = as_decisions(trial.space.largest(), trial.space)
    return tuple(choice.name for choice in asked if len(choice) > 1 and _nests(trial, choice, largest, x))


def _nests(net: Supernet, choice: Choice, largest: Mapping[str, Decision], x: Fields) -> bool:
    extremes = (choice.order[0], choice.order[-1])
    small, large = (Decisions({**largest, choice.name: choice.position(option)}) for option in extremes)
    both = ByExample(net, (small, large), (choice.name,))
    with torch.no_grad():
        apart = [_logits(net, decisions, x) for decisions in (small, large)]
        with both.masked():
            together = _logits(net, both.envelope, x)
    wanted = torch.stack([apart[0][0], apart[1][1]])
    changed = float((apart[0][0] - apart[1][0]).abs().max())
    return changed > 0 and float((together - wanted).abs().max()) <= _ROUNDING * changed


def _logits(net: Supernet, decisions: Decisions, x: Fields) -> Tensor:
    with net.active(decisions):
        return as_output(called(net, x)).logits


def _two_of_the_first(tensor: Tensor) -> Tensor:
    twice = tensor[:1].repeat_interleave(2, dim=0)
    return twice.double() if twice.is_floating_point() else twice


def _disturb(net: Supernet) -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            scale = float(parameter.abs().mean()) or 1.0
            parameter.add_(0.3 * scale * torch.randn(parameter.shape, generator=generator).to(parameter))


def _widest(choice: Choice, decided: Sequence[Decision]) -> Decision:
    indices = [found for found in decided if isinstance(found, int)]
    if len(indices) < len(decided):
        raise UsageError(
            f"One pass was to run several options of {choice.name!r}, but a mixture or a subset was decided. Give "
            "architectures."
        )
    return max(indices, key=lambda code: choice.order.index(choice.options[code]))


def _choice(net: Supernet, name: str) -> Choice:
    return net.space.choices[net.space.column(name)]


def _reader(net: Supernet, decisions: Mapping[str, Decision]) -> Read:
    def option(choice: Choice) -> Any:
        decided = decisions[choice.name]
        assert isinstance(decided, int)
        return choice.options[decided]

    return lambda size: int(size.evaluate(option)) if isinstance(size, Expr) else size


def _hide(mask: Tensor, axis: int, layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Zeros in place of the entries that the architecture of an example does not have."""
    x, *others = inputs
    chosen = mask[torch.arange(len(x)) % len(mask)].to(x)
    shape = [len(x)] + [1] * (x.ndim - 1)
    shape[axis] = mask.shape[1]
    return (x * chosen.view(shape), *others)
