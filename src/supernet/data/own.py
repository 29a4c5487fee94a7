"""Data of one's own from torch datasets: the splits, what is asked of them, and what follows from both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from supernet.data.data import Data
from supernet.data.dataset import DatasetSplit, MapDataset, Names
from supernet.data.derived.part import Part
from supernet.data.indexed import Indexed, is_indexed
from supernet.data.loader import LoaderSplit
from supernet.data.position import SPLIT, Indices, generator
from supernet.data.split import Split
from supernet.data.stratify import hold_out
from supernet.errors import UsageError
from supernet.nn.input_shape import shape_of
from supernet.tasks import Classification, Task

__all__ = ["as_data", "from_datasets"]

Source: TypeAlias = MapDataset | DataLoader[Any] | Split
"""Examples: a dataset in the map style, a loader, or a split."""


def from_datasets(
    train: Source,
    validation: Source | float = 0.2,
    test: Source | None = None,
    *,
    task: Task | None = None,
    classes: Sequence[str] | int | None = None,
    name: str = "own data",
    inputs: Names | None = None,
    targets: Names | None = None,
    collate: Callable[[list[Any]], Any] | None = None,
    plain: MapDataset | None = None,
    num_workers: int = 0,
    seed: int = 0,
    more: Mapping[str, Source] | None = None,
) -> Data:
    """Data of torch datasets in the map style, of `DataLoader`s, or of splits of one's own.

    The examples of a dataset stand in a random order, so that the first of them, by which statistics are calibrated and
    which short measurements take, are like the others, also where the dataset is sorted by class. Those of loaders
    and splits stand as they are given.

    Args:
        train: What weights are trained on.
        validation: What architectures are compared on; or how much of ``train`` to hold out for that: a fraction in
            (0, 1) or a number of examples, each class in proportion where targets are class indices.
        test: What the result is reported on, and nothing chosen by; None: nothing.
        task: What is asked of networks; None: classification.
        classes: Class names, or how many classes there are; None: those that the dataset knows (its ``classes``), else
            the numbers up to the largest label.
        name: Name of the data in logs and reports.
        inputs: Of examples that are mappings the fields for the network; see ``DatasetSplit``.
        targets: The fields that are the target; see ``DatasetSplit``.
        collate: Makes a batch of a list of examples.
        plain: The examples of ``train`` without random changes: what is held out of ``train`` is read from it, and
            statistics are calibrated on it. None: ``train`` itself.
        num_workers: Number of processes that read examples; 0: this one.
        seed: The seed that decides what is held out, and the order.
        more: Further splits by name, such as ``target`` or ``client/17``.

    Raises:
        UsageError: Something given is no dataset, has no examples, or cannot be divided; or the task needs class
            indices and there are none.

    >>> import torch
    >>> from torch.utils.data import TensorDataset
    >>> x, y = torch.randn(100, 3, 8, 8), torch.arange(100) % 4
    >>> print(from_datasets(TensorDataset(x, y), validation=0.25, name="noise"))
    noise: 75 train, 25 validation examples of (3, 8, 8), Classification, 4 classes
    """

    def split(given: Source, what: str, plain: MapDataset | None = None) -> Split:
        if isinstance(given, Split):
            return given
        _check_examples(given, f"{name} ({what})")
        if isinstance(given, DataLoader):
            unsuited = {"collate": collate, "plain": plain, "num_workers": num_workers or None}
            if asked := [option for option, value in unsuited.items() if value is not None]:
                raise UsageError(f"{asked[0]} is a matter of the loader where {name} ({what}) is one; give it there.")
            return LoaderSplit(loader=given, inputs=inputs, targets=targets, name=f"{name} ({what})")
        return DatasetSplit(
            dataset=given,
            plain=plain,
            inputs=inputs,
            targets=targets,
            collate=collate,
            num_workers=num_workers,
            name=f"{name} ({what})",
        )

    def mixed(given: Source, made: Split, number: int = 0) -> Split:
        if isinstance(given, Split | DataLoader):
            return made
        return Part(_by_number(made), generator(seed, SPLIT, number).permutation(len(made)))

    task = Classification() if task is None else task
    whole = split(train, "train", plain)
    names = _classes(classes, train, whole, task)
    if isinstance(validation, int | float):
        kept, held = _divided(whole, validation, names, seed=seed)
        parts: tuple[Split, Split] = Part(_by_number(whole), kept), Part(_by_number(whole), held)
    else:
        parts = mixed(train, whole), mixed(validation, split(validation, "validation"), 1)
    return Data(
        name=name,
        train=parts[0],
        validation=parts[1],
        held_out=None if test is None else mixed(test, split(test, "test"), 2),
        shape=shape_of(next(parts[1].batches(1, limit=1)).x),
        task=task,
        classes=names,
        more={
            other: mixed(given, split(given, other), number)
            for number, (other, given) in enumerate((more or {}).items(), start=3)
        },
    )


def as_data(source: Any) -> Data:
    """Data of whatever training takes: `Data` itself, a dataset, several of them, or a mapping of them by split.

    Args:
        source: `Data`; a dataset, a fifth of which is held out for validation; ``(train, validation)`` or ``(train,
            validation, test)``; or a mapping with ``train`` and perhaps ``validation`` and ``test``.

    Raises:
        UsageError: It is none of these, or as in `from_datasets`.
    """
    if isinstance(source, Data):
        return source
    if isinstance(source, Mapping):
        if "train" not in source:
            raise UsageError(f"The data have the splits {', '.join(map(str, source))}, and none is called train.")
        splits = dict(source)
        named = {"validation": "validation", "valid": "validation", "val": "validation", "test": "test"}
        told = {named[key]: splits.pop(key) for key in named if key in splits}
        return from_datasets(splits.pop("train"), more=splits, **told)
    if isinstance(source, tuple | list) and 2 <= len(source) <= 3:
        return from_datasets(*source)
    return from_datasets(source)


def _check_examples(given: object, name: str) -> None:
    """What can be asked for parts by number, and yet holds no examples."""
    if isinstance(given, str | Path):
        raise UsageError(
            f"{name} is {str(given)!r}, a name and not data. Give what it names: supernet.data.load({str(given)!r})."
        )
    alone = isinstance(given, Tensor | np.ndarray)
    if alone or (isinstance(given, tuple | list) and given and all(isinstance(g, Tensor | np.ndarray) for g in given)):
        raise UsageError(
            f"{name} is {type(given).__name__ if alone else 'arrays'}, which does not say what belongs together as an "
            "example. Give TensorDataset(inputs, targets) of torch.utils.data, or for images data.from_arrays(images, "
            "labels)."
        )


def _classes(given: Sequence[str] | int | None, train: object, whole: Split, task: Task) -> tuple[str, ...]:
    if isinstance(given, str) or (isinstance(given, int) and given < 1):
        raise UsageError(f"classes is {given!r}; give the names of all classes, or how many there are.")
    if isinstance(given, int):
        return tuple(map(str, range(given)))
    if given is not None:
        return tuple(map(str, given))
    known = getattr(train, "classes", None)
    if isinstance(known, tuple | list) and known:
        return tuple(map(str, known))
    if not isinstance(task, Classification):
        return ()
    labels = _by_number(_counted(whole)).labels
    return tuple(map(str, range(int(np.max(np.asarray(labels))) + 1)))


def _counted(split: Split) -> Split:
    """The examples of a loader by number, where its dataset is in the map style: their labels can be counted."""
    if not isinstance(split, LoaderSplit):
        return split
    dataset = getattr(split.loader, "dataset", None)
    if dataset is None or isinstance(dataset, IterableDataset):
        return split
    return DatasetSplit(dataset=dataset, inputs=split.inputs, targets=split.targets, name=split.name)


def _by_number(split: Split) -> Indexed:
    if is_indexed(split):
        return split
    raise UsageError(
        f"Examples can be held out, and classes be counted, where they can be asked for by number, which "
        f"{type(split).__name__} cannot. Give validation= and classes= of data.from_datasets yourself; to fit, "
        "(train, validation)."
    )


def _divided(whole: Split, size: float, classes: tuple[str, ...], *, seed: int) -> tuple[Indices, Indices]:
    rng = generator(seed, SPLIT)
    indexed = _by_number(whole)
    if classes:
        try:
            labels = np.asarray(indexed.labels, dtype=np.int64)
        except UsageError:
            pass  # targets that are no class indices, such as masks: nothing to keep in proportion
        else:
            return hold_out(labels, size, rng=rng, classes=classes, option="validation")
    n = len(whole)
    count = round(size * n) if 0 < size < 1 else int(size)
    if not (0 < size < 1 or size == int(size)) or not 1 <= count < n:
        raise UsageError(
            f"validation={size} is no part of {n} examples; give a fraction between 0 and 1, or 1 to {n - 1} examples."
        )
    order = rng.permutation(n)
    return order[count:], order[:count]
