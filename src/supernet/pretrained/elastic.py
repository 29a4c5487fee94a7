"""A model of any library as a supernet whose largest subnet it is."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from supernet.errors import SupernetError, UsageError
from supernet.nn import Supernet
from supernet.nn.input_shape import InputShape, shape_of
from supernet.nn.layout import Layout
from supernet.nn.norm import Statistics, check_statistics, is_batch_norm
from supernet.nn.sliced import leave_statistics, sliced
from supernet.nn.stack import last_first, stacked
from supernet.nn.supernet import plain_subnet
from supernet.pretrained.axes import Axis
from supernet.pretrained.dimensions import Blocks, Found, blocks_of, dimensions_of
from supernet.pretrained.follow import arguments, follow, outputs
from supernet.pretrained.follower import Followed
from supernet.pretrained.numbers import numbers_of
from supernet.pretrained.patterns import Patterns
from supernet.space import Arch, Choice, Expr
from supernet.space.conditions import Deeper

_TOLERANCE = 1e-4  # of a subnet and its extraction: sums in another order
_ASKED = "it was not asked for"


@dataclass(frozen=True)
class Dimension:
    """One dimension of a model, or the number of blocks of a list, and what became of it.

    Attributes:
        name: Its name, after the layer that makes it.
        size: Its length in the model.
        options: What it may be; just its size, where it stays.
        where: The tensors that have it, or the list, by name.
        why: Why it stays; empty: it does not.
    """

    name: str
    size: int
    options: tuple[int, ...]
    where: tuple[str, ...]
    why: str = ""


class ElasticModel(Supernet):
    """A supernet made of a model, see `elastic`.

    Attributes:
        dimensions: What became of each dimension of the model.
    """

    def __init__(
        self, module: nn.Module, dimensions: Sequence[Dimension], *, input_shape: InputShape | None = None
    ) -> None:
        super().__init__(module, input_shape=input_shape)
        self.dimensions = tuple(dimensions)

    def table(self) -> str:
        """What became elastic, and what did not and why; what stays alike in a layer is one line."""
        rows = [row for alike in _alike(self.dimensions) for row in _rows(alike)]
        length = max(len(name) for name, _, _ in rows)
        return "\n".join(f"{name:<{length}}  {size:>6}  {told}" for name, size, told in rows)


def _alike(dimensions: Iterable[Dimension]) -> Iterator[list[Dimension]]:
    """The dimensions of a layer, one after the other, that stay for one reason."""
    for _, found in itertools.groupby(dimensions, lambda one: (one.name.rpartition(".")[0], one.why, one.why or one)):
        yield list(found)


def _rows(alike: Sequence[Dimension]) -> Iterator[tuple[str, str, str]]:
    """Name, size and what became of it; dimensions that stay alike, as the dozens of an LSTM, are one row."""
    first, last = alike[0], alike[-1]
    if len(alike) > 2:
        yield f"{first.name} … {last.name.rpartition('.')[2]}", "", f"{len(alike)} dimensions stay: {first.why}"
        return
    for one in alike:
        yield one.name, str(one.size), f"stays: {one.why}" if one.why else ", ".join(map(str, one.options))


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What `elastic` was asked for; its arguments."""

    width: tuple[float, ...]
    heads: tuple[float, ...]
    depth: tuple[float, ...] | bool | Literal["any"]
    names: Patterns
    multiple: int
    statistics: Statistics

    def __post_init__(self) -> None:
        check_statistics(self.statistics)
        shares = {"width": self.width, "heads": self.heads}
        if isinstance(self.depth, tuple):
            shares["depth"] = self.depth
        for label, given in shares.items():
            if not given or any(not 0 < share <= 1 for share in given):
                raise UsageError(
                    f"{label} is {tuple(given)}; give shares that may be kept, above 0 and up to 1, such as "
                    "(0.5, 0.75, 1.0)."
                )
        if self.multiple < 1:
            raise UsageError(f"multiple is {self.multiple}; give 1 or more, such as 8.")

    def sizes(self, found: Found) -> list[int]:
        """What a dimension may be, ascending."""
        size = found.axis.size
        unit = self.multiple if found.kind == "width" and size >= 4 * self.multiple else 1
        shares = self.width if found.kind == "width" else self.heads
        return sorted({max(1, min(size, unit * round(share * size / unit))) for share in shares if share < 1} | {size})

    def depth_choices(self, held: Blocks) -> Iterator[tuple[Dimension, tuple[int, ...], list[int]]]:
        """What is chosen of a list of blocks: its name and size, the places of blocks that may go, and the options."""
        if self.depth == "any":
            for place in held.removable:
                yield Dimension(f"{held.blocks[place]}.kept", 1, (), (held.blocks[place],)), (place,), [0, 1]
        else:
            count = len(held.blocks)
            one = Dimension(held.title, count, (), (held.name,))
            yield one, held.removable, self.depths(count, len(held.removable))

    def depths(self, count: int, removable: int) -> list[int]:
        """How many blocks of a list may be kept, ascending."""
        least = count - removable
        if not isinstance(self.depth, tuple):
            return list(range(least, count + 1)) if self.depth else [count]
        return sorted({max(least, round(share * count)) for share in self.depth} | {count})


