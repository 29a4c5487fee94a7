"""A data set as the product sees it: disjoint splits, the task they are for, and what is known about their examples."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from supernet.data.digest import unchanging
from supernet.data.split import Split
from supernet.errors import UsageError
from supernet.nn.input_shape import InputShape
from supernet.tasks import Classification, Task

Kind = TypeVar("Kind", bound="Data")


@dataclass(frozen=True, kw_only=True)
class Data:
    """Examples in disjoint splits, and what is asked of them.

    `datasets` makes one of torch datasets or loaders.

    Attributes:
        name: Name of the data set in logs and reports.
        train: Examples to train weights on.
        validation: Examples to compare architectures on.
        held_out: The test examples; read them through :attr:`test`. None: there are none.
        shape: The shape of one input, without the batch: ``(C, H, W)`` of an image, or :class:`~supernet.nn.Inputs`.
        task: What networks are asked for: their loss, their scores, what they have to return.
        classes: Class names, in label order; empty for a task without classes.
        is_sealed: Whether reading :attr:`test` is refused.
        more: Further splits by name, such as those of the clients of a federation; see :meth:`split`.

    Raises:
        UsageError: A further split has a name that is taken.
    """

    name: str
    train: Split
    validation: Split
    held_out: Split | None = None
    shape: InputShape
    task: Task = Classification()  # noqa: RUF009
    classes: tuple[str, ...] = ()
    is_sealed: bool = False
    more: Mapping[str, Split] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if taken := [name for name in ("train", "validation", "test", "held_out") if name in self.more]:
            raise UsageError(f"{self.name} has a split {taken[0]!r} of its own; give the further one another name.")

    def __str__(self) -> str:
        counts = {"train": self.train, "validation": self.validation, "test": self.held_out}
        told = ", ".join(f"{len(split)} {name}" for name, split in counts.items() if split is not None)
        classes = f", {self.num_classes} classes" if self.classes else ""
        return f"{self.name}: {told} examples of {self.shape}, {type(self.task).__name__}{classes}"

    @property
    def num_classes(self) -> int:
        """Number of classes; 0 for a task without classes."""
        return len(self.classes)

    @property
    def outputs(self) -> int:
        """Number of values that the head of a network has to return for an example, a pixel or a token."""
        return self.task.outputs(self.num_classes)

    @property
    def test(self) -> Split:
        """The test examples.

        Raises:
            UsageError: The data is sealed, or there are none.
        """
        if self.is_sealed:
            raise UsageError(
                f"Architecture search never sees test data, and {self.name} is sealed: choose on .validation, "
                "and report on .test of the data set that was sealed."
            )
        if self.held_out is None:
            raise UsageError(
                f"{self.name} has no test examples. Give a test split, or report on .validation and say so."
            )
        return self.held_out

    def split(self, name: str) -> Split:
        """A split by name: ``"train"``, ``"validation"``, or one of :attr:`more`. Test examples have no name.

        Raises:
            UsageError: There is no such split.
        """
        named = {"train": self.train, "validation": self.validation, **self.more}
        if name not in named:
            more = f" and {len(named) - 6} more" if len(named) > 6 else ""
            raise UsageError(
                f"{self.name} has no split {name!r}; there are {', '.join(list(named)[:6])}{more}. "
                "Test examples are read through .test alone."
            )
        return named[name]

    def sealed(self: Kind) -> Kind:
        """The same data with the test examples out of reach, to hand to a search."""
        return replace(self, is_sealed=True)

    def subset(self: Kind, n: int) -> Kind:
        """The same data with only the first ``n`` training examples, of classes in the shares of all of them.

        Raises:
            UsageError: ``n`` is below 1 or above the number of training examples.
        """
        return replace(self, train=self.train.head(n))

    def for_task(self: Kind, task: Task) -> Kind:
        """The same data for another task, or for the task with other settings."""
        return replace(self, task=task)

    def fingerprint(self) -> str:
        """Hex digest of content, splits, preprocessing and task: a run resumes only on data with its fingerprint."""
        with unchanging():
            splits = [s.fingerprint() if s is not None else "" for s in (self.train, self.validation, self.held_out)]
            more = [(name, self.more[name].fingerprint()) for name in sorted(self.more)]
        known: tuple[object, ...] = (splits, self.classes, self.shape)
        if more:
            known += (more,)
        if self.task != Classification():
            known += (repr(self.task),)
        return hashlib.sha256(repr(known).encode()).hexdigest()


def check_data(given: object) -> None:
    """Refuse what is no data.

    Raises:
        UsageError: It is a dataset, a loader or something else; says how it becomes data.
    """
    if not isinstance(given, Data):
        raise UsageError(
            f"Data of this package are needed, with what is trained on and what is compared on, and a "
            f"{type(given).__name__} was given. Make them once, by supernet.data.from_datasets(…), and give them to "
            "fit, search and export alike."
        )
