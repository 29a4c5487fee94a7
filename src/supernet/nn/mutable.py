"""What every layer with choices has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ClassVar, TypeAlias

from torch import Tensor, nn

from supernet.nn.selection import Selection
from supernet.space import Choice, Expr
from supernet.space.conditions import Conditions

Shape: TypeAlias = tuple[Expr | int, ...]
"""The sizes of a tensor, fixed or expressions of choices."""


class Mutable(ABC):
    """Mixin of a module whose computation depends on choices.

    A new kind of elastic layer derives from a torch module and this class, reads its sizes with
    `self.selection.value(expr)` in `forward`, and implements two methods. `Supernet` finds it in the module
    tree, collects its choices and hands it the shared selection.

    Two more methods say what the layer is made of, so that costs are read off instead of tabulated: `shapes` for a
    layer with tensors of its own, `runs` for one with modules inside. A subclass that changes `forward` or `plain`
    says both anew; until it does, it counts as unknown.

    Attributes:
        mixes: Whether the layer follows a `Mixture` over its choice, and subsets of its options.
        settings: Names of the settings that the layer reads with `self.selection.setting(name, default)`.
    """

    selection: Selection = Selection()  # nothing is ever active here: an unwrapped layer explains itself
    mixes: bool = False
    settings: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def depends_on(self) -> tuple[Expr | int, ...]:
        """The sizes and choices that shape this layer; constants are ignored."""

    @abstractmethod
    def plain(self) -> nn.Module:
        """What this layer is under the active architecture: a torch module with a copy of the active weights.

        It may hold modules of this layer's own; `Supernet.extract` copies these and makes them plain in turn.
        Modules built here get the mode (train or eval) of this layer.
        """

    def shapes(self) -> Mapping[str, Shape]:
        """The sizes of the layer's own parameters and buffers under an architecture, by name; {}: not said.

        Matrix products of a layer without modules inside are taken to multiply each entry of its parameters of two
        dimensions or more once per position.
        """
        return {}

    def multiplies(self) -> Expr | int | None:
        """What the matrix products of the layer itself cost per position; None: read off `shapes`, or not said.

        For attention, whose products are of tokens with tokens, a position is a pair of tokens.
        """
        return None

    def scales(self) -> tuple[Expr | int, ...]:
        """The sizes that decide how many positions (pixels, tokens) later layers see, such as a resolution."""
        return ()

    def absorbed(self) -> Collection[str]:
        """Names of the layer's own parameters that `plain` works into others: a subnet has none of them.

        What `forward` does with them is not to be counted, see `without_absorbed`.
        """
        return ()

    def runs(self) -> Mapping[str, Conditions]:
        """Under which decisions the modules inside run, by their names as in `get_submodule`; {}: not said.

        Modules that are not named run whenever the layer does.
        """
        return {}

    def nodes(self) -> Mapping[str, int]:
        """Names under which `EdgeWeights` reach the layer, with the number of weights."""
        return {}


def is_opaque(module: nn.Module) -> bool:
    """Whether a module is a layer with choices that does not say what it is made of, see `Mutable`."""
    if not isinstance(module, Mutable):
        return False
    own = [
        name for held in (module._parameters, module._buffers) for name, tensor in held.items() if tensor is not None
    ]
    return bool(own and not _says(module, "shapes")) or bool(module._modules and not _says(module, "runs"))


def products(module: nn.Module) -> Expr | int | None:
    """What a layer says that its own matrix products cost per position, see `Mutable.multiplies`."""
    return module.multiplies() if isinstance(module, Mutable) and _says(module, "multiplies") else None


def _says(module: Mutable, method: str) -> bool:
    """Whether the class that defines what the layer computes, or one below it, defines the method."""
    order = type(module).__mro__
    computes = min(next(i for i, kind in enumerate(order) if name in vars(kind)) for name in ("forward", "plain"))
    return any(method in vars(kind) for kind in order[: computes + 1])


def mixing_choices(module: nn.Module) -> tuple[Choice, ...]:
    """The choices that may be given a `Mixture`: every layer inside that reads one `mixes` its options."""
    mixed: dict[Choice, None] = {}
    sizes: set[Choice] = set()
    for layer in module.modules():
        for size in layer.depends_on() if isinstance(layer, Mutable) else ():
            if isinstance(size, Expr) and isinstance(layer, Mutable):
                if layer.mixes:
                    mixed.update(dict.fromkeys(size.choices()))
                else:
                    sizes.update(size.choices())
    return tuple(choice for choice in mixed if choice not in sizes)


def choices_within(module: nn.Module) -> tuple[Choice, ...]:
    """Every choice that shapes a module or one inside it, in order of appearance."""
    found: dict[Choice, None] = {}
    for inner in module.modules():
        for size in inner.depends_on() if isinstance(inner, Mutable) else ():
            if isinstance(size, Expr):
                found.update(dict.fromkeys(size.choices()))
    return tuple(found)


_ABSORBING: ContextVar[bool] = ContextVar("absorbing", default=True)


@contextmanager
def without_absorbed() -> Iterator[None]:
    """Within it layers pass over their `absorbed` parameters: shapes are as ever, values are not. For counting."""
    token = _ABSORBING.set(False)
    try:
        yield
    finally:
        _ABSORBING.reset(token)


def absorbing() -> bool:
    """Whether layers work their `absorbed` parameters in: always but for `without_absorbed`."""
    return _ABSORBING.get()


_COPIES: ContextVar[dict[Hashable, nn.Parameter] | None] = ContextVar("copies", default=None)


@contextmanager
def tied_slices() -> Iterator[None]:
    """Within it, equal slices of one parameter are copied once: layers that share a parameter share the copy."""
    token = _COPIES.set({})
    try:
        yield
    finally:
        _COPIES.reset(token)


def slice_copied(value: Tensor) -> nn.Parameter:
    base, copies = value if value._base is None else value._base, _COPIES.get()
    if copies is None or not isinstance(base, nn.Parameter):
        return nn.Parameter(value.detach().clone(), requires_grad=value.requires_grad)
    key = (id(base), value.storage_offset(), value.shape, value.stride())
    if key not in copies:
        copies[key] = nn.Parameter(value.detach().clone(), requires_grad=value.requires_grad)
    return copies[key]


def copy_into(module: nn.Module, **tensors: Tensor | None) -> nn.Module:
    """Fill parameters and buffers of a freshly built plain layer with copies of the given slices.

    Device and type come from the slices, so the layer can be built with `device="meta"`. A slice of a frozen
    parameter stays frozen. None is passed over. Within `tied_slices`, equal slices of one parameter are one copy.

    Raises:
        ValueError: a tensor of the layer was not given, which leaves it without data.
    """
    for name, value in tensors.items():
        if value is not None:
            is_parameter = name in module._parameters
            setattr(module, name, slice_copied(value) if is_parameter else value.detach().clone())
    empty = [name for name, value in module.state_dict(keep_vars=True).items() if value.is_meta]
    if empty:
        raise ValueError(f"{type(module).__name__} was built on the meta device and got no data for {empty}.")
    return module
