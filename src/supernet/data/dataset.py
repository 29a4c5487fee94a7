"""A split over a torch dataset of one's own."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset, default_collate

from supernet.data.derived.part import Part
from supernet.data.indexed import ReadByNumber
from supernet.data.position import AUGMENT, Indices, Position
from supernet.data.split import check_head
from supernet.errors import RunError, UsageError
from supernet.nn.batch import Batch, Fields
from supernet.nn.input_shape import InputShape, shape_of

Names: TypeAlias = str | Sequence[str]
"""The name of a field of an example, or of several."""

OWN = "those of the dataset"
"""What is random about the examples of a dataset of one's own."""

_TARGETS = ("label", "labels", "target", "targets", "y")
_NARROW = (torch.int8, torch.int16, torch.int32, torch.uint8, torch.uint16, torch.uint32)
_LOOKED_AT = 32  # examples that a fingerprint reads


class MapDataset(Protocol):
    """A dataset whose examples can be asked for by number, as torch's `Dataset` in its map style."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


@dataclass(frozen=True, eq=False, kw_only=True)
class DatasetSplit(ReadByNumber):
    """The examples of a torch dataset; a :class:`~supernet.data.Split`.

    Order and randomness depend on the seed and the position alone: whatever the dataset draws from the generators of
    torch, NumPy and Python for an example in training is seeded for this example and this epoch. So a training resumes
    bit for bit, with any number of workers.

    Attributes:
        dataset: The dataset. An example is a pair of input and target, or a mapping from names to what torch can stack.
        plain: The same examples without random changes, for evaluation; None: ``dataset`` itself, each of whose
            examples is then drawn in one way.
        inputs: Of examples that are mappings the fields that the network is given, by the names of its arguments, or
            the one field that it is given as its argument; None: all that are no targets.
        targets: The fields that are the target, or the one field; None: a field named ``label``, ``labels``,
            ``target``, ``targets`` or ``y``.
        collate: Makes a batch of a list of examples, as that of a ``DataLoader``; None: torch's own.
        num_workers: Number of processes that read examples; 0: this one.
        name: What errors call it.

    Raises:
        UsageError: The dataset has no length or no examples by number, or is empty, or ``plain`` has another length.

    >>> from torch.utils.data import TensorDataset
    >>> split = DatasetSplit(dataset=TensorDataset(torch.randn(10, 4), torch.arange(10)))
    >>> next(split.batches(3)).y.tolist(), split.shape
    ([0, 1, 2], (4,))
    """

    dataset: MapDataset = field(repr=False)
    plain: MapDataset | None = field(default=None, repr=False)
    inputs: Names | None = None
    targets: Names | None = None
    collate: Callable[[list[Any]], Any] | None = field(default=None, repr=False)
    num_workers: int = 0
    name: str = "the dataset"

    def __post_init__(self) -> None:
        for given in (self.dataset, *(() if self.plain is None else (self.plain,))):
            if not hasattr(given, "__len__") or not hasattr(given, "__getitem__"):
                raise UsageError(
                    f"{self.name} is a {type(given).__name__}, whose examples cannot be asked for by number. Give a "
                    "dataset in the map style (__len__ and __getitem__), or put a stream into a DataLoader."
                )
        if not len(self):
            raise UsageError(f"{self.name} ({type(self.dataset).__name__}) is empty.")
        if self.plain is not None and len(self.plain) != len(self.dataset):
            raise UsageError(
                f"{self.name} has {len(self.dataset)} examples, and without random changes {len(self.plain)}; both "
                "hold the same examples, in the same order."
            )

    def __len__(self) -> int:
        return len(self.dataset)

    @property
    def augment(self) -> str:
        """Whatever the dataset draws."""
        return OWN

    @cached_property
    def labels(self) -> Indices:
        """The targets ``(N,)`` where they are class indices: ``targets`` or ``labels`` of the dataset, or all are read.

        Raises:
            UsageError: They are something else.
        """
        for name in ("targets", "labels"):
            known = getattr(self.dataset, name, None)
            if known is not None and not callable(known) and len(known) == len(self):
                return _whole(np.asarray(known), self.name)
        read = [batch.labels.numpy() for batch in self.batches(256)]
        return _whole(np.concatenate(read), self.name)

    @cached_property
    def shape(self) -> InputShape:
        """The shape of one input."""
        return shape_of(next(self.batches(1, limit=1)).x)

    def at(self, places: Iterable[Position], *, seed: int, augment: Any) -> Iterator[Batch]:
        """The examples at given places; see :meth:`Indexed.at`."""
        read = self.dataset if augment is not None or self.plain is None else self.plain
        asked: Any = (_asked(place, seed, random=augment is not None) for place in places)
        examples = _Examples(read, self.collate, self.name)
        if self.num_workers == 0:
            return self._checked(map(examples.__getitems__, asked))
        loader: DataLoader[Any] = DataLoader(
            examples,  # type: ignore[arg-type]
            batch_sampler=asked,
            collate_fn=_as_it_is,
            num_workers=self.num_workers,
            generator=torch.Generator().manual_seed(0),  # of a base seed that no example depends on
        )
        return self._checked(loader)

    def head(self, n: int) -> Part:
        """The first ``n`` examples."""
        check_head(n, len(self))
        return Part(self, np.arange(n))

    def fingerprint(self) -> str:
        """Digest of the dataset's type, its length and up to 32 examples, spread over it."""
        digest = hashlib.sha256(f"{type(self.dataset).__qualname__} {len(self)} {self.inputs} {self.targets}".encode())
        spread = np.unique(np.linspace(0, len(self) - 1, min(_LOOKED_AT, len(self))).astype(np.int64))
        places = (Position(0, 0, spread[[n]], slice(0, 1), 1, spread[[n]]) for n in range(len(spread)))
        for batch in self.at(places, seed=0, augment=None):
            for fields in batch:
                for name, tensor in ({"": fields} if isinstance(fields, Tensor) else fields).items():
                    digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
                    digest.update(tensor.contiguous().view(torch.uint8).numpy().data if tensor.numel() else b"")
        return digest.hexdigest()

    def _checked(self, found: Iterable[Any]) -> Iterator[Batch]:
        for collated in found:
            if isinstance(collated, _Problem):
                raise RunError(collated.sentence)
            yield as_batch(collated, inputs=self.inputs, targets=self.targets, name=self.name)


