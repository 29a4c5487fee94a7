"""A subnet of a model as a folder that loads without this package."""

from __future__ import annotations

import importlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.io.files import write_atomically
from supernet.io.quiet import quiet
from supernet.nn.sliced import Sliced
from supernet.nn.stack import Stack
from supernet.pretrained.elastic import ElasticModel, relative_gap
from supernet.pretrained.follow import arguments, outputs
from supernet.pretrained.plain_config import plain_config
from supernet.space import Arch

_LOADER = "network.py"
_MODELLING = "modeling_subnet.py"
_TOLERANCE = 1e-5
WRITTEN = ("README.md", "config.json", "generation_config.json", "model.safetensors", "sizes.json", _LOADER, _MODELLING)
"""The files that `save_folder` may write."""


def save_folder(
    net: ElasticModel,
    arch: Arch,
    folder: Path | str,
    *,
    example: Any,
    build: str = "",
    arguments: Mapping[str, Any] | None = None,
    scores: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Write a subnet as a folder that needs torch and the model's own library, and nothing of this package.

    It holds the weights (`model.safetensors`), the sizes that differ from the model's (`sizes.json`), a file that
    builds the model and gives it these sizes (`network.py`, with a function `load`), and a card (`README.md`). A model
    of transformers gets `config.json`, and `modeling_subnet.py` where its layers differ in ways that no configuration
    says: then `from_pretrained(folder, trust_remote_code=True)` of the Auto classes loads it, else `from_pretrained`
    as ever. Then the folder is loaded and compared.

    BatchNorms go out with the statistics that the network holds: after a training of many subnets call
    `measure.calibrate(net, arch, data)` first.

    Args:
        net: The supernet that `elastic` made.
        arch: The subnet.
        folder: The folder; a new one, or an empty one.
        example: What the model takes, as for `elastic`; what is loaded is compared on it.
        build: What builds the model, as `module:function`, such as `timm:create_model`. Not needed for transformers.
        arguments: Its arguments, by name, as JSON has them.
        scores: Scores for the card, by name.

    Returns:
        The largest difference of outputs between what was loaded and the subnet, as `difference`, and the parameters of
        both as `params` and `params_of_model`.

    Raises:
        UsageError: the folder holds something, the model cannot be built so, or what was loaded computes something else
            (then the folder is taken away again).
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} holds files already. Give a new folder.")
    arch = net.space.taken(arch)
    alone = net.extract(arch).eval()
    sizes = _sizes(net, arch, alone)
    of_transformers = is_of_transformers(alone)
    if not of_transformers and not build:
        raise UsageError(
            f"{type(alone).__name__} is not a model of transformers, so its folder has to say how it is built: give "
            "build='module:function' and arguments={…}, such as build='torchvision.models:resnet18'."
        )
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if of_transformers:
            _write_transformers(alone, sizes, folder, plain_config(net, arch, alone, example))
        else:
            _write_loader(alone, sizes, folder, build, dict(arguments or {}))
        loaded = _loaded(folder, alone)
        gap = _difference(loaded, alone, example)
    except BaseException:
        shutil.rmtree(folder)
        raise
    if gap > _TOLERANCE:
        shutil.rmtree(folder)
        raise UsageError(
            f"What was loaded from {folder} differs from the subnet by {gap:.2g}, so the folder was not kept. Check "
            f"that {build or type(alone).__name__} builds the model that was made elastic."
        )
    found = {
        "difference": gap,
        "params": float(sum(p.numel() for p in alone.parameters())),
        "params_of_model": float(sum(p.numel() for p in net.parameters())),
    }
    usage = _usage(folder, type(alone).__name__) if of_transformers else _BY_LOADER
    card = _card(arch, alone, found, scores or {}, usage)
    write_atomically(folder / "README.md", card.encode())
    return found


def _sizes(net: ElasticModel, arch: Arch, alone: nn.Module) -> dict[str, Any]:
    """What of the model is another size in the subnet: lists, numbers of modules, shapes of tensors."""
    lists: dict[str, list[str]] = {}
    numbers: dict[str, dict[str, Any]] = {}
    with net.active(arch):
        for name, module in net.module.named_modules():
            if isinstance(module, Stack):
                lists[name] = module.kept_names()
            elif isinstance(module, Sliced):
                numbers[name] = {key: module.number(key) for key in module.number_names}
    renamed = _renamed(lists)
    whole = net.module.state_dict()
    names = {renamed(name): name for name in whole if renamed(name)}
    shapes = {
        name: list(tensor.shape)
        for name, tensor in alone.state_dict().items()
        if tensor.shape != whole[names[name]].shape
    }
    kept = {renamed(name): values for name, values in numbers.items() if renamed(name) is not None and values}
    return {"lists": lists, "numbers": {str(name): values for name, values in kept.items()}, "shapes": shapes}


