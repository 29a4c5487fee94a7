"""A run as its page sees it: everything found in its directory, and what follows from it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from supernet.io import schema
from supernet.nn.diagram import Diagram
from supernet.quantity import ACCURACY, MACS, Quantity
from supernet.report.units import SHARE
from supernet.search.evaluation import Point
from supernet.search.front import FrontFile
from supernet.train.health import DEFAULT_IMAGES, warnings_of


@dataclass(frozen=True)
class Record:
    """One line of a log: of the training by step, of a shifting by generation."""

    step: int
    scalars: Mapping[str, float]


@dataclass(frozen=True)
class Scored:
    """A row of `ranking.csv`: one architecture with its true score and what each ranking gives it."""

    arch: schema.Arch
    true: float
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Network:
    """A network that was taken out of the supernet, exported as it is or retrained, with what is known of it.

    `values` was measured in the supernet, with the costs; `verified` was measured of the first file, `compared` of each
    by its format, on validation examples.
    """

    name: str
    arch: schema.Arch
    values: Mapping[str, float]
    verified: Mapping[str, float]
    files: Mapping[str, str]
    diagram: Diagram | None
    compared: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Derived:
    """An architecture that a method has derived itself, and its drawing where the network has one."""

    arch: schema.Arch
    diagram: Diagram | None = None


@dataclass(frozen=True)
class RunFiles:
    """Everything found in a run directory; what is missing is None or empty.

    Attributes:
        torn: Names of logs whose last line was being written when the process ended.
        damaged: One sentence for each file that could not be read; what it held is missing.
    """

    directory: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    environment: schema.Environment = field(default_factory=schema.Environment)
    train: Sequence[Record] = ()
    strengths: Sequence[schema.Strengths] = ()
    space: schema.Space | None = None
    search: Sequence[Point] = ()
    shifted: Sequence[Record] = ()
    front: FrontFile | None = None
    exports: Sequence[Network] = ()
    samples: Sequence[schema.Sample] = ()
    retrainings: Mapping[str, schema.Retrained] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    searching: schema.Search | None = None
    judging: schema.Judgement | None = None
    judgement: schema.Judged | None = None
    scores: Sequence[Scored] = ()
    counts: Sequence[schema.Count] = ()
    data: schema.Data | None = None
    training: schema.Training | None = None
    derived: Derived | None = None
    derived_by_task: Mapping[str, Derived] = field(default_factory=dict)
    torn: Sequence[str] = ()
    damaged: Sequence[str] = ()

    def named(self, part: str) -> str:
        """The name that the configuration gives a `"method"`, `"space"` or `"data"`; empty where it gives none."""
        found = self.config.get(part)
        name = found.get("name") if isinstance(found, dict) else None
        return name if isinstance(name, str) else ""

    @cached_property
    def warnings(self) -> list[str]:
        """What is wrong with the training, by its log."""
        rows = [record.scalars for record in self.train]
        known, chance = self.data, self.training.chance if self.training else None
        images = min(DEFAULT_IMAGES, known.images.validation) if known else DEFAULT_IMAGES
        derives = self.derived is not None
        classes, score = (known.num_classes, known.scores[0]) if known else (None, ACCURACY)
        return warnings_of(rows, classes, chance=chance, images=images, score=score, derives=derives)

    @cached_property
    def networks(self) -> list[Network]:
        """The exported networks, then the retrained ones, which are drawn as an export of the same architecture is."""
        drawn = {key(export.arch): export.diagram for export in self.exports}
        images = self.data.images.test if self.data else None
        retrained = []
        for folder, found in self.retrainings.items():
            files = {Path(file).name: f"{folder}/{Path(file).name}" for file in found.files}
            costs = measured({"macs": found.macs, "params": found.params})
            verified = measured(by_split(found.validation, found.test) | {"images_test": images})
            diagram = None if found.space else drawn.get(key(found.arch))  # which is of the network of the run
            retrained.append(Network(folder, found.arch, costs, verified, files, diagram))
        return [*self.exports, *retrained]

    @cached_property
    def best(self) -> Network | None:
        """The best of the networks by what they are ranked by, on validation examples; None where nothing is known."""
        better = max if self.primary.goal == "max" else min
        known = [(value, network) for network in self.networks if (value := self.worth(network)) is not None]
        return better(known, key=lambda pair: pair[0])[1] if known else None

    def worth(self, network: Network) -> float | None:
        """What networks are compared by: where it is a score, that of the file on validation examples comes first."""
        name = self.primary.name
        return network.verified.get(f"{name}_validation", network.values.get(name))

    @cached_property
    def taus(self) -> Mapping[str, float]:
        """Kendall's τ against the truth, by ranking, such as `supernet`."""
        figures = self.judgement.figures if self.judgement else []
        return {f.ranking: f.value for f in figures if f.measure == "kendall_tau" and f.value is not None}

    @cached_property
    def units(self) -> Mapping[str, str]:
        """Units of the quantities, as far as the search and the task declared them."""
        searched = {o.name: o.unit for o in self.front.objectives} if self.front else {}
        asked = self.data.scores if self.data else ()
        return searched | {score.name: SHARE if score.share else score.unit for score in asked}

    @cached_property
    def score(self) -> Quantity:
        """What the task compares networks by."""
        return self.data.scores[0] if self.data else ACCURACY

    @cached_property
    def primary(self) -> Quantity:
        """What networks are ranked by: the score of the task if it was searched for, else what was maximised."""
        objectives = self.front.objectives if self.front else ()
        ranked = [o for o in objectives if o.name == self.score.name] or [o for o in objectives if o.goal == "max"]
        ranked = ranked or list(objectives)
        return ranked[0] if ranked else self.score

    @cached_property
    def cost(self) -> Quantity:
        """The quantity traded against the primary one: the first other objective, else MACs."""
        others = [o for o in (self.front.objectives if self.front else ()) if o.name != self.primary.name]
        return others[0] if others else MACS

    def feasible(self, values: Mapping[str, float]) -> bool:
        """Whether an architecture keeps the constraints of the search, as far as they were measured."""
        limits = self.front.constraints if self.front else {}
        for name, (low, high) in limits.items():
            value = values.get(name)
            if value is None or (low is not None and value < low) or (high is not None and value > high):
                return False
        return True


def key(arch: Mapping[str, Any]) -> str:
    """A text that two architectures share where they decide the same."""
    return json.dumps(dict(arch), sort_keys=True)


def by_split(validation: Mapping[str, float], test: Mapping[str, float] | None) -> dict[str, float | None]:
    """Scores of a file by name and split, such as `accuracy_test`."""
    splits = {"validation": validation, "test": test or {}}
    return {f"{name}_{split}": value for split, values in splits.items() for name, value in values.items()}


def measured(values: Mapping[str, float | None]) -> dict[str, float]:
    """The quantities that are known: those that are null, NaN or infinite are left out."""
    return {name: value for name, value in values.items() if value is not None and math.isfinite(value)}
