"""A model of any library as a supernet whose largest subnet it is."""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from supernet.errors import SupernetError, UsageError
from supernet.nn import Supernet
from supernet.nn.layout import Layout
from supernet.nn.norm import Statistics, is_batch_norm
from supernet.nn.sliced import sliced
from supernet.nn.stack import stacked
from supernet.nn.supernet import plain_subnet
from supernet.pretrained.axes import Axis
from supernet.pretrained.following import Followed, follow, outputs
from supernet.space import Choice, Expr


@dataclass(frozen=True)
class Dimension:
    """One dimension of a model, and what became of it.

    Attributes:
        name: Its name, after the layer that makes it.
        size: Its length in the model.
        options: What it may be; just its size, where it stays.
        layers: The tensors that have it, by name.
        why: Why it stays; empty: it does not.
    """

    name: str
    size: int
    options: tuple[int, ...]
    layers: tuple[str, ...]
    why: str = ""


class ElasticModel(Supernet):
    """A supernet made of a model, see `elastic`.

    Attributes:
        dimensions: What became of each dimension of the model.
    """

    dimensions: tuple[Dimension, ...]

    def __init__(self, module: nn.Module, dimensions: Sequence[Dimension], *, input_shape: Any = None) -> None:
        super().__init__(module, input_shape=input_shape)
        self.dimensions = tuple(dimensions)

    def table(self) -> str:
        """What became elastic, and what did not and why, a line each."""
        rows = [
            f"{d.name:<48} {d.size:>6}  {', '.join(map(str, d.options)) if not d.why else 'stays: ' + d.why}"
            for d in self.dimensions
        ]
        return "\n".join(rows)


@dataclass
class _Plan:
    """What is to become elastic.

    Attributes:
        followed: What a pass of the model told.
        names: The places of modules in the tree, by id.
        uses: By leaf the tensors that have it: module, its name, the tensor's, the axis.
        stays: By the name of a dimension why it stays.
    """

    followed: Followed
    uses: dict[int, list[tuple[str, str, int]]] = field(default_factory=dict)
    leaves: dict[int, Axis] = field(default_factory=dict)
    stays: dict[str, str] = field(default_factory=dict)


def elastic(
    model: nn.Module,
    example: Any,
    *,
    width: Sequence[float] = (0.5, 0.75, 1.0),
    depth: bool | Sequence[float] = True,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
    multiple: int = 8,
    statistics: Statistics = "calibrate",
) -> ElasticModel:
    """Make a model elastic: a supernet whose largest subnet computes what the model computes.

    The model runs once on the example, and every operation is followed: dimensions that residual sums, concatenations,
    depthwise and grouped convolutions, norms, attention heads, gates and tied weights share become one `Choice` each.
    Lists of residual blocks become elastic in depth. The model's own code stays, so that an extracted subnet is a model
    of the same classes, smaller. Then each dimension is tried: one on which the code does not run, or whose subnet is
    not its own extraction, stays as it is, and `table()` says why.

    Args:
        model: The model, such as one of torchvision, timm or transformers, with its weights. It is copied.
        example: What it takes: a tensor, a tuple of arguments, or a mapping by their names.
        width: Shares of a dimension that may be kept.
        depth: Whether blocks may go; or shares of the blocks of a list that may be kept.
        include: Patterns of names of dimensions and lists that may vary, as a shell has them.
        exclude: Patterns of names of those that may not.
        multiple: Numbers of channels and neurons are rounded to a multiple of this, where the dimension is at least
            four times as large; heads and groups are not.
        statistics: What BatchNorms use outside training, see `nn.Statistics`.

    Raises:
        UsageError: a share outside (0, 1], the model does not run on the example, its code decides by values, or
            nothing of it can vary.
    """
    _check_shares(width, depth)
    args, kwargs = _arguments(example)
    followed, wanted = follow(model, args, kwargs)
    stays: dict[str, str] = {}
    while True:
        made = _built(model, followed, stays, width, depth, include, exclude, multiple, statistics)
        failed = _tried(made, args, kwargs, wanted)
        if not failed:
            return made
        stays |= failed


def _check_shares(width: Sequence[float], depth: bool | Sequence[float]) -> None:
    for label, given in (("widths", width), ("depths", depth if not isinstance(depth, bool) else (1.0,))):
        if not given or any(not 0 < share <= 1 for share in given):
            raise UsageError(f"The {label} are {tuple(given)}; give shares above 0 and up to 1, such as (0.5, 0.75, 1).")


