"""Several tasks at once, with weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn.batch import Batch, Fields, shapes
from supernet.nn.output import Output, as_output
from supernet.quantity import LOSS, Quantity
from supernet.tasks._protocol import Meter, Network, Reduction, Task
from supernet.tasks._samples import Sample, Shows

T = TypeVar("T")


@dataclass(frozen=True)
class Joint:
    """Several tasks of one network, each on a head and a target of its own; the loss is their weighted sum.

    The head of a task is the tensor of its name among those that the network returns by name, such as
    ``{"mask": …, "label": …}``; its target is the field of this name of the targets. A task with several heads or
    targets, such as the boxes and labels of a detection, finds them by its name and a dot: ``objects.boxes``,
    ``objects.labels``; and auxiliary heads as ``mask.aux``.

    Scores carry the name of their task: ``mask.miou``, ``label.accuracy``; ``loss`` is the weighted sum.

    Args:
        tasks: Each task with the weight of its loss, by name.
        rank_by: The score that subnets are compared by, such as ``"label.accuracy"``; empty: the first score of the
            first task.

    Raises:
        UsageError: There is no task, a name has a dot, a weight is no number of 0 or more, all are 0, or there is no
            such score.

    >>> from supernet.tasks import Classification, Segmentation
    >>> task = Joint({"mask": (Segmentation(), 1.0), "label": (Classification(), 0.5)})
    >>> [score.name for score in task.scores]
    ['mask.miou', 'mask.pixel_accuracy', 'mask.loss', 'label.accuracy', 'label.loss', 'loss']
    """

    tasks: Mapping[str, tuple[Task, float]] = field(hash=False)
    rank_by: str = ""

    def __post_init__(self) -> None:
        if not self.tasks:
            raise UsageError("Joint() has no task; give some by name, such as {'mask': (Segmentation(), 1.0)}.")
        for name, given in self.tasks.items():
            pair = given if isinstance(given, tuple) and len(given) == 2 else (None, math.nan)
            if not isinstance(pair[0], Task) or not isinstance(pair[1], int | float) or not 0 <= pair[1] < math.inf:
                raise UsageError(
                    f"The task {name!r} of Joint is {given!r}; give a task and the weight of its loss, 0 or more, such "
                    "as (Segmentation(), 1.0)."
                )
            if not name or "." in name:
                raise UsageError(f"A task of Joint is called {name!r}; give it a name without a dot.")
        if not any(weight for _, weight in self.tasks.values()):
            raise UsageError("All tasks of Joint have the weight 0, so that nothing would be learned.")
        if self.rank_by and self.rank_by not in (known := [score.name for score in self._named()]):
            raise UsageError(f"Joint(rank_by={self.rank_by!r}) is no score of it; there are {', '.join(known)}.")

    @property
    def scores(self) -> tuple[Quantity, ...]:
        """The scores of all tasks, and the weighted sum of their losses; what ranks comes first."""
        return tuple(sorted(self._named(), key=lambda score: score.name != self.rank_by))

    def loss(
        self, output: Output, batch: Batch, *, label_smoothing: float = 0.0, reduction: Reduction = "mean"
    ) -> Tensor:
        """Σ weight · loss of the task."""
        parts = [
            weight * task.loss(head, asked, label_smoothing=label_smoothing, reduction=reduction)
            for task, weight, head, asked in self._each(output, batch)
        ]
        return torch.stack(parts).sum()

    def distillation(self, output: Output, teacher: Output, batch: Batch, *, temperature: float = 1.0) -> Tensor:
        """Σ weight · distillation of the task."""
        pairs = zip(self._each(output, batch), self._each(teacher, batch), strict=True)
        parts = [
            weight * task.distillation(head, taught[2], asked, temperature=temperature)
            for (task, weight, head, asked), taught in pairs
        ]
        return torch.stack(parts).sum()

    def errors(self, output: Output, batch: Batch) -> Tensor:
        """The mean of the errors of the tasks, by their weights.

        Raises:
            UsageError: A task has none.
        """
        parts = [weight * task.errors(head, asked) for task, weight, head, asked in self._each(output, batch) if weight]
        return torch.stack(parts).sum() / sum(weight for _, weight in self.tasks.values())

    def meter(self) -> Meter:
        """A meter of each task."""
        return _Meter(self)

    def show(self, output: Output, batch: Batch, network: Network) -> list[Sample]:
        """What each task shows of an example, in one; by the names of the tasks where several show something."""
        shown = {
            name: task.show(self.head(name, output), self.asked(name, batch), partial(self._answer, name, network))
            for name, (task, _) in self.tasks.items()
            if isinstance(task, Shows)
        }
        alone = len(shown) == 1

        def named(parts: Mapping[str, Mapping[str, T]]) -> dict[str, T]:
            return {
                what if alone else f"{name}, {what}": value
                for name, found in parts.items()
                for what, value in found.items()
            }

        return [
            Sample(
                named({name: one.texts for name, one in zip(shown, of, strict=True)}),
                next((one.image for one in of if one.image is not None), None),
                named({name: one.masks for name, one in zip(shown, of, strict=True)}),
                named({name: one.boxes for name, one in zip(shown, of, strict=True)}),
                next((one.ignored for one in of if one.ignored is not None), None),
            )
            for of in zip(*shown.values(), strict=True)
        ]

    def _answer(self, name: str, network: Network, x: Fields) -> Output:
        """What a network returns for one task."""
        return self.head(name, as_output(network(x)))

    def outputs(self, classes: int) -> int:
        """The classes of the data: the tasks' heads differ, and the network knows how many values each returns."""
        return classes

    def check(self, output: Output, batch: Batch, *, data: str, classes: int) -> None:
        """See `Task.check`; how many classes a task has, its head says."""
        for name, (task, _) in self.tasks.items():
            task.check(self.head(name, output), self.asked(name, batch, data), data=f"{data} ({name})", classes=0)

    def chance(self, classes: int) -> float | None:
        """None: how many classes each task has, is not known."""
        return None

    def head(self, name: str, output: Output) -> Output:
        """What the network returned for one task.

        Raises:
            UsageError: It returned nothing of its name.
        """
        heads = output.heads
        if name in heads:
            logits = heads[name]
        elif [other for other in self.tasks if other not in heads] == [name]:
            logits = output.logits  # the first of a mapping
        else:
            raise UsageError(
                f"The network returns no head {name!r}, but {', '.join(('logits', *heads))}. Return a mapping with a "
                f"tensor for each of {', '.join(self.tasks)}."
            )
        further = _within(name, heads)
        aux = tuple(further.pop(key) for key in list(further) if key.startswith("aux"))
        return Output(logits, aux, further)

    def asked(self, name: str, batch: Batch, data: str = "the data") -> Batch:
        """The batch with the target of one task.

        Raises:
            UsageError: There is none of its name.
        """
        y = batch.y if isinstance(batch.y, Mapping) else {}
        found: Fields | None = y.get(name) if name in y else _within(name, y) or None
        if found is None:
            raise UsageError(
                f"The targets of {data} are {shapes(batch.y)}, and none of them is called {name!r} or {name + '.…'!r}. "
                f"Name the targets after the tasks: {', '.join(self.tasks)}."
            )
        return Batch(batch.x, found)

    def _named(self) -> Iterator[Quantity]:
        for name, (task, _) in self.tasks.items():
            yield from (replace(score, name=f"{name}.{score.name}") for score in task.scores)
        yield LOSS

    def _each(self, output: Output, batch: Batch) -> Iterator[tuple[Task, float, Output, Batch]]:
        for name, (task, weight) in self.tasks.items():
            yield task, weight, self.head(name, output), self.asked(name, batch)


class _Meter:
    def __init__(self, task: Joint) -> None:
        self._task = task
        self._meters = {name: one.meter() for name, (one, _) in task.tasks.items()}

    def add(self, output: Output, batch: Batch) -> None:
        for name, meter in self._meters.items():
            meter.add(self._task.head(name, output), self._task.asked(name, batch))

    def values(self) -> dict[str, float]:
        found = {name: meter.values() for name, meter in self._meters.items()}
        loss = sum(weight * found[name][LOSS.name] for name, (_, weight) in self._task.tasks.items())
        return {f"{name}.{k}": v for name, told in found.items() for k, v in told.items()} | {LOSS.name: loss}


def _within(name: str, fields: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): tensor for key, tensor in fields.items() if key.startswith(f"{name}.")}
