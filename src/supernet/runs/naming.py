"""Spaces, methods and data by name, for the command line and for configuration files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from torch import nn

from supernet import catalog, data, settings
from supernet.catalog.entry import Kind
from supernet.data import Data, ImageData, Noise
from supernet.deploy.new_data import fitted
from supernet.deploy.resize import resized
from supernet.errors import UsageError
from supernet.io.config import THAT_OF_THE_DATA, Config, Named, Searching
from supernet.measure import Calibration, Predictor
from supernet.nn import Supernet
from supernet.quantity import SCORE
from supernet.search import Searcher, Shifting, WithPredictor
from supernet.tasks import Task
from supernet.train.recipe import Recipe


def build_space(name: str, options: Mapping[str, Any], data: Data) -> Supernet:
    """The supernet of a named space, fitted to the shape and classes of the data.

    Args:
        name: A name of `supernet.zoo`, or `module:function` for a function of one's own that returns a Supernet
            or a module with choices.
        options: Arguments of the builder; those of these names follow the data unless given: `num_classes` (the
            number of values that the task asks for), `in_channels` and `image_size` of images, `input_shape`.
        data: The images the supernet is for.

    Raises:
        UsageError: an unknown name or option.
    """
    builder = catalog.load("spaces", name)
    parameters = settings.parameters_of(builder)
    fitting: dict[str, Any] = {"num_classes": data.outputs, "input_shape": data.shape}
    if isinstance(data.shape, tuple) and len(data.shape) == 3:
        fitting |= {"in_channels": data.shape[0], "image_size": data.shape[1]}
    shaped = {key: value for key, value in fitting.items() if key in parameters and key not in options}
    built = settings.call(partial(builder, **shaped), options, name=name)
    if not isinstance(built, nn.Module):
        raise UsageError(
            f"{name} returned {type(built).__name__}; a space is a function that returns a Supernet or a module with "
            "choices."
        )
    return built if isinstance(built, Supernet) else Supernet(built)


def build_net(config: Config, data: Data) -> Supernet:
    """The supernet of a run with fresh weights, on the images as they are after a transfer; errors: `build_space`."""
    moved = config.transfer
    if moved is None:
        return build_space(config.space.name, config.space.options, data)
    if not isinstance(data, ImageData):
        raise UsageError(f"A transfer brings images to a supernet for images; {data.name} holds {data.shape}.")
    classes = tuple(map(str, range(moved.num_classes)))
    built = build_space(config.space.name, config.space.options, replace(data, shape=moved.shape, classes=classes))
    return fitted(built, data, classifier=moved.classifier, shape=moved.shape, adapt=moved.adapt)


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


def build_data(config: Config) -> Data:
    """The images of a run: a data set by name, a directory, an .npz file or `module:function`.

    Options `noise.…` are settings of `data.Noise`, for any data set whose function has no `noise` of its own.
    After a transfer they are resized, unless the network learns to.

    Raises:
        UsageError: an unknown name or option, or a value that does not fit.
    """
    name, moved = config.data.name, config.transfer
    if (catalog.is_own(name) or name in catalog.names("data")) and not Path(name).exists():
        function = catalog.load("data", name)
        seeded = {"seed": config.seed} if "seed" in settings.parameters_of(function) else {}
    else:
        function, seeded = partial(data.load, str(settings.expanded(name))), {"seed": config.seed}
    options, noise = _apart(config.data.options, own="noise" in settings.parameters_of(function))
    loaded = settings.call(function, seeded | options, name=name)
    if not isinstance(loaded, Data):
        raise UsageError(
            f"{name} returned {type(loaded).__name__}; a data set is a function that returns Data, such as "
            "data.from_arrays(…) or data.from_datasets(…) give it."
        )
    if noise:
        loaded = settings.call(Noise, noise, name="noise")(loaded)
    if config.task is not None:
        loaded = loaded.for_task(_task(loaded, config.task))
    return resized(loaded, moved.shape) if moved is not None and moved.adapt != "learned" else loaded


def _apart(options: Mapping[str, Any], *, own: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of a data set, and those of the noise that is put on it."""
    plain, noise = dict[str, Any](), dict[str, Any]()
    for name, value in options.items():
        first, _, rest = name.partition(".")
        if own or first != "noise":
            plain[name] = value
        elif rest:
            noise[rest] = value
        elif isinstance(value, Mapping):
            noise |= value
        else:
            raise UsageError(
                f"noise is {value!r}; it has settings such as noise.labels.rate=0.2, noise.train.kind=gaussian_noise "
                "or noise.test.severity=5."
            )
    return plain, noise