def _arguments(example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(example, Mapping):
        return (), dict(example)
    return (tuple(example), {}) if isinstance(example, tuple | list) else ((example,), {})


def _built(
    model: nn.Module,
    followed: Followed,
    stays: Mapping[str, str],
    width: Sequence[float],
    depth: bool | Sequence[float],
    include: Sequence[str],
    exclude: Sequence[str],
    multiple: int,
    statistics: Statistics,
) -> ElasticModel:
    def wanted(name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, p) for p in include) and not any(
            fnmatch.fnmatchcase(name, p) for p in exclude
        )

    made = copy.deepcopy(model)
    modules, originals = dict(made.named_modules()), dict(model.named_modules())
    dimensions: list[Dimension] = []
    gates: dict[str, Expr] = {}  # by the name of a block the condition under which it runs
    for name, places in _stacks(model, followed):
        count, title = len(originals[name]._modules), f"{name}.depth" if name else "depth"  # type: ignore[arg-type]
        least = max(1, count - len(places))
        shares = [n / count for n in range(least, count)] if isinstance(depth, bool) else depth
        options = sorted({max(least, round(share * count)) for share in shares} | {count})
        why = stays.get(title, "") or ("" if depth and wanted(title) else "it was not asked for")
        if not why and len(options) > 1:
            choice = Choice(title, options)
            stacked(modules[name], choice, places)
            blocks = list(originals[name]._modules)
            for rank, place in enumerate(places):
                gates[f"{name}.{blocks[place]}" if name else blocks[place]] = choice > count - len(places) + rank
        dimensions.append(Dimension(title, count, tuple(options) if not why else (count,), (name,), why))
    uses, leaves = _uses(model, followed)
    widths: dict[int, Expr] = {}
    taken = {d.name for d in dimensions}
    for key, leaf in leaves.items():
        if leaf.size == 1:
            continue
        title = _title(uses[key], originals, leaf, taken)
        where = tuple(f"{place}.{tensor}" if place else tensor for place, tensor, _ in uses[key])
        unit = multiple if leaf.size >= 4 * multiple else 1
        options = sorted({max(1, min(leaf.size, unit * round(share * leaf.size / unit))) for share in width} | {leaf.size})
        why = leaf.why or stays.get(title, "") or ("" if wanted(title) else "it was not asked for")
        if why in _NO_DIMENSION:
            continue
        taken.add(title)
        if not why and len(options) > 1:
            widths[key] = Choice(title, options, when=_gate(uses[key], gates))
        dimensions.append(Dimension(title, leaf.size, tuple(options) if not why else (leaf.size,), where, why))
    if not widths and not gates:
        raise UsageError(
            f"Nothing of {type(model).__name__} can vary: "
            f"{'; '.join(sorted({d.why for d in dimensions if d.why})) or 'no dimension was found'}."
        )
    for name, module in originals.items():
        _make_sliced(modules[name], module, followed, widths)
        norm = modules[name]
        if is_batch_norm(norm) and statistics != "track":
            if statistics == "calibrate":
                norm.__dict__["_momentum_alone"], norm.__dict__["momentum"] = norm.momentum, 0.0
    return ElasticModel(made, dimensions)


_NO_DIMENSION = (
    *("it is a side of a kernel", "it is a side of an image", "it counts parts that are joined", "it repeats"),
    *("it comes from outside the model", "the code names its entries", "its entries are taken one by one"),
)


def _uses(model: nn.Module, followed: Followed) -> tuple[dict[int, list[tuple[str, str, int]]], dict[int, Axis]]:
    uses: dict[int, list[tuple[str, str, int]]] = {}
    leaves: dict[int, Axis] = {}
    for place, module in model.named_modules():
        for tensor_name, tensor in (*module._parameters.items(), *module._buffers.items()):
            for number, axis in enumerate(followed.axes.get(id(tensor), ()) if tensor is not None else ()):
                for leaf in axis.leaves():
                    leaves[id(leaf)] = leaf
                    uses.setdefault(id(leaf), []).append((place, tensor_name, number))
    return uses, leaves


def _title(uses: list[tuple[str, str, int]], modules: Mapping[str, nn.Module], leaf: Axis, taken: set[str]) -> str:
    """A dimension is named after the first layer that makes it."""
    makes = [place for place, tensor, axis in uses if axis == 0 and modules[place]._parameters.get("weight") is not None]
    place = (makes or [uses[0][0]])[0]
    title, number = f"{place}.width" if place else "width", 2
    while title in taken:
        title, number = f"{place}.width{number}", number + 1
    return title


def _gate(uses: list[tuple[str, str, int]], gates: Mapping[str, Expr]) -> Expr | None:
    """The condition of the block that holds all that have a dimension, if there is one."""
    found: Expr | None = None
    for block, condition in gates.items():
        if all(place == block or place.startswith(f"{block}.") for place, _, _ in uses):
            found = condition if found is None else found & condition
    return found


def _layout(axis: Axis, widths: Mapping[int, Expr]) -> Layout:
    root = axis.root
    if root.kind is None:
        return Layout.of(root.size, widths.get(id(root)))
    parts = [_layout(part, widths) for part in root.parts]
    return (Layout.product if root.kind == "product" else Layout.concatenation)(*parts)