def _renamed(lists: Mapping[str, Sequence[str]]) -> Any:
    """Names in the model as names in the subnet, whose lists are numbered anew; None: it is gone."""

    def new(name: str) -> str | None:
        parts: list[str] = []
        place = ""
        for part in name.split(".") if name else []:
            if place in lists and part.isdigit():
                if part not in lists[place]:
                    return None
                parts.append(str(list(lists[place]).index(part)))
            else:
                parts.append(part)
            place = f"{place}.{part}".lstrip(".")
        return ".".join(parts)

    return new


def is_of_transformers(model: nn.Module) -> bool:
    """Whether a model is one of transformers, which its Auto classes load."""
    return hasattr(model, "save_pretrained") and hasattr(getattr(model, "config", None), "to_dict")


def _tensors(alone: nn.Module) -> tuple[dict[str, Tensor], list[list[str]]]:
    """The tensors of a model, tied ones once, and the names of those that are tied."""
    names: dict[int, list[str]] = {}
    state = alone.state_dict(keep_vars=True)
    for name, tensor in state.items():
        names.setdefault(id(tensor), []).append(name)
    tied = [held for held in names.values() if len(held) > 1]
    dropped = {name for held in tied for name in held[1:]}
    return {n: t.detach().contiguous().clone() for n, t in state.items() if n not in dropped}, tied


def _write_loader(alone: nn.Module, sizes: dict[str, Any], folder: Path, build: str, arguments: Any) -> None:
    from safetensors.torch import save_file

    module, _, function = build.partition(":")
    if not function:
        raise UsageError(f"build is {build!r}; give module:function, such as torchvision.models:resnet18.")
    tensors, tied = _tensors(alone)
    told = {"build": build, "arguments": arguments, **sizes, "tied": tied}
    try:
        text = json.dumps(told, indent=1)
    except TypeError as error:
        raise UsageError(f"The arguments {arguments!r} of {build} are not what JSON holds: {error}.") from error
    save_file(tensors, str(folder / "model.safetensors"))
    (folder / "sizes.json").write_text(text)
    (folder / _LOADER).write_text(_HEAD.format(library=module.partition(".")[0]) + _RESIZED + _LOAD)


def _write_transformers(alone: nn.Module, sizes: dict[str, Any], folder: Path, plain: Any) -> None:
    """A folder for the Auto classes: with a plain configuration where there is one, else with code that resizes."""
    model: Any = alone
    if plain is not None:
        model.config = plain
        with quiet():
            model.save_pretrained(folder)
        return
    kind = type(model)
    config = model.config
    config.subnet = sizes
    config.auto_map = dict.fromkeys(_auto_classes(kind, type(config)), f"modeling_subnet.{kind.__name__}")
    config.architectures = [kind.__name__]
    with quiet():
        model.save_pretrained(folder)
    head = _HEAD.format(library="transformers") + _RESIZED
    (folder / _MODELLING).write_text(head + _SUBCLASS.format(name=kind.__name__))


def _auto_classes(kind: type, config: type) -> list[str]:
    """The Auto classes of transformers that make a model of this class."""
    library = importlib.import_module("transformers")
    found = []
    for name in dir(library):
        mapping = getattr(getattr(library, name), "_model_mapping", None) if name.startswith("AutoModel") else None
        if mapping is not None and config in mapping:
            made = mapping[config]
            if kind in (made if isinstance(made, tuple) else (made,)):
                found.append(name)
    return found


def _loaded(folder: Path, alone: nn.Module) -> nn.Module:
    """What the folder holds, by its own code."""
    file = next((name for name in (_MODELLING, _LOADER) if (folder / name).is_file()), None)
    try:
        with quiet():
            if file is None:
                kind: Any = type(alone)
                made: nn.Module = kind.from_pretrained(folder)
            else:
                made = _by_its_code(folder, file, type(alone).__name__)
    except (ImportError, AttributeError, RuntimeError, TypeError, KeyError, OSError) as error:
        raise UsageError(f"The subnet was written to {folder}, but could not be loaded: {error}") from error
    return made.eval()


