"""The configuration of a run: what the command line asks for, and what a run directory keeps."""

from __future__ import annotations

import json
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from supernet.errors import UsageError


@dataclass(frozen=True)
class Named:
    """Something built by name with options, such as a space."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Training:
    """How the supernet is trained.

    Attributes:
        steps: Training steps.
        batch_size: Images per step.
        precision: `32-true` or `bf16-mixed`; subnets are also evaluated in it.
        average: Decay of a moving average of the weights, which the supernet ends with; none by default.
        accelerator: `auto`, `cpu`, `cuda`.
        devices: Processes.
        monitor_every: Steps between accuracy checks of some subnets; 0: none.
    """

    steps: int = 800
    batch_size: int = 64
    precision: str = "32-true"
    average: float | None = None
    accelerator: str = "auto"
    devices: int = 1
    monitor_every: int = 200


@dataclass(frozen=True)
class Searching:
    """How architectures are searched.

    Attributes:
        searcher: `random`, `regularised_evolution`, `evolution` or `nsga2`.
        objectives: Quantities to optimise.
        constraints: Upper bound, or [low, high], by quantity.
        budget: Architectures to evaluate.
        calibration_images: Training images that batch normalisation statistics are computed from, per architecture.
        validation_images: Validation images that accuracy is measured on; None: all.
        latency: File of a latency table or predictor that tells `latency_ms`; None: every architecture is measured.
        shifting: Settings of `search.Shifting`, empty for its defaults; None: the weights stay as they are.
        pool: Begin with the architectures that the training kept as candidates, as GreedyNAS does.
    """

    searcher: str = "nsga2"
    objectives: tuple[str, ...] = ("accuracy", "macs")
    constraints: dict[str, Any] = field(default_factory=dict)
    budget: int = 300
    calibration_images: int = 512
    validation_images: int | None = None
    latency: str | None = None
    shifting: dict[str, Any] | None = None
    pool: bool = False


@dataclass(frozen=True)
class Exporting:
    """Which networks are taken out, and how.

    Attributes:
        count: Architectures to pick along the front.
        finetune_steps: Steps of further training of each, 0: none.
        calibration_images: Training images for the final batch normalisation statistics.
    """

    count: int = 3
    finetune_steps: int = 0
    calibration_images: int = 2000

    def __post_init__(self) -> None:
        if self.count < 1 or self.finetune_steps < 0:
            raise UsageError(
                f"{self.count} networks were to be exported after {self.finetune_steps} steps of fine-tuning; "
                "give at least 1 network and 0 or more steps."
            )


@dataclass(frozen=True)
class Judging:
    """Whether the supernet's ranking is judged, and against what.

    Attributes:
        table: Ground truth, a file or a name as in `judge.read_truth`; empty: none. While training the ranking is
            followed on a sample of it.
        dataset: Which data set of a benchmark's table with several; empty: cifar10.
        metric: Which metric of such a table; empty: as `judge.read_truth` says.
        retrain: Where there is no table, train so many architectures alone; 0: none.
        retrain_steps: Steps of each of these trainings; 0: as many as the supernet's.
        archs: Architectures of the table to judge on.
        monitor_archs: Architectures of the table to follow while training.
        workers: Processes that train architectures alone.
    """

    table: str = ""
    dataset: str = ""
    metric: str = ""
    retrain: int = 0
    retrain_steps: int = 0
    archs: int = 300
    monitor_archs: int = 60
    workers: int = 1

    def __post_init__(self) -> None:
        if self.table and self.retrain:
            raise UsageError(
                f"A ranking is judged against a table or against architectures trained alone; the table {self.table} "
                f"and {self.retrain} trainings were asked for. Give one of them."
            )
        for name in ("retrain", "archs", "monitor_archs"):
            value = getattr(self, name)
            if value < 3 and not (name == "retrain" and value == 0):
                raise UsageError(f"{name} is {value}; a ranking needs at least 3 architectures.")
        if self.retrain_steps < 0 or self.workers < 1:
            raise UsageError(
                f"retrain_steps is {self.retrain_steps} and workers is {self.workers}; give at least 1 (for the steps "
                "also 0: as many as the supernet's)."
            )

    @property
    def wanted(self) -> bool:
        """Whether there is something to judge against."""
        return bool(self.table or self.retrain)


@dataclass(frozen=True)
class Transfer:
    """Where a transferred run has its features from, and what is needed to build its network again.

    Attributes:
        run: The run directory it was transferred from.
        num_classes: Classes that the supernet was trained on before.
        channels: Channels of the images before.
        height: Their height, pixels.
        width: Their width, pixels.
        classifier: Name of the layer that was replaced.
        adapt: `resize` in the data, or `learned` by a layer in front.
        tune: `all` of the network was trained on the new data, or the `head`.
    """

    run: str
    num_classes: int
    channels: int
    height: int
    width: int
    classifier: str
    adapt: str = "resize"
    tune: str = "all"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images before."""
        return self.channels, self.height, self.width