def elastic(
    model: nn.Module,
    example: Any,
    *,
    width: Sequence[float] = (0.5, 0.75, 1.0),
    heads: Sequence[float] | None = None,
    depth: bool | Sequence[float] | Literal["any"] = True,
    include: Sequence[str] | str = ("*",),
    exclude: Sequence[str] | str = (),
    multiple: int = 8,
    statistics: Statistics = "calibrate",
) -> ElasticModel:
    """Make a model elastic: a supernet whose largest subnet computes what the model computes.

    The model runs once on the example, and every operation is followed: dimensions that residual sums, concatenations,
    depthwise and grouped convolutions, norms, attention heads, gates and tied weights share become one choice each.
    Lists of blocks that add to what they are given become elastic in depth. The model's own code stays, so that an
    extracted subnet is a model of the same classes, smaller. Then it is tried: a dimension on which the code does not
    run, or whose subnet is not its own extraction, stays as it is, and `table()` says why.

    Args:
        model: The model, such as one of torchvision, timm or transformers, with its weights. It is copied.
        example: What it takes, for one or more examples: a tensor, a tuple of arguments, or a mapping by their names.
        width: The shares of a dimension (channels, neurons, the width of a stream of tokens) that may be kept.
        heads: The shares of the heads of an attention that may be kept, of keys where queries share them; None: those
            of `width`.
        depth: Whether blocks may go, one after the other from the end of each list; or the shares of a list that may
            be kept; or `"any"`: each block may go by itself, by a choice of its own (1: kept, 0: gone).
        include: Patterns, as a shell has them, of the names of what may vary; or one pattern.
        exclude: Patterns of the names of what may not; or one.
        multiple: Widths are rounded to a multiple of this, where the dimension is at least four times as large.
        statistics: What BatchNorms use outside training, see `nn.Statistics`.

    Raises:
        UsageError: a share outside (0, 1], a pattern that names nothing of the model, the model does not run on the
            example, its code decides by values that depend on weights, or nothing of it can vary.

    >>> import torch
    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    >>> net = elastic(model, torch.randn(2, 8), multiple=1)
    >>> print(net.table())
    0.width      16  8, 12, 16
    2.width       4  stays: it is an output of the model
    >>> net.extract(net.space.smallest())[0]
    Linear(in_features=8, out_features=8, bias=True)
    """
    asked = _Asked(
        width=_shares("width", width),
        heads=_shares("heads", width if heads is None else heads),
        depth=_depth(depth),
        names=Patterns.of(include, exclude),
        multiple=multiple,
        statistics=statistics,
    )
    model = _runnable(model)
    args, kwargs = arguments(example)
    model = copy.deepcopy(model)  # code that remembers what it computed does so here
    followed, wanted = follow(model, args, kwargs)
    known = _Known(stays={}, fixed=set())
    while True:
        tried = replace(asked, statistics="track")  # the model's own statistics, as it was run with
        failed = _tried(_built(model, followed, tried, known, args, kwargs), args, kwargs, wanted)
        if not failed:
            return _built(model, followed, asked, known, args, kwargs)
        # A number of the code may have been as large as a dimension by accident.
        known.stays |= {name: reason for name, reason in failed.items() if name in known.fixed}
        known.fixed |= failed.keys()


def _depth(given: bool | Sequence[float] | str) -> bool | tuple[float, ...] | Literal["any"]:
    if isinstance(given, str):
        if given != "any":
            raise UsageError(f"depth is {given!r}; give True, False, 'any', or shares such as (0.5, 1.0).")
        return "any"
    return given if isinstance(given, bool) else _shares("depth", given)