def _by_its_code(folder: Path, file: str, kind: str) -> nn.Module:
    spec = importlib.util.spec_from_file_location(f"subnet_{abs(hash(folder.resolve()))}", folder / file)
    assert spec is not None
    assert spec.loader is not None
    code = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = code
    try:
        spec.loader.exec_module(code)
        made: nn.Module = getattr(code, kind).from_pretrained(folder) if file == _MODELLING else code.load()
    finally:
        del sys.modules[spec.name]
    return made


def _difference(loaded: nn.Module, alone: nn.Module, example: Any) -> float:
    args, named = arguments(example)
    with torch.no_grad():
        return relative_gap(outputs(loaded(*args, **named)), outputs(alone(*args, **named)))


_BY_LOADER = "from network import load  # in this folder\nmodel = load()"


def _usage(folder: Path, kind: str) -> str:
    if not (folder / _MODELLING).is_file():
        return f'from transformers import {kind}\nmodel = {kind}.from_pretrained("this folder")'
    return (
        "from transformers import AutoModel  # or the Auto class of its task\n"
        'model = AutoModel.from_pretrained("this folder", trust_remote_code=True)'
    )


def _card(
    arch: Arch,
    alone: nn.Module,
    found: Mapping[str, float],
    scores: Mapping[str, float],
    usage: str,
) -> str:
    share = found["params"] / found["params_of_model"]
    rows = [f"| {name} | {value:.6g} |" for name, value in scores.items()]
    table = ["", "| score | value |", "|---|---|", *rows, ""] if rows else []
    return "\n".join(
        [
            f"# A smaller {type(alone).__name__}",
            "",
            f"{found['params']:,.0f} parameters, {share:.1%} of the {found['params_of_model']:,.0f} of the model that",
            f"it was cut out of. Loaded from this folder it differs from the subnet by {found['difference']:.1g} on",
            "the example.",
            *table,
            "",
            f"```python\n{usage}\n```",
            "",
            "Which part of the model it is:",
            "",
            *(f"- {name}: {value}" for name, value in arch.options().items()),
            "",
        ]
    )


_HEAD = '''"""A smaller network, cut out of a larger one. Needs torch and {library}."""

'''

_RESIZED = '''import torch
from torch import nn


def resized(model, sizes):
    """Give a model the sizes of the smaller one; the values of tensors that change are to be loaded."""
    for name, kept in sorted(sizes["lists"].items()):
        blocks = model.get_submodule(name)
        numbered = all(key.isdigit() for key in blocks._modules)
        held = [(key, blocks._modules[key]) for key in kept]
        blocks._modules.clear()
        blocks._modules.update({str(n) if numbered else key: block for n, (key, block) in enumerate(held)})
    for name, numbers in sizes["numbers"].items():
        for key, value in numbers.items():
            setattr(model.get_submodule(name), key, tuple(value) if isinstance(value, list) else value)
    for name, shape in sizes["shapes"].items():
        place, _, key = name.rpartition(".")
        module = model.get_submodule(place)
        held = module._parameters if key in module._parameters else module._buffers
        empty = torch.empty(shape, dtype=held[key].dtype, device=held[key].device)
        is_parameter = key in module._parameters
        held[key] = nn.Parameter(empty, requires_grad=held[key].requires_grad) if is_parameter else empty
    return model
'''

_LOAD = '''

def load(folder=None):
    """The network in evaluation mode, with its weights."""
    import importlib
    import json
    from pathlib import Path

    from safetensors.torch import load_file

    folder = Path(__file__).parent if folder is None else Path(folder)
    sizes = json.loads((folder / "sizes.json").read_text())
    module, _, function = sizes["build"].partition(":")
    model = resized(getattr(importlib.import_module(module), function)(**sizes["arguments"]), sizes)
    tensors = load_file(str(folder / "model.safetensors"))
    for first, *others in sizes["tied"]:
        place, _, key = first.rpartition(".")
        shared = model.get_submodule(place)._parameters[key]
        for name in others:
            place, _, key = name.rpartition(".")
            model.get_submodule(place)._parameters[key] = shared
            tensors[name] = tensors[first]
    model.load_state_dict(tensors)
    return model.eval()
'''

_SUBCLASS = '''

import transformers


class {name}(transformers.{name}):
    """The model with the sizes that the configuration holds as `subnet`."""

    def __init__(self, config, *args, **kwargs):
        super().__init__(config, *args, **kwargs)
        resized(self, config.subnet)
'''
