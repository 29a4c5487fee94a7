"""The configuration of a subnet of a model of transformers, where one says it all."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from supernet.nn.layout import Layout
from supernet.nn.sliced import layouts_of
from supernet.nn.stack import Stack
from supernet.pretrained.elastic import ElasticModel, relative_gap
from supernet.pretrained.follow import arguments, outputs
from supernet.space import Arch

_MOST = 256
"""Configurations that are tried."""


def plain_config(net: ElasticModel, arch: Arch, alone: nn.Module, example: Any) -> Any:
    """A configuration of which the model's own class builds the subnet; None: its layers differ too much.

    A number of the model's configuration that equals a size of the model becomes what the subnet has of it, where all
    parts of this size became the same, and otherwise each of these in turn; lists with an entry per block lose those of
    the blocks that are gone. What counts is the trial: the class, built so, has all the shapes, and with the weights it
    computes what the subnet does.

    Args:
        net: The supernet that `elastic` made of the model.
        arch: The subnet.
        alone: The subnet, taken out.
        example: What the model takes, as for `elastic`.
    """
    given: Any = alone
    sizes, lists = _sizes(net, arch)
    told = {name: value for name, value in vars(given.config).items() if not isinstance(value, bool)}
    numbers = {name: sorted(sizes[n]) for name, n in told.items() if isinstance(n, int) and n in sizes}
    entries = {name: lists[len(each)] for name, each in told.items() if isinstance(each, list) and len(each) in lists}
    if math.prod(map(len, (*numbers.values(), *entries.values()))) > _MOST:
        return None
    for chosen in itertools.product(*numbers.values(), *entries.values()):
        config = copy.deepcopy(given.config)
        for name, value in zip((*numbers, *entries), chosen, strict=True):
            setattr(config, name, value if name in numbers else [told[name][place] for place in value])
        if _is_built(config, alone, example):
            return config
        width = _width_of_heads(given.config)
        if width is not None and not hasattr(config, "head_dim"):  # read where it is said, else derived anew
            config.head_dim = width
            if _is_built(config, alone, example):
                return config
    return None


def _width_of_heads(config: Any) -> int | None:
    hidden, heads = getattr(config, "hidden_size", None), getattr(config, "num_attention_heads", None)
    return hidden // heads if isinstance(hidden, int) and isinstance(heads, int) and heads else None


def _sizes(net: ElasticModel, arch: Arch) -> tuple[dict[int, set[int]], dict[int, set[tuple[int, ...]]]]:
    """By size of the model what it became, and by length of a list of blocks which of them were kept."""
    sizes: dict[int, set[int]] = {}
    lists: dict[int, set[tuple[int, ...]]] = {}
    gone: list[str] = []
    with net.active(arch):
        for name, module in net.module.named_modules():  # a list comes before its blocks
            if isinstance(module, Stack):
                names = list(module._modules)
                places = tuple(names.index(key) for key in module.kept_names())
                sizes.setdefault(len(names), set()).add(len(places))
                lists.setdefault(len(names), set()).add(places)
                gone += [f"{name}.{key}." for place, key in enumerate(names) if place not in places]
            elif not any(f"{name}.".startswith(block) for block in gone):
                for layout in [one for layouts in layouts_of(module).values() for one in layouts]:
                    for size, width in _parts(net, layout):
                        sizes.setdefault(size, set()).add(width)
    return sizes, lists


def _parts(net: ElasticModel, layout: Layout) -> Iterator[tuple[int, int]]:
    """Size and width of an axis and of all it is made of, such as the heads of an axis of groups, heads and width."""
    width = net.selection.value
    yield layout.size, width(layout.width)
    for part in layout.parts:
        yield from _parts(net, part)
    if layout.kind == "product":
        for start, end in itertools.combinations(range(len(layout.parts) + 1), 2):
            parts = layout.parts[start:end]
            yield math.prod(part.size for part in parts), math.prod(width(part.width) for part in parts)


def _is_built(config: Any, alone: nn.Module, example: Any) -> bool:
    kind: Any = type(alone)
    try:
        with torch.device("meta"):
            if _shapes(kind(config).state_dict()) != _shapes(alone.state_dict()):
                return False
        built: nn.Module = kind(config).eval()
        built.load_state_dict(alone.state_dict())
        args, named = arguments(example)
        with torch.no_grad():
            return relative_gap(outputs(built(*args, **named)), outputs(alone(*args, **named))) <= 1e-5
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        return False


def _shapes(state: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}
