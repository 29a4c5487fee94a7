"""What a task without labels promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from supernet.data.view_augment import ViewAugment
from supernet.train.move import Objective
from supernet.train.part import Part
from supernet.train.updates import Updates
from supernet.train.values._protocol import Number

__all__ = ["Pretext"]

NECK, TEACHER, TEACHER_NECK, PREDICTOR, QUEUE = "neck", "teacher", "teacher_neck", "predictor", "queue"
"""The names of the parts."""


class Pretext(Protocol):
    """A task: queries of the network are compared with keys of a teacher, which follows it."""

    @property
    def decay(self) -> Number:
        """The share of the teacher that an average keeps in a step."""
        ...

    @property
    def views(self) -> tuple[ViewAugment, ViewAugment] | None:
        """How the two views of an image are made; None: by the augmentation of the data."""
        ...

    @property
    def symmetric(self) -> bool:
        """Whether each view is a query for the key of the other; else the first is the query, the second the key."""
        ...

    @property
    def objective(self) -> Objective:
        """The loss of a query, whose key is in `Outcome.given`, see `KEYS`."""
        ...

    @property
    def predictor(self) -> str | None:
        """The part behind the neck that makes a query; None: the neck makes it."""
        ...

    @property
    def queue(self) -> str | None:
        """The part that keeps the latest keys; None: none are kept."""
        ...

    def parts(self, updates: Updates) -> Mapping[str, Part]:
        """The parts of the recipe, those that learn stepped by `updates`."""
        ...
