"""Models of other libraries by name, with weights from a file."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError  # raised by torch's reader for what it will not run
from typing import Any

import torch
from torch import Tensor, nn

from supernet.catalog.entry import imported, is_own
from supernet.errors import UsageError
from supernet.io.quiet import quiet

_CONFIG = "config.json"


def load_model(
    model: str,
    *,
    arguments: Mapping[str, Any] | None = None,
    weights: str | Path | None = None,
    num_classes: int | None = None,
) -> nn.Module:
    """A model by name, in evaluation mode.

    Args:
        model: `module:function` that builds it, such as `torchvision.models:resnet18` or `timm:create_model`; or a
            folder that transformers has saved, of which the class in `config.json` loads it, weights included.
        arguments: Arguments of the function, by name.
        weights: A file with its state dict (.safetensors, or one of `torch.save`, read without running anything in
            it); None: as the function gives them.
        num_classes: The argument of this name, where the function takes it and `arguments` does not have it.

    Raises:
        UsageError: there is no such function, it does not take the arguments or gives no module, the folder holds no
            model, or the weights do not fit.
    """
    given = arguments_of(model, arguments, num_classes)
    if (Path(model) / _CONFIG).is_file():
        if given or weights is not None:
            raise UsageError(f"The folder {model} holds a model with its weights; leave arguments and weights out.")
        return _of_transformers(Path(model)).eval()
    if not is_own(model):
        raise UsageError(
            f"The model {model!r} is neither module:function, such as torchvision.models:resnet18, nor a folder with a "
            f"{_CONFIG} that transformers has saved."
        )
    build = imported(model, "The model")
    try:
        made = build(**given)
    except Exception as error:
        told = ", ".join(f"{name}={value!r}" for name, value in given.items()) or "no arguments"
        raise UsageError(f"{model}, called with {told}, failed: {type(error).__name__}: {error}") from error
    if not isinstance(made, nn.Module):
        raise UsageError(f"{model} gave a {type(made).__name__}; name a function that returns a torch module.")
    if weights is not None:
        _fill(made, Path(weights), model)
    return made.eval()


def arguments_of(model: str, arguments: Mapping[str, Any] | None, num_classes: int | None) -> dict[str, Any]:
    """The arguments that a model's function is called with: those that were given, and perhaps `num_classes`."""
    given = dict(arguments or {})
    wanted = num_classes is not None and "num_classes" not in given and is_own(model)
    if wanted and _takes(imported(model, "The model"), "num_classes"):
        given["num_classes"] = num_classes
    return given


def _takes(build: Any, name: str) -> bool:
    parameters = inspect.signature(build).parameters
    return name in parameters or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())


def _of_transformers(folder: Path) -> nn.Module:
    try:
        import transformers
    except ImportError as error:
        raise UsageError(
            f"The folder {folder} holds a model of transformers, which is not installed: pip install transformers."
        ) from error
    names = json.loads((folder / _CONFIG).read_text()).get("architectures") or [""]
    kind = getattr(transformers, names[0], None)
    if kind is None:
        raise UsageError(
            f"{folder / _CONFIG} names the architecture {names[0]!r}, which transformers {transformers.__version__} "
            "does not have. Load it in Python and give it to supernet.elastic."
        )
    with quiet():  # a bar of progress of its own
        made: nn.Module = kind.from_pretrained(folder)
    return made


def _fill(model: nn.Module, file: Path, name: str) -> None:
    if not file.is_file():
        raise UsageError(f"There is no file {file} with weights for {name}.")
    state = _read(file)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            f"The weights in {file} do not fit {name}: {reason[:400]}. Give the arguments that the model was trained "
            "with, such as num_classes."
        ) from error


def _read(file: Path) -> Mapping[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        read = load_file(file) if file.suffix == ".safetensors" else torch.load(file, "cpu", weights_only=True)
    except UnpicklingError as error:
        raise UsageError(f"{file} holds more than tensors; save a state_dict of the model, and give that.") from error
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, LookupError) as error:
        reason = str(error) if not isinstance(error, LookupError) else "it is no file of torch.save"
        raise UsageError(
            f"{file} cannot be read as weights: {reason}. Give a file of torch.save(model.state_dict(), …), or a "
            ".safetensors."
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(read, Mapping) and isinstance(read.get(key), Mapping):
            read = read[key]
    if not isinstance(read, Mapping) or not all(isinstance(value, Tensor) for value in read.values()):
        raise UsageError(f"{file} holds no state dict: names with tensors. Save model.state_dict() and give that.")
    for around in ("module.", "_orig_mod."):  # of DataParallel, of torch.compile
        if read and all(str(name).startswith(around) for name in read):
            read = {str(name).removeprefix(around): tensor for name, tensor in read.items()}
    return read
