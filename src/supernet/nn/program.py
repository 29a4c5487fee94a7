"""A plain module as a program of torch.export, with the names that files give its tensors."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from supernet.errors import UsageError
from supernet.io.quiet import quiet
from supernet.nn.batch import Fields, called
from supernet.nn.input_shape import InputShape, example
from supernet.nn.output import Output, as_output
from supernet.nn.untraceable import untraceable

_BATCH = 2  # a dimension of one example would be taken for one that is always 1


class Traced(NamedTuple):
    """A module as a program, with the names that files give its tensors.

    Attributes:
        program: Takes the inputs and returns the outputs, in order.
        inputs: `images` of one image, `inputs` of another single tensor, else the module's names of its arguments.
        outputs: `logits`, then `aux` and whatever else the module returns.
        is_row: Whether the program takes its inputs as one row of arguments, and returns a tuple.
    """

    program: ExportedProgram
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    is_row: bool = False


def traced(module: nn.Module, input_shape: InputShape, batch_size: int | None) -> Traced:
    """A copy of a module on the CPU as a program.

    Args:
        module: A plain module in evaluation mode.
        input_shape: Shape of one input, (C, H, W), or several by name, see `nn.Inputs`.
        batch_size: Number of images that the program takes; None: any number.

    Raises:
        RunError: the exporter cannot follow the module; names the part of it, the line and torch's reason.
    """
    module = _without_stacks(copy.deepcopy(module).cpu())
    x = example(input_shape, batch_size or _BATCH)
    try:
        with torch.no_grad():
            result = called(module, x)
        outputs = ("logits",) if isinstance(result, Tensor) else tuple(flat(as_output(result)))
        if isinstance(x, Tensor):
            inputs: tuple[str, ...] = ("images" if x.ndim == 4 else "inputs",)
            if isinstance(result, Tensor):
                return Traced(_program(module, x, free=batch_size is None), inputs, outputs)
        else:
            inputs = tuple(x)
        flattened = _Flat(module, () if isinstance(x, Tensor) else inputs)
        return Traced(_program(flattened, x, free=batch_size is None), inputs, outputs, is_row=True)
    except UsageError:
        raise
    except Exception as error:
        raise untraceable(
            module, x, error, lambda part, given: _program(part, given, free=batch_size is None)
        ) from error


def _without_stacks(module: nn.Module) -> nn.Module:
    """The module; of graphs that torch.fx has traced it no longer says which module each node is of.

    torch.export takes that for all of the nesting. The layers inside a node's module would be operations of no layer,
    and whoever looks for layers in the program, as a quantiser does, would find none.
    """
    for part in module.modules():
        if isinstance(part, torch.fx.GraphModule):
            for node in part.graph.nodes:
                node.meta.pop("nn_module_stack", None)
    return module


def retraced(traced: Traced, module: nn.Module, *, most: int | None = None) -> Traced:
    """What a program was turned into, as a program of the same inputs, outputs and names.

    Args:
        traced: The program as it was.
        module: What it was turned into: `traced.program.module()`, changed.
        most: Largest number of examples that it takes, where the program takes any; None: any.

    Raises:
        Exception: whatever torch raises where it cannot follow the module.
    """
    # of as many examples as there may be: what later tools note of this batch as a bound then bounds nothing
    batch = batch_of(traced.program) or most or _BATCH
    given = [_filled(value, batch) for value in inputs_of(traced.program)]
    dynamic = _free(len(given), row=traced.is_row, most=most) if batch_of(traced.program) is None else None
    with torch.no_grad(), quiet():
        return traced._replace(program=torch.export.export(module, tuple(given), dynamic_shapes=dynamic))


class _Flat(nn.Module):
    """A module that takes tensors in order and returns a tuple of tensors: what every format can write."""

    def __init__(self, module: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.module, self._names = module, names

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        x = dict(zip(self._names, inputs, strict=True)) if self._names else inputs[0]
        return tuple(flat(as_output(called(self.module, x))).values())


def flat(output: Output) -> dict[str, Tensor]:
    """All tensors of an output by name, the logits first."""
    aux = {f"aux{number or ''}": tensor for number, tensor in enumerate(output.aux)}
    return {"logits": output.logits, **aux, **output.heads}


def named(outputs: Sequence[str], tensors: Sequence[Tensor]) -> Output:
    """The inverse of `flat`: tensors in order, under the names that `flat` gives."""
    found = dict(zip(outputs, tensors, strict=True))
    logits = found.pop("logits")
    aux = [name for name in found if re.fullmatch(r"aux\d*", name)]
    return Output(logits, tuple(found.pop(name) for name in aux), found)


def inputs_of(program: ExportedProgram) -> list[Tensor]:
    """A tensor without values for each input of a program, with its sizes and type."""
    nodes = {node.name: node for node in program.graph.nodes}
    return [nodes[name].meta["val"] for name in program.graph_signature.user_inputs]


def batch_of(program: ExportedProgram) -> int | None:
    """The number of images that a program takes; None: any number."""
    size = inputs_of(program)[0].shape[0]
    return size if isinstance(size, int) else None


def _program(module: nn.Module, x: Fields, *, free: bool) -> ExportedProgram:
    given = (x,) if isinstance(x, Tensor) else tuple(x.values())
    dynamic = _free(len(given), row=isinstance(module, _Flat)) if free else None
    with torch.no_grad(), quiet():
        return torch.export.export(module, given, dynamic_shapes=dynamic)


def _free(count: int, *, row: bool, most: int | None = None) -> Any:
    """The number of examples of each input left open; a row of arguments is one argument to torch."""
    size = Dim("batch") if most is None else Dim("batch", max=most)
    dynamic = tuple({0: size} for _ in range(count))
    return (dynamic,) if row else dynamic


def _filled(value: Tensor, batch: int) -> Tensor:
    """An input of the sizes and type that a program notes: zeros, or ones of whole numbers and truth values."""
    fill = torch.zeros if value.dtype.is_floating_point else torch.ones
    return fill(batch, *map(int, value.shape[1:]), dtype=value.dtype)
