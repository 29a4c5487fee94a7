"""One of several tasks, and several by other weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from supernet.errors import UsageError
from supernet.nn.batch import Batch
from supernet.nn.output import Output
from supernet.tasks._protocol import Task
from supernet.tasks.joint import Joint

TASK = "task"
"""What a task is called that is the only one."""


def task_names(task: Task) -> tuple[str, ...]:
    """The names of the tasks of a `Joint`; any other task is one that is called `task`.

    >>> from supernet.tasks import Classification
    >>> task_names(Joint({"label": (Classification(), 1.0)})), task_names(Classification())
    (('label',), ('task',))
    """
    return tuple(task.tasks) if isinstance(task, Joint) else (TASK,)


def only(task: Task, name: str) -> Task:
    """One of the tasks, as a `Joint` of it alone, so that its head, targets and scores keep their names.

    Raises:
        UsageError: there is none of this name.
    """
    names = task_names(task)
    if name not in names:
        raise UsageError(f"There is no task {name!r}; there are {', '.join(map(repr, names))}.")
    if not isinstance(task, Joint):
        return task
    return Joint({name: (task.tasks[name][0], 1.0)})


def parted(task: Task, output: Output, batch: Batch) -> dict[str, tuple[Task, Output, Batch]]:
    """Every task with its own head and its own target, by name."""
    if not isinstance(task, Joint):
        return {TASK: (task, output, batch)}
    return {name: (one, task.head(name, output), task.asked(name, batch)) for name, (one, _) in task.tasks.items()}


def weighed(task: Task, factors: Mapping[str, float]) -> Task:
    """The tasks with factors on the weights of their losses.

    Args:
        task: The tasks.
        factors: A factor for each; the only one of a plain task is 1.

    Raises:
        UsageError: a plain task has another factor.
    """
    if isinstance(task, Joint):
        return replace(task, tasks={name: (one, weight * factors[name]) for name, (one, weight) in task.tasks.items()})
    if factors != {TASK: 1.0}:
        raise UsageError(f"{type(task).__name__} is one task, whose weight is 1; it was given {dict(factors)}.")
    return task
