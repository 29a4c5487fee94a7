"""Any module made elastic: its own code runs on the part of its tensors that an architecture uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.layout import Layout, taken
from supernet.nn.mutable import Mutable, Shape, slice_copied
from supernet.nn.norm import is_batch_norm
from supernet.space import Expr
from supernet.space.conditions import Conditions

Numbers: TypeAlias = Mapping[str, Expr | int | tuple[Expr | int, ...]]

_OWN = ("_layouts", "_numbers", "_momentum_alone", "selection", "_gathered")


class Sliced(nn.Module, Mutable):
    """Mixin that `sliced` puts before the class of a module; see there."""

    _layouts: dict[str, tuple[Layout, ...]]
    _numbers: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        found: Any = super().__getattr__(name)
        layouts = self.__dict__["_layouts"].get(name) if "_layouts" in self.__dict__ else None
        if layouts is None or found is None or self.selection.active is None:
            return found
        gathered = self.__dict__.get("_gathered")
        if gathered is not None and name in gathered:
            return gathered[name]
        return taken(found, layouts, self.selection.value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.selection.require()
        return super().__call__(*args, **kwargs)

    @property
    def number_names(self) -> tuple[str, ...]:
        """The attributes that follow the architecture."""
        return tuple(self._numbers)

    def number(self, name: str) -> Any:
        """A number or a tuple of them that the module's code reads, under the active architecture."""
        given = self._numbers[name]
        if self.selection.active is None:
            return self.__dict__[name]
        return tuple(map(self.selection.value, given)) if isinstance(given, tuple) else self.selection.value(given)

    def depends_on(self) -> tuple[Expr | int, ...]:
        numbers = [
            part for given in self._numbers.values() for part in (given if isinstance(given, tuple) else (given,))
        ]
        return (*(layout.width for layouts in self._layouts.values() for layout in layouts), *numbers)

    def shapes(self) -> dict[str, Shape]:
        own = {**self._parameters, **self._buffers}
        return {
            name: tuple(layout.width for layout in self._layouts[name])
            if name in self._layouts
            else tuple(tensor.shape)
            for name, tensor in own.items()
            if tensor is not None
        }

    def runs(self) -> dict[str, Conditions]:
        return dict.fromkeys(self._modules, ())

    def plain(self) -> nn.Module:
        """The module with its own class, a copy of what is used of its tensors, and its modules inside."""
        made: nn.Module = object.__new__(type(self).__bases__[1])
        made.__dict__.update({name: value for name, value in vars(self).items() if name not in _OWN})
        for name in self._numbers:
            made.__dict__[name] = self.number(name)
        if "_momentum_alone" in vars(self):
            made.__dict__["momentum"] = vars(self)["_momentum_alone"]
        made.__dict__["_parameters"] = {
            name: None if tensor is None else slice_copied(getattr(self, name))
            for name, tensor in self._parameters.items()
        }
        made.__dict__["_buffers"] = {
            name: None if tensor is None else getattr(self, name).detach().clone()
            for name, tensor in self._buffers.items()
        }
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _blank, (type(self).__bases__[1], tuple(self._numbers), is_batch_norm(self)), dict(vars(self))


class SlicedBatchNorm(Sliced):
    """`Sliced` for BatchNorms, whose statistics are written back where they are no prefix."""

    def forward(self, input: Tensor) -> Tensor:
        layouts = self._layouts.get("running_mean")
        if layouts is None or layouts[0].is_prefix or not self.training:
            return cast(Tensor, super().forward(input))
        entries = self.active_entries()
        held = {name: self._buffers[name] for name in ("running_mean", "running_var")}
        self.__dict__["_gathered"] = {name: tensor[entries] for name, tensor in held.items() if tensor is not None}
        try:
            out = super().forward(input)
            for name, tensor in self.__dict__["_gathered"].items():
                with torch.no_grad():
                    cast(Tensor, held[name])[entries] = tensor
        finally:
            self.__dict__["_gathered"] = None
        return cast(Tensor, out)

    def shapes(self) -> dict[str, Shape]:
        return super().shapes()

    def runs(self) -> dict[str, Conditions]:
        return {}

    def active_entries(self) -> slice | Tensor:
        """Where in the buffers the statistics of the active channels are."""
        (layout,) = self._layouts["running_mean"] if "running_mean" in self._layouts else self._layouts["weight"]
        if layout.is_prefix:
            return slice(0, self.selection.value(layout.width))
        device = next(buffer.device for buffer in self._buffers.values() if buffer is not None)
        return layout.entries(self.selection.value).to(device)