def _shares(label: str, given: Any) -> tuple[float, ...]:
    if isinstance(given, Iterable) and not isinstance(given, str) and all(isinstance(one, Real) for one in given):
        return tuple(given)
    raise UsageError(f"{label} is {given!r}; give shares that may be kept, such as (0.5, 0.75, 1.0).")


def _runnable(model: object) -> nn.Module:
    """The module whose code can be followed; that of `torch.compile` is inside what it returned."""
    inside = getattr(model, "_orig_mod", model)
    if not isinstance(inside, nn.Module):
        raise UsageError(f"A model to make elastic is an nn.Module, built; got {model!r}.")
    if isinstance(inside, torch.jit.ScriptModule):
        raise UsageError(
            f"The model is a {type(inside).__name__} of TorchScript, whose code is not Python any more and cannot be "
            "followed. Give the module that it was made of."
        )
    for name, tensor in (*inside.named_parameters(), *inside.named_buffers()):
        if is_lazy(tensor):
            raise UsageError(
                f"{name} of {type(inside).__name__} has no size yet, as the lazy layers of torch do not before they "
                "have run. Run the model once, model(example), and make it elastic then."
            )
    return inside


@dataclass
class _Known:
    """What has been found by trying.

    Attributes:
        stays: Why dimensions stay, by name.
        fixed: Dimensions that no number among the attributes of modules follows.
    """

    stays: dict[str, str]
    fixed: set[str]