_SIZES = {
    "in_features": ("weight", 1), "out_features": ("weight", 0), "num_features": ("running_mean", 0),
    "num_channels": ("weight", 0), "embedding_dim": ("weight", 1),
}  # fmt: skip


def _make_sliced(made: nn.Module, module: nn.Module, followed: Followed, widths: Mapping[int, Expr]) -> None:
    layouts: dict[str, tuple[Layout, ...]] = {}
    for name, tensor in (*module._parameters.items(), *module._buffers.items()):
        if tensor is not None and id(tensor) in followed.axes:
            found = tuple(_layout(axis, widths) for axis in followed.axes[id(tensor)])
            if any(layout.varies for layout in found):
                layouts[name] = found
    numbers: dict[str, Any] = dict(_numbers(module, layouts))
    for size, axis in followed.read.get(id(module), ()):
        layout = _layout(axis, widths)
        if layout.varies:
            for name, value in vars(module).items():
                if type(value) is int and value == size and name not in numbers:
                    numbers[name] = layout.width
    if layouts or numbers:
        sliced(made, layouts, numbers)


def _numbers(module: nn.Module, layouts: Mapping[str, tuple[Layout, ...]]) -> Iterator[tuple[str, Any]]:
    """The attributes of torch's own layers that say sizes."""
    if isinstance(module, nn.modules.conv._ConvNd) and "weight" in layouts:
        first, second = layouts["weight"][:2]
        yield ("in_channels" if module.transposed else "out_channels"), first.width
        if module.groups == 1:
            yield ("out_channels" if module.transposed else "in_channels"), second.width
        elif not second.varies and first.varies:  # depthwise
            multiplier = module.out_channels // module.groups
            yield "groups", first.width // multiplier if multiplier > 1 else first.width
            yield "in_channels", first.width // multiplier if multiplier > 1 else first.width
        elif second.varies:
            yield "in_channels", second.width * module.groups
        return
    if isinstance(module, nn.LayerNorm | nn.RMSNorm) and "weight" in layouts:
        yield "normalized_shape", tuple(layout.width for layout in layouts["weight"])
        return
    for name, (tensor, axis) in _SIZES.items():
        held = layouts.get(tensor) or (layouts.get("weight") if name == "num_features" else None)
        if name in vars(module) and held is not None and axis < len(held) and held[axis].varies:
            if vars(module)[name] == held[axis].size:
                yield name, held[axis].width


def _stacks(model: nn.Module, followed: Followed) -> Iterator[tuple[str, list[int]]]:
    """The lists of blocks of a model, with the places of those that add to what they are given."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Sequential | nn.ModuleList):
            places = [
                place
                for place, block in enumerate(module._modules.values())
                if block is not None and id(block) in followed.residual and next(block.parameters(), None) is not None
            ]
            if places and len(module._modules) > 1:
                yield name, places[1:] if len(places) == len(module._modules) else places


def _tried(net: ElasticModel, args: tuple[Any, ...], kwargs: dict[str, Any], wanted: Any) -> dict[str, str]:
    """What cannot vary after all, with the reason: each choice by itself, and then all together."""
    net.eval()
    largest = net.space.largest()
    failed: dict[str, str] = {}
    for choice in net.space.choices:
        small = largest.options() | {choice.name: min(choice.options)}
        reason = _reason(net, small, args, kwargs)
        if reason:
            failed[choice.name] = reason
    if failed:
        return failed
    parity = _gap(outputs(net(*args, **kwargs, target=largest)), outputs(wanted))
    if parity > 1e-5:
        raise UsageError(f"The largest subnet is not the model: its outputs differ by {parity:.2g}.")
    reason = _reason(net, net.space.smallest().options(), args, kwargs)
    if reason:
        raise UsageError(f"Each dimension can vary by itself, but not all of them together: {reason}")
    return {}


def _reason(net: ElasticModel, options: Mapping[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Why an architecture does not run, or is not what its extraction computes; empty: it does and is."""
    arch = net.space.arch({name: value for name, value in options.items() if value is not None})
    try:
        with torch.no_grad():
            found = outputs(net(*args, **kwargs, target=arch))
            alone = outputs(plain_subnet(net, arch)(*args, **kwargs))
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError, AttributeError, SupernetError) as error:
        return f"the model's code does not run with fewer: {str(error).splitlines()[0]}"
    gap = _gap(found, alone)
    return "" if gap <= 1e-4 else f"its subnet and the subnet taken out differ by {gap:.2g}"


def _gap(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    gaps = [(a - b).abs().max().item() / max(1.0, b.abs().max().item()) for a, b in zip(one, other, strict=True)]
    return max(gaps, default=0.0)