def as_batch(collated: Any, *, inputs: Names | None, targets: Names | None, name: str) -> Batch:
    """A batch of whatever a collate function returns.

    Raises:
        UsageError: It is no pair of input and target, or a field is missing or no tensor; names it.

    >>> as_batch({"image": torch.zeros(2, 3), "label": torch.zeros(2)}, inputs="image", targets=None, name="mine").size
    2
    """
    if isinstance(collated, Batch):
        return collated
    if isinstance(collated, Mapping):
        asked = next((n for n in _TARGETS if n in collated), None) if targets is None else targets
        if asked is None:
            raise UsageError(
                f"The examples of {name} have the fields {', '.join(map(str, collated))}, and none of them is called "
                f"{', '.join(_TARGETS[:-1])} or {_TARGETS[-1]}. Say which is the target: targets='…'."
            )
        if inputs is None:
            rest = [n for n in collated if n not in ((asked,) if isinstance(asked, str) else asked)]
            inputs = rest[0] if len(rest) == 1 else rest
        return Batch(_fields(collated, inputs, name), _widened(_fields(collated, asked, name)))
    if isinstance(collated, tuple | list) and len(collated) == 2:
        if inputs is not None or targets is not None:
            raise UsageError(
                f"The examples of {name} are pairs, which have no fields to name: leave inputs and targets out."
            )
        x, y = collated
        return Batch(_tensors(x, "the input", name), _widened(_tensors(y, "the target", name)))
    raise UsageError(
        f"A batch of {name} is {_told(collated)}. An example is a pair (input, target), or a mapping from names to "
        "tensors; with collate= you can make one."
    )


def _fields(collated: Mapping[Any, Any], asked: Names, name: str) -> Fields:
    if not isinstance(asked, str):
        if not asked:
            raise UsageError(f"The examples of {name} have targets alone, and no field to give to the network.")
        return {field: _tensor(_of(collated, field, name), f"the field {field!r}", name) for field in asked}
    return _tensors(_of(collated, asked, name), f"the field {asked!r}", name)


def _of(collated: Mapping[Any, Any], field: str, name: str) -> Any:
    if field not in collated:
        raise UsageError(f"The examples of {name} have no field {field!r}; they have {', '.join(map(str, collated))}.")
    return collated[field]


