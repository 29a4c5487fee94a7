"""The dimensions and lists of blocks of a model, as one pass told them, each with a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import nn

from supernet.pretrained.axes import HEAD, NO_DIMENSIONS, Axis
from supernet.pretrained.follower import Followed


class Use(NamedTuple):
    """An axis of a tensor that has a dimension: the module's name, the tensor's, the axis."""

    module: str
    tensor: str
    axis: int

    def __str__(self) -> str:
        return f"{self.module}.{self.tensor}".lstrip(".")


@dataclass(frozen=True, eq=False)
class Found:
    """A dimension of a model, which any number of tensors have.

    Attributes:
        name: What it is called: the first layer that makes it, and what it counts.
        axis: The dimension.
        uses: Where it is.
        kind: Whether it counts channels (or neurons, or whatever a layer gives) or the heads of an attention.
    """

    name: str
    axis: Axis
    uses: tuple[Use, ...]
    kind: Literal["width", "heads"]


@dataclass(frozen=True)
class Blocks:
    """A list of blocks, some of which add to what they are given, so that the model runs without them.

    Attributes:
        name: The name of the list.
        blocks: The names of its blocks.
        removable: The places of those that may go; the first block of a list stays.
    """

    name: str
    blocks: tuple[str, ...]
    removable: tuple[int, ...]

    @property
    def title(self) -> str:
        """What its depth is called."""
        return f"{self.name}.depth".lstrip(".")


def blocks_of(model: nn.Module, followed: Followed) -> Iterator[Blocks]:
    """The lists of blocks that may be shorter."""
    for name, module in model.named_modules():
        if not isinstance(module, nn.Sequential | nn.ModuleList) or len(module._modules) < 2:
            continue
        held = [(key, block) for key, block in module._modules.items() if block is not None]
        places = [
            place
            for place, (_, block) in enumerate(held)
            if id(block) in followed.residual and next(block.parameters(), None) is not None
        ]
        if len(places) == len(held):
            del places[0]
        if places:
            yield Blocks(name, tuple(f"{name}.{key}".lstrip(".") for key, _ in held), tuple(places))


def dimensions_of(model: nn.Module, followed: Followed) -> list[Found]:
    """The dimensions of the parameters and buffers of a model, in the order in which they appear."""
    uses: dict[int, list[Use]] = {}
    leaves: dict[int, Axis] = {}
    heads: set[int] = set()
    for place, module in model.named_modules():
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            for number, axis in enumerate(followed.axes.get(id(tensor), ()) if tensor is not None else ()):
                found = list(axis.leaves())
                for leaf in found:
                    leaves[id(leaf)] = leaf
                    uses.setdefault(id(leaf), []).append(Use(place, name, number))
                if any(leaf.why == HEAD for leaf in found):
                    heads |= {id(leaf) for leaf in found}
    modules, taken = dict(model.named_modules()), set[str]()
    named: list[Found] = []
    for key, leaf in leaves.items():
        if leaf.size > 1 and leaf.why not in NO_DIMENSIONS:
            kind: Literal["width", "heads"] = "heads" if key in heads and leaf.why is None else "width"
            title = _title(uses[key], modules, kind, taken)
            taken.add(title)
            named.append(Found(title, leaf, tuple(dict.fromkeys(uses[key])), kind))
    return named


def _title(uses: list[Use], modules: Mapping[str, nn.Module], kind: str, taken: set[str]) -> str:
    """A dimension is named after the first layer whose weight makes it."""
    makes = [use.module for use in uses if use.tensor == "weight" and use.axis == made_along(modules[use.module])]
    place = next(iter(makes), uses[0].module)
    title, number = f"{place}.{kind}".lstrip("."), 2
    while title in taken:
        title, number = f"{place}.{kind}{number}".lstrip("."), number + 1
    return title


def made_along(layer: nn.Module) -> int:
    """The axis of a layer's weight along which its results are."""
    transposed = isinstance(layer, nn.Embedding) or getattr(layer, "transposed", False)
    return 1 if transposed else 0