@dataclass(frozen=True)
class Config:
    """Everything a run depends on besides code and machine."""

    space: Named = field(default_factory=lambda: Named("mbconv"))
    method: Named = field(default_factory=lambda: Named("sandwich"))
    data: Named = field(default_factory=lambda: Named("digits"))
    train: Training = field(default_factory=Training)
    search: Searching = field(default_factory=Searching)
    export: Exporting = field(default_factory=Exporting)
    judge: Judging = field(default_factory=Judging)
    seed: int = 0
    transfer: Transfer | None = None

    def to_json(self) -> dict[str, Any]:
        """The content of `config.json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Config:
        """Read a configuration; what it leaves out keeps its default.

        Raises:
            UsageError: an unknown key or a value of the wrong type.
        """
        config = _build(cls, value, "")
        assert isinstance(config, Config)
        return config

    @classmethod
    def read(cls, path: Path) -> Config:
        """Read a .json or .toml file.

        Raises:
            UsageError: the file is missing, unreadable, or not a configuration.
        """
        if not path.is_file():
            raise UsageError(f"There is no configuration file {path}.")
        try:
            text = path.read_text()
            value = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        except (ValueError, OSError) as error:
            raise UsageError(
                f"{path} cannot be read as {'TOML' if path.suffix == '.toml' else 'JSON'}: {error}."
            ) from error
        return cls.from_json(value)

    def updated(self, section: str, **changes: Any) -> Config:
        """The same with some values of a section replaced; None leaves a value as it is."""
        given = {name: value for name, value in changes.items() if value is not None}
        whole = self.to_json()
        if section:
            whole[section] |= given
        else:
            whole |= given
        return Config.from_json(whole)


def _build(cls: type[Any], value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise UsageError(f"The configuration's {where or 'top level'} must be a table of settings; got {value!r}.")
    hints = typing.get_type_hints(cls)
    known = {f.name for f in fields(cls)}
    unknown = [key for key in value if key not in known]
    if unknown:
        raise UsageError(
            f"The configuration has an unknown setting {where}{unknown[0]!r}; allowed are {', '.join(sorted(known))}."
        )
    return cls(**{key: _coerce(hints[key], item, f"{where}{key}") for key, item in value.items()})


def _coerce(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, value, f"{where}.")
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _coerce(typing.get_args(hint)[0], value, where)
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, list | tuple):
            raise UsageError(f"The setting {where} must be a list; got {value!r}.")
        return tuple(_coerce(str, item, where) for item in value)
    expected = origin or hint
    if (expected is int and isinstance(value, bool)) or not isinstance(value, expected):
        raise UsageError(f"The setting {where} must be {_kind(expected)}; got {value!r}.")
    return value


def _kind(expected: type) -> str:
    names = {int: "a whole number", str: "a string", dict: "a table", bool: "true or false", float: "a number"}
    return names.get(expected, expected.__name__)
