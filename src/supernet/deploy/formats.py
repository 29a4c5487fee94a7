"""What a plain module becomes: a program of torch.export, and from it an ONNX model."""

from __future__ import annotations

import contextlib
import copy
import io
import linecache
import re
import traceback
import warnings
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from supernet import __version__
from supernet.errors import RunError, UsageError, require
from supernet.measure.costs.counting import BATCH
from supernet.nn.batch import Fields, called
from supernet.nn.input_shape import InputShape, example
from supernet.nn.output import Output, as_output

Format: TypeAlias = Literal["onnx", "program"]
"""`"onnx"`: an ONNX model (`.onnx`). `"program"`: a program of `torch.export` (`.pt2`)."""

SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "program": ".pt2"}
OPSET = 20


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
    module = copy.deepcopy(module).cpu()
    x = example(input_shape, batch_size or BATCH)
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
        place = _place(module, error) or _smallest_failing(module, x, free=batch_size is None)
        specialised = "Constraints violated" in str(error)
        advice = (
            "Write it without the batch size as a Python number, or export a fixed batch (batch_size=1)"
            if specialised
            else "Write it in tensor operations (such as torch.where) whose course does not depend on values"
        )
        raise RunError(
            f"The network cannot be exported: an exporter cannot follow {place} ({_reason(error)}). {advice}."
        ) from error


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


def program_bytes(traced: Traced, architecture: str) -> bytes:
    """Content of a `.pt2` file; `torch.export.load` reads it."""
    file, program = io.BytesIO(), traced.program
    program.example_inputs = None  # torch would pickle them into the file
    torch.export.save(program, file, extra_files={"architecture.json": architecture})
    return file.getvalue()


def onnx_bytes(traced: Traced, architecture: str) -> bytes:
    """Content of an `.onnx` file (operator set 20), weights included.

    Raises:
        RunError: the packages of the extra `export` are missing, or ONNX lacks an operation; names it and its module.
    """
    for package in ("onnx", "onnxscript"):
        require(package, "export", "Writing ONNX files")
    program, inputs, outputs, is_row = traced
    free = batch_of(program) is None
    axes: Any = tuple({0: "batch"} for _ in inputs)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="# The axis name")  # of several inputs with one batch
            converted = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=((axes,) if is_row else axes) if free else None,
                verbose=False,
            )
    except Exception as error:
        raise RunError(
            f"The network cannot be written as ONNX: {_unknown_operation(program, error)}. Use another operation "
            "there, or write a program of torch.export alone (formats=('program',))."
        ) from error
    assert converted is not None
    model = converted.model_proto
    model.producer_name, model.producer_version = "supernet", __version__
    for key, value in (("supernet.architecture", architecture), ("supernet.version", __version__)):
        model.metadata_props.add(key=key, value=value)
    return cast(bytes, model.SerializeToString())


def batch_of(program: ExportedProgram) -> int | None:
    """The number of images that a program takes; None: any number."""
    size = _inputs(program)[0].shape[0]
    return size if isinstance(size, int) else None


def first_line(error: BaseException) -> str:
    """The first sentence of an error, or its type where it says nothing."""
    return f"{error}".strip().partition("\n")[0].partition(". ")[0].rstrip(".") or type(error).__name__


_TORCH = torch.__path__[0]

# -- where an exporter fails ---------------------------------------------------------------------------


def _program(module: nn.Module, x: Fields, *, free: bool) -> ExportedProgram:
    silent = io.StringIO()
    sizes = {0: Dim("batch")}
    with torch.no_grad(), contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
        given = (x,) if isinstance(x, Tensor) else tuple(x.values())
        dynamic: Any = tuple(sizes for _ in given)
        if isinstance(module, _Flat):
            dynamic = (dynamic,)
        return torch.export.export(module, given, dynamic_shapes=dynamic if free else None)


def _inputs(program: ExportedProgram) -> list[Tensor]:
    nodes = {node.name: node for node in program.graph.nodes}
    return [nodes[name].meta["val"] for name in program.graph_signature.user_inputs]


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


def _smallest_failing(module: nn.Module, x: Fields, *, free: bool, name: str = "") -> str:
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
                _program(part, inputs[child], free=free)
            except Exception:
                whole = f"{name}.{child}" if name else child
                return _smallest_failing(part, inputs[child], free=free, name=whole)
    return _named(name, module)


def _unknown_operation(program: ExportedProgram, error: BaseException) -> str:
    texts = [str(cause) for cause in _causes(error)]
    operation = next((m[1] for text in texts if (m := re.search(r"op='([\w.:]+)'", text))), "")
    reason = first_line(list(_causes(error))[-1])
    if not operation:
        return reason
    base = operation.rpartition(".")[2]
    for node in program.graph.nodes:
        if base in str(node.target) and node.meta.get("nn_module_stack"):
            name, kind = list(node.meta["nn_module_stack"].values())[-1]
            kind = kind if isinstance(kind, str) else kind.__name__
            return f"{name or 'the network'} ({kind.rpartition('.')[2]}) uses {node.target}, which ONNX does not know"
    return f"it uses {operation}, which ONNX does not know"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _named(name: str, module: Any) -> str:
    return f"{name} ({type(module).__name__})" if name else f"the network itself ({type(module).__name__})"
