"""Spaces, methods and data by name, for the command line and for configuration files."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from supernet.data import ImageData
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.recipe import Recipe

if TYPE_CHECKING:
    from supernet.runs.config import Config
    from supernet.search import Shifting


def listed(package: ModuleType) -> dict[str, str]:
    """Public functions of a package, each with the first line of its docstring."""
    found = {}
    for name in package.__all__:
        value = getattr(package, name)
        signature = inspect.isfunction(value) and inspect.signature(value).return_annotation
        if signature in ("Supernet", "Recipe"):
            found[name] = (inspect.getdoc(value) or "").partition("\n")[0]
    return found


def build_space(name: str, options: Mapping[str, Any], data: ImageData) -> Supernet:
    """The supernet of a named space, fitted to the shape and classes of the data.

    Args:
        name: A name of `supernet.zoo`, or `module:function` for a function of one's own that returns a Supernet
            or a module with choices.
        options: Arguments of the builder; `num_classes`, `in_channels` and `image_size` follow the data unless given.
        data: The images the supernet is for.

    Raises:
        UsageError: an unknown name or option.
    """
    from supernet import zoo

    builder = _own(name) if ":" in name else _public(zoo, name, "space")
    channels, height, _ = data.shape
    parameters = inspect.signature(builder).parameters
    fitting = {"num_classes": data.num_classes, "in_channels": channels, "image_size": height}
    built = _call(builder, name, {k: v for k, v in fitting.items() if k in parameters} | dict(options))
    return built if isinstance(built, Supernet) else Supernet(built)


def build_net(config: Config, data: ImageData) -> Supernet:
    """The supernet of a run with fresh weights, on the images as they are after a transfer; errors: `build_space`."""
    from supernet.runs.transfer import data_before, transferred

    built = build_space(config.space.name, config.space.options, data_before(data, config.transfer))
    return transferred(built, data, config.transfer)


def build_method(name: str, options: Mapping[str, Any]) -> Recipe:
    """The recipe of a named method, or of `module:function`.

    An option that is an object is written as a table with the name of the piece in `supernet.train` and its
    settings, such as `{"piece": "ComplexityAwareLR", "gamma_max": 4.0}`.

    Raises:
        UsageError: an unknown name or option.
    """
    from supernet import methods

    function = _own(name) if ":" in name else _public(methods, name, "method")
    recipe = _call(function, name, {option: _piece(value) for option, value in options.items()})
    if not isinstance(recipe, Recipe):
        raise UsageError(f"{name} returned {type(recipe).__name__}; a method is a function that returns a Recipe.")
    return recipe


def build_data(name: str, options: Mapping[str, Any], *, seed: int) -> ImageData:
    """Images by the name of a data set, a directory or an .npz file.

    Raises:
        UsageError: an unknown name or option.
    """
    from supernet import data

    loaded = _call(data.load, name, {"source": name, "seed": seed} | dict(options))
    assert isinstance(loaded, ImageData)
    return loaded


def build_shifting(options: Mapping[str, Any]) -> Shifting:
    """Supernet shifting with these settings.

    Raises:
        UsageError: an unknown setting, or one outside its range.
    """
    from supernet.search import Shifting

    shifting = _call(Shifting, "Shifting", options)
    assert isinstance(shifting, Shifting)
    return shifting


def _piece(value: Any) -> Any:
    """The object that a table with the key `piece` describes; any other value as it is."""
    from supernet import train

    if not isinstance(value, Mapping) or "piece" not in value:
        return value
    name = value["piece"]
    known = [n for n in train.__all__ if inspect.isclass(getattr(train, n))]
    if name not in known:
        raise UsageError(f"There is no piece {name!r} in supernet.train; there are {', '.join(known)}.")
    settings = {key: _piece(item) for key, item in value.items() if key != "piece"}
    return _call(getattr(train, name), name, settings)


def _public(package: ModuleType, name: str, kind: str) -> Callable[..., Any]:
    known = listed(package)
    if name not in known:
        raise UsageError(
            f"There is no {kind} named {name!r}; there are {', '.join(known)}. "
            "One of your own is given as module:function."
        )
    function: Callable[..., Any] = getattr(package, name)
    return function


def _own(name: str) -> Callable[..., Any]:
    module, _, attribute = name.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # a module beside the caller, as `python -m` would find it
    try:
        value = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"{name!r} could not be found ({error}). Give module:function, with the module importable from here."
        ) from error
    if not callable(value):
        raise UsageError(f"{name!r} is not a function; give one that builds what is asked for.")
    function: Callable[..., Any] = value
    return function


def _call(function: Callable[..., Any], name: str, options: Mapping[str, Any]) -> Any:
    parameters = inspect.signature(function).parameters
    unknown = [option for option in options if option not in parameters]
    if unknown:
        allowed = [p for p in parameters if p != "source"]
        raise UsageError(f"{name} has no option {unknown[0]!r}; it has {', '.join(allowed) if allowed else 'none'}.")
    try:
        return function(**options)
    except TypeError as error:
        given = ", ".join(f"{option}={value!r}" for option, value in options.items())
        raise UsageError(f"{name} cannot be built with {given}: {error}.") from error
