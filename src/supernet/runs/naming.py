"""Spaces, methods and data by name, for the command line and for configuration files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from supernet import catalog, settings
from supernet.data import ImageData
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.recipe import Recipe

if TYPE_CHECKING:
    from supernet.runs.config import Config
    from supernet.search import Shifting


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
    builder = catalog.load("spaces", name)
    channels, height, _ = data.shape
    parameters = settings.parameters_of(builder)
    fitting = {"num_classes": data.num_classes, "in_channels": channels, "image_size": height}
    fitted = {key: value for key, value in fitting.items() if key in parameters and key not in options}
    built = settings.call(partial(builder, **fitted), options, name=name)
    if not isinstance(built, nn.Module):
        raise UsageError(
            f"{name} returned {type(built).__name__}; a space is a function that returns a Supernet or a module with "
            "choices."
        )
    return built if isinstance(built, Supernet) else Supernet(built)


def build_net(config: Config, data: ImageData) -> Supernet:
    """The supernet of a run with fresh weights, on the images as they are after a transfer; errors: `build_space`."""
    from supernet import deploy

    built = build_space(config.space.name, config.space.options, deploy.data_before(data, config.transfer))
    return deploy.transferred(built, data, config.transfer)


def build_method(name: str, options: Mapping[str, Any]) -> Recipe:
    """The recipe of a named method, or of `module:function`.

    Options have dotted names that reach into values, see `supernet.settings`: `weights.lr`.

    Raises:
        UsageError: an unknown name or option, or a value that does not fit.
    """
    recipe = settings.build("methods", name, options)
    if not isinstance(recipe, Recipe):
        raise UsageError(f"{name} returned {type(recipe).__name__}; a method is a function that returns a Recipe.")
    return recipe


def build_data(name: str, options: Mapping[str, Any], *, seed: int) -> ImageData:
    """Images by the name of a data set, a directory, an .npz file, or `module:function`.

    Raises:
        UsageError: an unknown name or option, or a value that does not fit.
    """
    from supernet import data

    if (catalog.is_own(name) or name in catalog.names("data")) and not Path(name).exists():
        function = catalog.load("data", name)
        seeded = {"seed": seed} if "seed" in settings.parameters_of(function) else {}
    else:
        function, seeded = partial(data.load, str(settings.expanded(name))), {"seed": seed}
    loaded = settings.call(function, seeded | dict(options), name=name)
    if not isinstance(loaded, ImageData):
        raise UsageError(f"{name} returned {type(loaded).__name__}; a data set is a function that returns ImageData.")
    return loaded


def build_shifting(options: Mapping[str, Any]) -> Shifting:
    """Supernet shifting with these settings.

    Raises:
        UsageError: an unknown setting, or one outside its range.
    """
    from supernet.search import Shifting

    return settings.call(Shifting, options)
