"""From a supernet and an architecture to plain torch modules."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import fx, nn

from supernet.errors import RunError
from supernet.nn.mutable import Mutable

_PACKAGE = __name__.partition(".")[0] + "."

_Done: TypeAlias = dict[int, tuple[nn.Module, nn.Module]]
"""By id: a module and what it became. The module is kept so that its id stays its own."""


def plain_module(module: nn.Module) -> nn.Module:
    """A copy of `module` in which nothing of this package is left, for the architecture that is active.

    Choice blocks give way to their chosen candidate, elastic layers to dense ones with a copy of the active
    slice. The caller's own classes and torch's stay as they are. Containers of this package (the networks of
    `zoo`) are traced with torch.fx into a GraphModule that needs nothing but torch.

    Raises:
        RunError: a container of this package around the caller's modules cannot be traced.
    """
    return _flatten(_strip(module, {}), {})


def _strip(module: nn.Module, done: _Done) -> nn.Module:
    """Replace every layer with choices; the result shares nothing with the original."""
    if id(module) not in done:
        if isinstance(module, Mutable):
            copied = _strip(module.plain(), done)
            copied.training = module.training  # a freshly built dense layer starts in training mode
        else:
            copied = _clone(module, done)
        done[id(module)] = (module, copied)
    return done[id(module)][1]


def _clone(module: nn.Module, done: _Done) -> nn.Module:
    clone = module.__class__.__new__(module.__class__)
    clone.__dict__.update(module.__dict__)
    for kind in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
        clone.__dict__[kind] = type(module.__dict__[kind])()
    clone._parameters = {name: _copied(p) for name, p in module._parameters.items()}
    clone._buffers = {name: _copied(b) for name, b in module._buffers.items()}
    clone._non_persistent_buffers_set = set(module._non_persistent_buffers_set)
    clone._modules = {name: None if m is None else _strip(m, done) for name, m in module._modules.items()}
    return clone


def _copied(tensor: Any) -> Any:
    if tensor is None:
        return None
    copied = tensor.detach().clone()
    return nn.Parameter(copied, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else copied


def _flatten(module: nn.Module, done: _Done) -> nn.Module:
    """Trace the outermost containers of this package; leave everything else in place."""
    if id(module) not in done:
        flat = module
        if _is_ours(module):
            flat = _traced(module, done)
        else:
            for name, child in module._modules.items():
                if child is not None:
                    module._modules[name] = _flatten(child, done)
        done[id(module)] = (module, flat)
    return done[id(module)][1]


def _is_ours(module: nn.Module) -> bool:
    return type(module).__module__.startswith(_PACKAGE)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not _is_ours(m)


def _traced(module: nn.Module, done: _Done) -> nn.Module:
    for inner in list(module.modules()):
        if not _is_ours(inner):  # a caller's module inside our container may hold our containers again
            _flatten(inner, done)
    try:
        graph = _Tracer().trace(module)
    except (torch.fx.proxy.TraceError, TypeError) as error:
        raise RunError(
            f"{type(module).__name__} could not be written as plain torch modules: its forward depends on "
            f"tensor values ({error}). Move that control flow into a module of your own."
        ) from error
    traced = fx.GraphModule(module, graph, class_name=type(module).__name__)
    traced.train(module.training)
    return traced