def _built(
    model: nn.Module,
    followed: Followed,
    asked: _Asked,
    known: _Known,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> ElasticModel:
    made = copy.deepcopy(model)
    modules = dict(made.named_modules())
    told: list[Dimension] = []
    runs: dict[str, Expr] = {}  # by the name of a block the condition under which it runs
    for held in blocks_of(model, followed):
        conditions: dict[int, Deeper] = {}
        for one, places, options in asked.depth_choices(held):
            why = known.stays.get(one.name, "") or ("" if asked.names.wants(one.name) and len(options) > 1 else _ASKED)
            told.append(replace(one, options=(one.size,) if why else tuple(options), why=why))
            if not why:
                depth = Choice(one.name, options)
                conditions |= last_first(depth, one.size, places) if one.size > 1 else {places[0]: Deeper(depth, 0)}
        if conditions:
            stacked(modules[held.name], conditions)
        runs |= {held.blocks[place]: cast(Expr, met.depth) > met.index for place, met in conditions.items()}
    widths: dict[int, Choice] = {}
    for found in dimensions_of(model, followed):
        options = asked.sizes(found)
        why = found.axis.why or known.stays.get(found.name, "")
        why = why or ("" if asked.names.wants(found.name) and len(options) > 1 else _ASKED)
        if not why:
            widths[id(found.axis)] = Choice(found.name, options, when=_condition(found, runs))
        size, where = found.axis.size, tuple(map(str, found.uses))
        told.append(Dimension(found.name, size, (size,) if why else tuple(options), where, why))
    asked.names.check([one.name for one in told], f"dimensions of {type(model).__name__}")
    if not widths and not runs:
        reasons = "; ".join(sorted({one.why for one in told})) or "no dimension was found"
        raise UsageError(f"Nothing of {type(model).__name__} can vary: {reasons}.")
    for name, module in model.named_modules():
        _make_sliced(modules[name], module, followed, widths, known.fixed)
        if is_batch_norm(module) and asked.statistics != "track":
            leave_statistics(modules[name], use_batch=asked.statistics == "batch")
    return ElasticModel(made, told, input_shape=_shape(args, kwargs))


def _condition(found: Found, runs: Mapping[str, Expr]) -> Expr | None:
    """Under which condition a dimension matters: that of the blocks around all that have it."""
    met: Expr | None = None
    for block, condition in runs.items():
        if all(use.module == block or use.module.startswith(f"{block}.") for use in found.uses):
            met = condition if met is None else met & condition
    return met


def _make_sliced(
    made: nn.Module, module: nn.Module, followed: Followed, widths: Mapping[int, Choice], fixed: set[str]
) -> None:
    layouts: dict[str, tuple[Layout, ...]] = {}
    for name, tensor in (*module._parameters.items(), *module._buffers.items()):
        axes = followed.axes.get(id(tensor), ()) if tensor is not None else ()
        found = tuple(_layout(axis, widths) for axis in axes)
        if any(layout.varies for layout in found):
            layouts[name] = found
    following = {key: choice for key, choice in widths.items() if choice.name not in fixed}
    read = [(size, _layout(axis, following)) for size, axis in followed.read.get(id(module), ())]
    numbers = numbers_of(module, layouts, read)
    if layouts or numbers:
        sliced(made, layouts, numbers)


def _layout(axis: Axis, widths: Mapping[int, Choice]) -> Layout:
    root = axis.root
    if root.kind is None:
        return Layout.of(root.size, widths.get(id(root)))
    parts = [_layout(part, widths) for part in root.parts]
    return Layout.product(*parts) if root.kind == "product" else Layout.concatenation(*parts)


def _shape(args: Sequence[Any], kwargs: Mapping[str, Any]) -> InputShape | None:
    """The shape of one example, where the model takes a tensor, or tensors by name."""
    if kwargs and not args:
        tensors = {name: value for name, value in kwargs.items() if isinstance(value, Tensor)}
        return shape_of(tensors) if len(tensors) == len(kwargs) else None
    return shape_of(args[0]) if len(args) == 1 and isinstance(args[0], Tensor) else None


def _tried(net: ElasticModel, args: tuple[Any, ...], kwargs: dict[str, Any], wanted: Any) -> dict[str, str]:
    """What cannot vary after all, with the reason."""
    net.eval()
    space, largest = net.space, net.space.largest()
    with torch.no_grad():
        gap = relative_gap(outputs(net(*args, **kwargs, target=largest)), outputs(wanted))
    if gap > 1e-5:
        raise UsageError(
            f"{type(net.module).__name__} does not give the same result twice: the largest subnet and the model differ "
            f"by {gap:.2g}. A model that draws numbers, or remembers what it computed, cannot be made elastic so."
        )
    rng = np.random.default_rng(0)
    drawn = (space.smallest(), space.sample(rng), space.sample(rng))
    wrong = [arch for arch in drawn if _reason(net, arch, args, kwargs)]
    if not wrong:
        return {}
    failed = {
        choice.name: reason
        for choice in space.choices
        for reason in [_reason(net, space.arch(_smaller(largest, choice)), args, kwargs)]
        if reason
    }
    return failed or _not_together(net, wrong, args, kwargs)


def _smaller(largest: Arch, choice: Choice) -> dict[str, Any]:
    """The largest architecture with the smallest option of one choice."""
    return {**largest.options(), choice.name: choice.order[0]}


def _not_together(
    net: ElasticModel, wrong: Sequence[Arch], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, str]:
    """What cannot vary beside what came before it, though each dimension can by itself.

    Architectures that fail are approached from the largest, a choice at a time: the last step fails at the latest.
    """
    failed: dict[str, str] = {}
    reached: list[dict[str, Any]] = [dict(net.space.largest().options()) for _ in wrong]
    for choice in net.space.choices:
        further = [
            options if arch[choice.name] is None else {**options, choice.name: arch[choice.name]}
            for options, arch in zip(reached, wrong, strict=True)
        ]
        reason = next(filter(None, (_reason(net, net.space.arch(one), args, kwargs) for one in further)), "")
        if reason:
            beside = len(failed) < net.space.names.index(choice.name)
            failed[choice.name] = f"not beside what varies already: {reason}" if beside else reason
        else:
            reached = further
    return failed


def _reason(net: ElasticModel, arch: Arch, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Why an architecture does not run, or is not what its extraction computes; empty: it does and is."""
    try:
        with torch.no_grad():
            found = outputs(net(*args, **kwargs, target=arch))
            alone = outputs(plain_subnet(net, arch)(*args, **kwargs))
            gap = relative_gap(found, alone)
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        return (
            f"the code does not run with fewer ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
        )
    except SupernetError as error:
        return str(error)
    return "" if gap <= _TOLERANCE else f"its subnet and the subnet taken out differ by {gap:.2g}"


def relative_gap(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    """The largest difference between outputs, as a share of the largest entry of the second; 0 where both are equal."""
    gaps = [
        0.0 if torch.equal(a, b) else ((a - b).abs().max() / b.abs().max()).item()
        for a, b in zip(one, other, strict=True)
    ]
    return max(gaps, default=0.0)
