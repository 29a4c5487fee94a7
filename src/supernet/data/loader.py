"""A split over a `DataLoader` of one's own, which yields the batches itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol, runtime_checkable

import numpy as np
import torch

from supernet.data.dataset import DatasetSplit, Names, as_batch
from supernet.data.position import AUGMENT, ORDER
from supernet.data.split import check_batches
from supernet.errors import RunError, UsageError
from supernet.nn.batch import Batch


@runtime_checkable
class Stateful(Protocol):
    """What tells where it stands and can go there, as torchdata's `StatefulDataLoader`."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> None: ...


@dataclass(eq=False, kw_only=True)
class LoaderSplit:
    """The batches of a `DataLoader`; a :class:`~supernet.data.Split`.

    The loader says how examples are ordered, augmented and collated. What it draws from torch's global generator for an
    epoch depends on the seed and the epoch alone. A training on a `StatefulDataLoader` (torchdata) resumes bit for bit;
    one on a plain loader has to go through in one process, because nothing can say where it stood. (A
    `StatefulDataLoader` without a generator of its own draws its order from torch's when it is built: seed that.)

    Attributes:
        loader: The loader: whatever can be iterated over, epoch after epoch.
        inputs: Which fields of a batch the network is given; see `DatasetSplit`.
        targets: Which fields are the target; see `DatasetSplit`.
        length: Number of examples, where the loader's dataset does not know it.
        name: What errors call it.

    Raises:
        UsageError: The number of examples is not known.
    """

    loader: Iterable[Any] = field(repr=False)
    inputs: Names | None = None
    targets: Names | None = None
    length: int | None = None
    name: str = "the loader"

    def __post_init__(self) -> None:
        self._given = self._epoch = self._yielded = 0  # batches handed out for training, epochs, batches of this one
        self._running: Iterator[Any] | None = None
        self._ahead: Batch | None = None
        if self.length is None:
            dataset = getattr(self.loader, "dataset", None)
            try:
                self.length = len(dataset) if dataset is not None else None
            except TypeError:
                self.length = None
        if self.length is None:
            raise UsageError(
                f"{self.name} ({type(self.loader).__name__}) does not know how many examples it has. Say so: length=…."
            )

    def __len__(self) -> int:
        assert self.length is not None
        return self.length

    def batches(self, batch_size: int, *, limit: int | None = None) -> Iterator[Batch]:
        """The batches of one epoch as the loader yields them, but none larger than ``batch_size``.

        Raises:
            UsageError: ``batch_size`` or ``limit`` is below 1, or a batch has another structure.
            RunError: The loader raises.
        """
        check_batches(batch_size, limit)
        with _generator_of(0, AUGMENT):
            running = iter(self.loader)
        return self._pieces(running, batch_size, limit)

    def _pieces(self, running: Iterator[Any], batch_size: int, limit: int | None) -> Iterator[Batch]:
        left, held = len(self) if limit is None else limit, None
        while left > 0 and (batch := self._next(running)) is not None:
            batch = batch.part(slice(0, left))
            left -= batch.size
            for piece in batch.pieces(batch_size):
                if held is not None and piece.size == 1:  # statistics of a batch of one do not exist
                    held = _joined(held, piece)
                    continue
                if held is not None:
                    yield held
                held = piece
        if held is not None:
            yield held

    def stream(
        self, batch_size: int, *, seed: int, start: int = 0, rank: int = 0, world: int = 1, augment: bool = True
    ) -> Iterator[Batch]:
        """Endless training batches, epoch after epoch; a smaller last batch of an epoch is left out.

        Raises:
            UsageError: Several processes train, the loader's batches have another size, or it cannot be started there.
            RunError: The loader raises, or yields nothing.
        """
        if world > 1:
            raise UsageError(
                f"{self.name} is a loader of your own, which would give each of {world} processes the same batches. "
                "Give the dataset itself: its examples are shared out."
            )
        if start == 0:
            self._given, self._epoch, self._running, self._ahead = 0, 0, None, None
        elif start != self._given:
            raise UsageError(
                f"{self.name} is a {type(self.loader).__name__}, which cannot be started at batch {start}: nothing "
                "says what it would yield there, so this training cannot be resumed bit for bit. Train it anew; give "
                "the dataset in place of the loader, or a StatefulDataLoader (pip install torchdata)."
            )
        return self._stream(batch_size, seed)

    def _stream(self, batch_size: int, seed: int) -> Iterator[Batch]:
        while True:
            if self._running is None:
                self._begin(seed)
            batch, self._ahead = self._ahead, None
            if batch is None and (batch := self._next(self._running)) is None:
                if not self._yielded:
                    raise RunError(f"{self.name} ended after {self._given} batches and yields no more.")
                self._running, self._epoch = None, self._epoch + 1
            elif batch.size != batch_size:
                if batch.size > batch_size or not self._given:
                    self._refuse(batch.size, batch_size)
            else:
                self._given, self._yielded = self._given + 1, self._yielded + 1
                yield batch

    def _begin(self, seed: int) -> None:
        """Begin an epoch: what the loader draws for it, it draws with the first batch."""
        with _generator_of(seed, ORDER, self._epoch):
            self._running, self._yielded = iter(self.loader), 0
            self._ahead = self._next(self._running)

    def _refuse(self, found: int, asked: int) -> NoReturn:
        raise UsageError(
            f"{self.name} yields batches of {found} examples, and the training asks for {asked}. Train with "
            f"batch_size={found}, or give the loader batch_size={asked}."
        )

    def _next(self, running: Iterator[Any] | None) -> Batch | None:
        assert running is not None
        try:
            collated = next(running)
        except StopIteration:
            return None
        except Exception as error:
            raise RunError(
                f"{self.name} ({type(self.loader).__name__}) raised {type(error).__name__}: {_last(error)}. What was "
                "trained is kept; repair the dataset and go on."
            ) from error
        return as_batch(collated, inputs=self.inputs, targets=self.targets, name=self.name)

    def head(self, n: int) -> NoReturn:
        """A loader has no first examples that could be trained on alone.

        Raises:
            UsageError: Always.
        """
        raise UsageError(f"The first {n} examples of {self.name} are not known; give the dataset in place of a loader.")

    def fingerprint(self) -> str:
        """Digest of the loader's type, its number of examples and, where they can be asked for by number, some of them.

        The loader itself is not run: that would change what it yields next.
        """
        dataset, kind = getattr(self.loader, "dataset", None), type(self.loader).__qualname__
        known = f"{kind} {len(self)} {getattr(self.loader, 'batch_size', None)} {self.inputs} {self.targets}"
        if dataset is not None and hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"):
            collate = getattr(self.loader, "collate_fn", None)
            known += DatasetSplit(
                dataset=dataset, inputs=self.inputs, targets=self.targets, collate=collate, name=self.name
            ).fingerprint()
        return hashlib.sha256(known.encode()).hexdigest()

    # -- where it stands, for checkpoints

    def state(self) -> dict[str, Any] | None:
        """Where the training stands in the loader; None: nobody can say."""
        if not isinstance(self.loader, Stateful):
            return None
        generator = getattr(self.loader, "generator", None)
        return {
            "given": self._given,
            "epoch": self._epoch,
            "yielded": self._yielded,
            "loader": None if self._running is None else self.loader.state_dict(),
            "generator": None if generator is None else generator.get_state(),
        }

    def restore(self, state: dict[str, Any], *, seed: int) -> None:
        """Go to where a training stood."""
        assert isinstance(self.loader, Stateful)
        self._given, self._epoch, self._running = state["given"], state["epoch"], None
        if state["loader"] is not None:
            self.loader.load_state_dict(state["loader"])
            self._begin(seed)
            self._yielded = state["yielded"]
        if state["generator"] is not None:
            self.loader.generator.set_state(state["generator"])  # type: ignore[attr-defined]


def _joined(one: Batch, other: Batch) -> Batch:
    def both(a: Any, b: Any) -> Any:
        if isinstance(a, torch.Tensor):
            return torch.cat([a, b])
        return {name: torch.cat([tensor, b[name]]) for name, tensor in a.items()}

    return Batch(both(one.x, other.x), both(one.y, other.y))


def _last(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "no reason given"


@contextmanager
def _generator_of(seed: int, *use: int) -> Iterator[None]:
    """Inside, torch's generator is one of a seed and a use; outside nothing has happened."""
    drawn = np.random.SeedSequence(seed, spawn_key=use).generate_state(1, np.uint64)[0]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(drawn >> 1))
        yield