def _task(data: Data, asked: Named) -> Task:
    """The task that is asked for: one of its own, or that of the data with other settings."""
    if asked.name != THAT_OF_THE_DATA:
        return build_task(asked.name, asked.options)
    task: Any = data.task
    if not is_dataclass(task):
        raise UsageError(
            f"The task of {data.name}, {type(task).__name__}, is no dataclass, so that its settings cannot be "
            "changed. Name a task with --task."
        )
    changed: Any = settings.changed(task, asked.options)
    return cast(Task, changed)


def build_task(name: str, options: Mapping[str, Any]) -> Task:
    """The task of a name, or of `module:name`, with these settings.

    Raises:
        UsageError: an unknown name or setting, or a value that does not fit.
    """
    return cast(Task, _value("tasks", Task, "tasks.Classification()", name, options))


def build_searcher(name: str, options: Mapping[str, Any]) -> Searcher:
    """The searcher of a name, or of `module:name`, with these settings; errors as of `build_task`."""
    return cast(Searcher, _value("searchers", Searcher, "search.NSGA2()", name, options))


def build_predictor(name: str, options: Mapping[str, Any]) -> Predictor:
    """The predictor of a name, or of `module:name`, with these settings; errors as of `build_task`."""
    return cast(Predictor, _value("predictors", Predictor, "measure.MLP()", name, options))


def _value(kind: Kind, protocol: Any, example: str, name: str, options: Mapping[str, Any]) -> Any:
    """What a name stands for with these settings, if it is a value of this protocol, such as `example`."""
    made = settings.build(kind, name, options)
    if not isinstance(made, protocol):
        raise UsageError(
            f"{name} returned {type(made).__name__}; a {kind.removesuffix('s')} is a value such as {example}."
        )
    return made


def build_search(asked: Searching) -> Searcher:
    """The searcher of a configuration, on predictions where these are configured; errors as of both."""
    searcher = build_searcher(asked.searcher, asked.searcher_options)
    if asked.predictor is None:
        return searcher
    return WithPredictor(
        searcher=searcher,
        predictor=build_predictor(asked.predictor, asked.predictor_options),
        measured=asked.measured,
        queries=asked.queries,
        picks=asked.picks,
    )


def objectives_asked(asked: Searching) -> tuple[str, ...]:
    """The objectives of a configuration: what subnets rank by and MACs by default, as many as its searcher can have."""
    if asked.objectives is not None:
        return asked.objectives
    most = getattr(build_searcher(asked.searcher, asked.searcher_options), "most_objectives", None)
    return (SCORE, "macs")[:most]


def build_calibration(settings: Searching) -> Calibration:
    """How the architectures of a search, and of a judgement, get their batch norm statistics."""
    match settings.calibration:
        case "spos":
            return Calibration.spos()
        case "ofa":
            return Calibration.ofa()
        case "attentive":
            return Calibration.attentive()
        case "pooled":
            return Calibration(images=settings.calibration_images)


def build_shifting(options: Mapping[str, Any]) -> Shifting:
    """Supernet shifting with these settings.

    Raises:
        UsageError: an unknown setting, or one outside its range.
    """
    return settings.call(Shifting, options)
