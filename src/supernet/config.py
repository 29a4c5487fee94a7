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
        precision: `32-true` or `bf16-mixed`.
        accelerator: `auto`, `cpu`, `cuda`.
        devices: Processes.
        monitor_every: Steps between accuracy checks of some subnets; 0: none.
    """

    steps: int = 800
    batch_size: int = 64
    precision: str = "32-true"
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
    """

    searcher: str = "nsga2"
    objectives: tuple[str, ...] = ("accuracy", "macs")
    constraints: dict[str, Any] = field(default_factory=dict)
    budget: int = 300
    calibration_images: int = 512
    validation_images: int | None = None


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
class Config:
    """Everything a run depends on besides code and machine."""

    space: Named = field(default_factory=lambda: Named("mbconv"))
    method: Named = field(default_factory=lambda: Named("sandwich"))
    data: Named = field(default_factory=lambda: Named("digits"))
    train: Training = field(default_factory=Training)
    search: Searching = field(default_factory=Searching)
    export: Exporting = field(default_factory=Exporting)
    seed: int = 0

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