def sliced(module: nn.Module, layouts: Mapping[str, tuple[Layout, ...]], numbers: Numbers) -> None:
    """Make a module elastic in place, whatever its class: it becomes a subclass of it.

    Its code stays. Where it reads one of its parameters or buffers it gets the part that the active architecture uses,
    and where it reads one of the numbers their value. Taken out by `Supernet.extract` it is of its own class again.

    Args:
        module: The module.
        layouts: By the name of a tensor of its own how each axis is made up; tensors that are left out are whole.
        numbers: By the name of an attribute the size that it stands for, or a tuple of such.

    Raises:
        UsageError: there is no such tensor or attribute, or the sizes are others.
    """
    held = {**module._parameters, **module._buffers}
    for name, layout in layouts.items():
        tensor = held.get(name)
        if tensor is None or tuple(part.size for part in layout) != tuple(tensor.shape):
            shape = "none" if tensor is None else str(tuple(tensor.shape))
            raise UsageError(
                f"The tensor {name!r} of {type(module).__name__} was to have the sizes "
                f"{tuple(part.size for part in layout)}; it has {shape}."
            )
    for name in numbers:
        if name not in vars(module):
            raise UsageError(f"{type(module).__name__} has no attribute {name!r} that could follow a choice.")
    norm = is_batch_norm(module)
    module.__class__ = _class_of(type(module), tuple(numbers), norm)
    module.__dict__["_layouts"], module.__dict__["_numbers"] = dict(layouts), dict(numbers)


def layouts_of(module: nn.Module) -> Mapping[str, tuple[Layout, ...]]:
    """By the name of a tensor of its own how each axis of it is made up; {}: the module was not made elastic so."""
    return module._layouts if isinstance(module, Sliced) else {}


def leave_statistics(norm: nn.Module, *, use_batch: bool = False) -> None:
    """Let a BatchNorm of a supernet leave its running statistics alone, or keep none and use those of the batch.

    Extracted it tracks statistics with its own momentum again, as an `ElasticBatchNorm2d` of this policy does.
    """
    if use_batch:
        norm.__dict__["track_running_stats"] = False
        norm._buffers |= dict.fromkeys(("running_mean", "running_var", "num_batches_tracked"))
        if isinstance(norm, Sliced):
            norm._layouts = {
                name: held for name, held in norm._layouts.items() if norm._parameters.get(name) is not None
            }
        return
    if not isinstance(norm, Sliced):
        sliced(norm, {}, {})
    norm.__dict__["_momentum_alone"], norm.__dict__["momentum"] = norm.__dict__["momentum"], 0.0


_CLASSES: dict[Any, type[nn.Module]] = {}


def _class_of(kind: type[nn.Module], numbers: tuple[str, ...], norm: bool) -> type[nn.Module]:
    if (kind, numbers, norm) in _CLASSES:
        return _CLASSES[kind, numbers, norm]

    def number(name: str) -> property:
        def read(self: Any) -> Any:
            return self.number(name)

        def write(self: Any, value: Any) -> None:
            self.__dict__[name] = value

        return property(read, write)

    mixin = SlicedBatchNorm if norm else Sliced
    made: Any = type(f"Sliced{kind.__name__}", (mixin, kind), {name: number(name) for name in numbers})
    made.__module__ = __name__
    _CLASSES[kind, numbers, norm] = made
    return cast("type[nn.Module]", made)


def _blank(kind: type[nn.Module], numbers: tuple[str, ...], norm: bool) -> nn.Module:
    return object.__new__(_class_of(kind, numbers, norm))
