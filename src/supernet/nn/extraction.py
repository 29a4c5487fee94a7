"""From a supernet and an architecture to plain torch modules."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import fx, nn

from supernet.errors import RunError
from supernet.nn.mutable import Mutable, tied_slices
from supernet.nn.selection import Selection
from supernet.space import Choice, Expr

_PACKAGE = __name__.partition(".")[0] + "."
_HOOKS = tuple(name for name in vars(nn.Module()) if "_hooks" in name)


def plain_module(module: nn.Module, selection: Selection, choices: Sequence[Choice]) -> nn.Module:
    """A copy of `module` in which nothing of this package is left, for the architecture that is active.

    Choice blocks give way to their chosen candidate, elastic layers to dense ones with a copy of the active
    slice. The caller's own classes and torch's stay as they are; a choice or expression among their attributes
    becomes its value. Layers that share a parameter share its copy where they take the same slice of it.
    Containers of this package (the networks of `zoo`) are traced with torch.fx into a
    GraphModule that needs nothing but torch.

    Raises:
        RunError: an attribute of a module cannot be copied, or a container of this package around the
            caller's modules cannot be traced.
    """
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        tied_slices(),
    ):  # slices show whether their parameter is frozen
        copied = _Copy(selection, choices)(module)
        _flatten(copied, set())
    return copied


class _Copy:
    """Copies a module tree like `copy.deepcopy`, with every layer with choices made plain on the way.

    What is shared (a module registered twice, tied parameters) is shared in the copy. Attributes are copied
    after all modules, so that those that refer to modules or parameters refer to the copies.
    """

    def __init__(self, selection: Selection, choices: Sequence[Choice]) -> None:
        self._option = selection.option
        self._copies: dict[int, Any] = {id(choice): selection.option(choice) for choice in choices}
        self._pairs: list[tuple[nn.Module, nn.Module]] = []

    def __call__(self, module: nn.Module) -> nn.Module:
        copied = self._tree(module)
        for original, its_copy in self._pairs:
            self._attributes(original, its_copy)
        return copied

    def _tree(self, module: nn.Module) -> nn.Module:
        if id(module) not in self._copies:
            if isinstance(module, Mutable):
                copied = self._tree(_made_plain(module))
            else:
                copied = object.__new__(type(module))
                self._pairs.append((module, copied))
                copied.__dict__["_modules"] = {
                    name: None if child is None else self._tree(child) for name, child in module._modules.items()
                }
            self._copies[id(module)] = copied
        return cast(nn.Module, self._copies[id(module)])

    def _attributes(self, module: nn.Module, copied: nn.Module) -> None:
        for name, value in vars(module).items():
            if name in _HOOKS:
                copied.__dict__[name] = type(value)()
            elif isinstance(value, Expr):
                copied.__dict__[name] = value.evaluate(self._option)
            elif name != "_modules":
                try:
                    copied.__dict__[name] = copy.deepcopy(value, self._copies)
                except (TypeError, RuntimeError) as error:
                    raise RunError(
                        f"The attribute {name!r} of {type(module).__name__} cannot be copied into the subnet: {error}. "
                        "Remove it before extracting, or give the class a __deepcopy__."
                    ) from error


def _made_plain(layer: nn.Module) -> nn.Module:
    assert isinstance(layer, Mutable)
    held = set(map(id, layer.modules()))
    made = layer.plain()
    if made is layer:
        raise RunError(f"{type(layer).__name__}.plain() returned the layer itself; it has to build a plain module.")
    for module in made.modules():
        if id(module) not in held:
            module.training = layer.training  # torch builds modules in training mode
    return made


def _flatten(module: nn.Module, done: set[int]) -> None:
    """Turn the outermost containers of this package into traced ones; leave everything else as it is."""
    if id(module) in done:
        return
    done.add(id(module))
    if _is_ours(module):
        _flatten_leaves(module, done)
        _trace(module)
    else:
        for child in module.children():
            _flatten(child, done)


def _is_ours(module: nn.Module) -> bool:
    return any(base.__module__.startswith(_PACKAGE) for base in type(module).__mro__)


def _flatten_leaves(module: nn.Module, done: set[int]) -> None:
    """A caller's module inside our container may hold our containers again."""
    for child in module.children():
        if _is_ours(child) or isinstance(child, nn.ModuleList | nn.ModuleDict):  # no calls of their own
            _flatten_leaves(child, done)
        else:
            _flatten(child, done)


def _trace(module: nn.Module) -> None:
    class Tracer(fx.Tracer):  # a local class: a GraphModule remembers any other, and could not be loaded without us
        proxy_buffer_attributes = True  # as parameters are: a slice of a buffer may be as long as the input

        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
            return not _is_ours(m)

    try:
        graph = Tracer().trace(module)
    except (fx.proxy.TraceError, TypeError) as error:
        raise RunError(
            f"{type(module).__name__} could not be written as plain torch modules: its forward depends on "
            f"tensor values ({error}). Move that control flow into a module of your own."
        ) from error
    traced = fx.GraphModule(module, graph, class_name=type(module).__name__)
    for name, inner in traced.named_modules():
        inner.training = module.get_submodule(name).training
    # The container itself becomes the traced one, wherever the caller's modules refer to it.
    module.__class__, module.__dict__ = type(traced), traced.__dict__
