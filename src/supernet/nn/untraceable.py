"""Where torch.export cannot follow a module: the part of it, its line, and torch's reason."""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from supernet.errors import RunError, causes
from supernet.nn.batch import Fields, called

_TORCH = torch.__path__[0]
_Trace = Callable[[nn.Module, Fields], object]


def untraceable(module: nn.Module, x: Fields, error: BaseException, trace: _Trace) -> RunError:
    """The error for a module that cannot be traced, as one sentence.

    Args:
        module: The module.
        x: What it was traced on.
        error: What the exporter raised.
        trace: What traces a part of the module on inputs of its own, and raises where it cannot.
    """
    place = _place(module, error) or _smallest_failing(module, x, trace)
    advice = (
        "Write it without the batch size as a Python number, or export a fixed batch (batch_size=1)"
        if "Constraints violated" in str(error)
        else "Write it in tensor operations (such as torch.where) whose course does not depend on values"
    )
    return RunError(f"The network cannot be exported: an exporter cannot follow {place} ({_reason(error)}). {advice}.")


def first_line(error: BaseException) -> str:
    """The first sentence of an error, or its type where it says nothing."""
    return f"{error}".strip().partition("\n")[0].partition(". ")[0].rstrip(".") or type(error).__name__


def _reason(error: BaseException) -> str:
    """torch's first sentence; of constraints that are violated the first one, which follows in a list."""
    listed = re.search(r"Constraints violated.*?\n\s*- (.*?)(?:\. |\.?\n)", str(error), re.DOTALL)
    return listed[1] if listed else first_line(error)


def _place(module: nn.Module, error: BaseException) -> str:
    """The innermost module that was running when it was traced, and the line of its code; empty: none."""
    names = {id(part): name for name, part in module.named_modules() if name}
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        part = frame.f_locals.get("self")
        if id(part) in names and not frame.f_code.co_filename.startswith(_TORCH):
            code = linecache.getline(frame.f_code.co_filename, line).strip()
            found = _named(names[id(part)], part) + (f", which does `{code}`" if code else "")
    return found


def _smallest_failing(module: nn.Module, x: Fields, trace: _Trace, name: str = "") -> str:
    """The innermost module that cannot be exported by itself, on the input that it has."""
    inputs: dict[str, Tensor] = {}

    def keep(child: str, given: tuple[Any, ...]) -> None:
        if len(given) == 1 and isinstance(given[0], Tensor):
            inputs.setdefault(child, given[0])

    hooks = [
        part.register_forward_pre_hook(lambda _, given, child=child: keep(child, given))
        for child, part in module.named_children()
    ]
    try:
        with torch.no_grad():
            called(module, x)
    finally:
        for hook in hooks:
            hook.remove()
    for child, part in module.named_children():
        if child in inputs:
            try:
                trace(part, inputs[child])
            except Exception:
                whole = f"{name}.{child}" if name else child
                return _smallest_failing(part, inputs[child], trace, whole)
    return _named(name, module)


def unknown_operation(program: ExportedProgram, error: BaseException, format: str) -> str:
    """The operation of a program that a format lacks, and the module that uses it, as far as the error tells."""
    texts = [str(cause) for cause in causes(error)]
    operation = next((m[1] for text in texts if (m := re.search(r"op='([\w.:]+)'", text))), "")
    reason = first_line(list(causes(error))[-1])
    if not operation:
        return reason
    base = operation.rpartition(".")[2]
    for node in program.graph.nodes:
        if base in str(node.target) and node.meta.get("nn_module_stack"):
            name, kind = list(node.meta["nn_module_stack"].values())[-1]
            kind = kind if isinstance(kind, str) else kind.__name__
            return (
                f"{name or 'the network'} ({kind.rpartition('.')[2]}) uses {node.target}, which {format} does not know"
            )
    return f"it uses {operation}, which {format} does not know"


def _named(name: str, module: Any) -> str:
    return f"{name} ({type(module).__name__})" if name else f"the network itself ({type(module).__name__})"