def _tensors(value: Any, what: str, name: str) -> Fields:
    if isinstance(value, Mapping):
        return {str(n): _tensor(one, f"{n!r} of {what}", name) for n, one in value.items()}
    return _tensor(value, what, name)


def _tensor(value: Any, what: str, name: str) -> Tensor:
    if not isinstance(value, Tensor):
        raise UsageError(
            f"In a batch of {name}, {what} is {_told(value)} and not a tensor. Turn it into one in the dataset (one of "
            "Hugging Face by set_format('torch')), or in collate=."
        )
    return value.float() if value.dtype == torch.float64 else value


def _widened(targets: Fields) -> Fields:
    """Whole numbers as int64, which losses ask for, of whatever width the dataset keeps them."""
    if not isinstance(targets, Tensor):
        return {name: one.long() if one.dtype in _NARROW else one for name, one in targets.items()}
    return targets.long() if targets.dtype in _NARROW else targets


def _told(value: Any) -> str:
    if isinstance(value, tuple | list):
        kinds = ", ".join(type(one).__name__ for one in value[:4])
        return f"a {type(value).__name__} of {len(value)} ({kinds}{', …' if len(value) > 4 else ''})"
    return f"a {type(value).__name__}"


def _whole(values: Any, name: str) -> Indices:
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
        raise UsageError(
            f"The targets of {name} are {values.dtype} of shape {values.shape}; class indices are whole numbers, one "
            "for each example. Give such targets; or say what else they are, such as task=Regression() or "
            "task=MultiLabel(), and where they are shares of classes what those are called, classes=…."
        )
    found: Indices = values.astype(np.int64)
    if found.min() < 0:
        raise UsageError(
            f"The targets of {name} have the label {found.min()}, but class indices count from 0. Number the classes "
            "0, 1, …, and leave out what belongs to none."
        )
    return found


class _Asked(NamedTuple):
    """The examples of a batch.

    Attributes:
        examples: Their numbers.
        seeds: What each is drawn with.
    """

    examples: list[int]
    seeds: list[int]


def _asked(place: Position, seed: int, *, random: bool) -> _Asked:
    """Seeds that depend on the seed, the epoch and the key of an example alone; in evaluation on its number."""
    keys, spawned = (place.keys, (AUGMENT, place.epoch)) if random else (place.indices, (AUGMENT,))
    start = np.random.SeedSequence(seed if random else 0, spawn_key=spawned).generate_state(1, np.uint64)[0]
    mixed = start + (keys.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)  # splitmix64
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return _Asked(place.indices.tolist(), (mixed >> np.uint64(1)).tolist())


class _Problem(NamedTuple):
    """What went wrong: raised in a worker, it would arrive as a page of traceback."""

    sentence: str


class _Examples:
    """Reads the examples of a batch and collates them."""

    def __init__(self, dataset: MapDataset, collate: Callable[[list[Any]], Any] | None, name: str) -> None:
        self._dataset, self._collate, self._name = dataset, collate or default_collate, name
        self._whole = type(dataset) is TensorDataset and collate is None  # reads a batch at once, and draws nothing

    def __getitems__(self, asked: _Asked) -> Any:
        if self._whole:
            return list(self._dataset[torch.tensor(asked.examples)])  # type: ignore[index]
        found = []
        with _generators_kept():
            for example, seed in zip(asked.examples, asked.seeds, strict=True):
                _seed(seed)
                try:
                    found.append(self._dataset[example])
                except Exception as error:
                    return _Problem(
                        f"Example {example} of {self._name} ({type(self._dataset).__name__}) cannot be read: "
                        f"{type(error).__name__}: {_first(error)}. Repair it, or leave it out."
                    )
        try:
            return self._collate(found)
        except Exception as error:
            return _Problem(
                f"The examples {', '.join(map(str, asked.examples[:3]))}, … of {self._name} cannot be made one batch: "
                f"{_first(error)}. Every example has to yield tensors, numbers or arrays of one shape; or "
                "give collate=."
            )

    def __len__(self) -> int:
        return len(self._dataset)


def _as_it_is(batch: Any) -> Any:
    return batch


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0].rstrip(".")


@contextmanager
def _generators_kept() -> Iterator[None]:
    """Afterwards the generators of torch, NumPy and Python stand where they stood."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002


def _seed(seed: int) -> None:
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    random.seed(seed)
