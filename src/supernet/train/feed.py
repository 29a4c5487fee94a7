"""The batches that a training feeds its network with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from supernet.data import Batch, Data
from supernet.data.derived.client_validation import ALL_OF_CLIENT
from supernet.data.derived.clients import CLIENT
from supernet.data.position import Indices
from supernet.data.split import Split, Standing
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.batch import mapped, place
from supernet.nn.memory_layout import image_layout
from supernet.nn.output import Output
from supernet.train.mistakes.wrong_examples import check_inputs, numbers, refused, sentence
from supernet.train.processes.launch import Processes
from supernet.train.processes.sharding import Sharding
from supernet.train.step import RatedBy


class Feed:
    """Draws the batches of a training, on its device, and remembers how far each split is drawn.

    The moves of a step share one batch of each split.

    Args:
        fabric: Device and processes.
        net: The supernet, whose layout and type of weights the batches take.
        data: Train and validation images.
        batch_size: Images per batch and process.
        seed: Seed of the image streams.
        draws: Batches already drawn from each split, for resuming; counted on here.
        passed: Images over all processes, of which those `drawn` for training are counted here.
        sharding: How processes share the weights out; None: each holds all of them.
    """

    def __init__(
        self,
        fabric: Processes,
        net: Supernet,
        data: Data,
        *,
        batch_size: int,
        seed: int,
        draws: dict[str, int],
        passed: dict[str, int],
        sharding: Sharding | None = None,
    ) -> None:
        self.draws = draws
        self._fabric, self._net, self._passed, self._sharding = fabric, net, passed, sharding
        self._layout: tuple[int, torch.memory_format] | None = None
        self.turn_to(data, batch_size=batch_size, seed=seed)

    def turn_to(self, data: Data, *, batch_size: int, seed: int) -> None:
        """Take batches of this size from these data; they begin where `draws` says."""
        self.data, self.batch_size, self._seed = data, batch_size, seed
        self._streams: dict[str, Iterator[Batch]] = {}
        self._current: dict[str, Batch] = {}
        self._first: dict[tuple[str, int | None], list[Batch]] = {}

    def standing(self) -> dict[str, Any]:
        """Where the splits stand whose batches do not follow from their position, by name; for checkpoints."""
        splits = {name: self.data.split(name) for name in self._streams}
        states = {name: split.state() for name, split in splits.items() if isinstance(split, Standing)}
        return {name: state for name, state in states.items() if state is not None}

    def restore(self, standing: Mapping[str, Any]) -> None:
        """Let these splits go on where they stood."""
        for name, state in standing.items():
            split = self.data.split(name)
            assert isinstance(split, Standing)
            split.restore(state, seed=self._seed)

    @property
    def images(self) -> int:
        """Images of a batch, over all processes."""
        return self.batch_size * self._fabric.world_size

    @property
    def steps_per_epoch(self) -> int:
        """Steps, rounded, that the training images last for."""
        return self.steps_of(self.data, self.batch_size)

    def steps_of(self, data: Data, batch_size: int) -> int:
        """Steps, rounded, that training images last for, by the number of images per process in a batch."""
        return max(1, round(len(data.train) / (batch_size * self._fabric.world_size)))

    def begin(self) -> None:
        """Use the batches of the previous step no more."""
        self._current = {}

    def batch(self, split: str) -> Batch:
        """The step's batch from a split; the moves of a step share it.

        Raises:
            UsageError: there is no such split, or it has no batch of this size.
        """
        if split not in self._current:
            self._current[split] = self._draw(split)
        return self._current[split]

    def renew(self, split: str) -> None:
        """Give up the step's batch from a split: the next one that is asked for is a new one."""
        self._current.pop(split, None)

    def rated_on(self, split: str, by: RatedBy) -> list[Batch]:
        """The batches that architectures are rated on, see `Step.rate`."""
        if by.fresh:
            self.renew(split)
        return [self.batch(split)] if by.fresh or _is_training(split) else self._beginning(split, by.images)

    def placed(self, batch: Batch) -> Batch:
        """A batch on the device of the training, its floating inputs in the type of the weights."""
        device = self._fabric.device
        if self._layout is None or self._layout[0] != self._net.structure:
            self._layout = (self._net.structure, image_layout(self._net, device))
            if self._sharding is None:  # else it sees to that
                place(self._net, device)  # what was cut, or loaded, may have to be laid out otherwise
        batch = batch.to(device, self._layout[1])
        dtype = next((p.dtype for p in self._net.parameters() if p.is_floating_point()), torch.float32)
        if dtype == torch.float32:
            return batch
        return Batch(mapped(batch.x, lambda t: t.to(dtype) if t.is_floating_point() else t), batch.y)

    def check(self, output: Output, batch: Batch) -> None:
        """Refuse targets that do not fit, and inputs that are no numbers; names the examples, where these are known.

        Raises:
            UsageError: there are such targets or inputs.
        """

        def check(output: Output, batch: Batch) -> None:
            self.data.task.check(output, batch, data=self.data.name, classes=self.data.num_classes)
            check_inputs(batch, data=self.data.name)

        try:
            check(output, batch)
        except UsageError as error:
            rows = refused(check, output, batch)
            raise UsageError(f"{error}{sentence(rows, self._numbers(batch))}") from error

    def _draw(self, split: str) -> Batch:
        try:
            if split not in self._streams:
                self._streams[split] = self.data.split(split).stream(
                    self.batch_size,
                    seed=self._seed,
                    start=self.draws.setdefault(split, 0),
                    rank=self._fabric.global_rank,
                    world=self._fabric.world_size,
                )
            batch = next(self._streams[split])
        except UsageError as error:  # such as a batch that is larger than the split
            known = split in ("train", "validation", *self.data.more)
            raise UsageError(f"In the split {split!r} of {self.data.name}: {error}" if known else str(error)) from error
        self.draws[split] += 1
        if _is_training(split):
            self._passed["drawn"] += self.images
        return self.placed(batch)

    def _beginning(self, split: str, images: int | None) -> list[Batch]:
        """The first images of a split, always the same."""
        if (split, images) not in self._first:
            whole = self.data.split(split)
            batches = [self.placed(b) for b in whole.batches(self.batch_size, limit=images)]
            # Batch norm has no variance of a single image.
            self._first[split, images] = [b for b in batches if b.size > 1 or len(batches) == 1]
        return self._first[split, images]

    def _numbers(self, batch: Batch) -> tuple[Split, Indices] | None:
        """The numbers of the examples in a batch of this step, or in a piece of one."""
        for name, whole in self._current.items():
            first, rows = whole.tensors[-1], batch.tensors[-1]
            if rows.untyped_storage().data_ptr() != first.untyped_storage().data_ptr():
                continue
            known = numbers(
                self.data.split(name),
                self.batch_size,
                seed=self._seed,
                t=self.draws[name] - 1,
                rank=self._fabric.global_rank,
                world=self._fabric.world_size,
            )
            start = (rows.storage_offset() - first.storage_offset()) // max(first.stride(0), 1)
            return None if known is None else (known[0], known[1][start:])
        return None


def _is_training(split: str) -> bool:
    """Whether a split is the training examples, or those of a client."""
    return split == "train" or split.startswith((CLIENT, ALL_OF_CLIENT))
