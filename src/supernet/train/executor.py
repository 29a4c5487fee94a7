"""What a move may touch while it is carried out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from supernet.data import Batch, ImageData
from supernet.errors import RunError
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train.gradients.rules import Backpropagation, untouched_buffers
from supernet.train.move import Move, Outcome, Path, Step
from supernet.train.processes import average
from supernet.train.updates import Stepper

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Executor:
    """Carries out moves.

    Args:
        fabric: Device, precision and processes.
        net: The supernet, on the device of the fabric.
        steppers: The families of parameters.
        data: Train and validation images.
        batch_size: Images per batch and process.
        seed: Seed of the image streams.
        draws: Batches already drawn from each split, for resuming.
    """

    def __init__(
        self,
        fabric: Fabric,
        net: Supernet,
        steppers: Mapping[str, Stepper],
        data: ImageData,
        *,
        batch_size: int,
        seed: int,
        draws: Mapping[str, int],
    ) -> None:
        self.fabric, self.net, self.steppers = fabric, net, steppers
        self.draws = {"train": 0, "validation": 0} | dict(draws)
        self.data, self.batch_size, self._seed = data, batch_size, seed
        self._streams: dict[str, Iterator[Batch]] = {}
        self._current: dict[str, Batch] = {}
        self._rated_on: dict[int | None, list[Batch]] = {}
        self._dropouts = [m for m in net.modules() if isinstance(m, nn.modules.dropout._DropoutNd)]

    def begin(self) -> None:
        """Start a step: the batches of the previous one are used up."""
        self._current = {}

    def batch(self, split: str) -> Batch:
        """The step's batch from a split; the moves of a step share it."""
        if split not in self._current:
            self._current[split] = self._draw(split)
        return self._current[split]

    def _draw(self, split: str) -> Batch:
        if split not in self._streams:
            self._streams[split] = getattr(self.data, split).stream(
                self.batch_size,
                seed=self._seed,
                start=self.draws[split],
                rank=self.fabric.global_rank,
                world=self.fabric.world_size,
            )
        self.draws[split] += 1
        return self._placed(next(self._streams[split]))

    def _placed(self, batch: Batch) -> Batch:
        x = batch.x.to(self.fabric.device, memory_format=torch.channels_last)
        return Batch(x, batch.y.to(self.fabric.device))

    def rate(
        self,
        archs: Sequence[Arch],
        data: Literal["train", "validation"],
        images: int | None = None,
        measure: Literal["loss", "error"] = "loss",
    ) -> list[float]:
        """Losses or errors of architectures, see `Step.rate`; the same on all processes."""
        batches = [self.batch("train")] if data == "train" else self._validation(images)
        total = sum(len(batch.y) for batch in batches)
        found = torch.zeros(len(archs), device=self.fabric.device)
        with torch.no_grad(), self._without_dropout(), untouched_buffers(self.net), self.fabric.autocast():
            for batch in batches:
                for number, arch in enumerate(archs):
                    logits = self.net(batch.x, arch).float()
                    if measure == "loss":
                        found[number] += nn.functional.cross_entropy(logits, batch.y, reduction="sum") / total
                    else:
                        found[number] += (logits.argmax(1) != batch.y).sum() / total
        average(self.fabric, [found])
        ratings: list[float] = found.tolist()
        for rating, arch in zip(ratings, archs, strict=True):
            if not math.isfinite(rating):
                raise RunError(f"The {measure} of {arch} became {rating} while it was rated. Lower the learning rate.")
        return ratings

    def _validation(self, images: int | None) -> list[Batch]:
        if images not in self._rated_on:
            batches = [self._placed(b) for b in self.data.validation.batches(self.batch_size, limit=images)]
            # Batch norm has no variance of a single image.
            self._rated_on[images] = [b for b in batches if len(b.y) > 1 or len(batches) == 1]
        return self._rated_on[images]

    def run(self, path: Path, batch: Batch, step: Step, earlier: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Loss and logits (B, K) of one path."""
        with self.fabric.autocast(), nullcontext() if path.dropout else self._without_dropout():
            logits = self.net(batch.x, path.decisions)
        logits = logits.float()
        return path.objective(Outcome(logits, batch, step, earlier)), logits

    @contextmanager
    def _without_dropout(self) -> Iterator[None]:
        for layer in self._dropouts:
            layer.eval()
        try:
            yield
        finally:
            for layer in self._dropouts:
                layer.train()

    def execute(self, move: Move, step: Step) -> float:
        """Carry out one move and return the mean loss of its paths.

        Raises:
            RunError: a loss is not finite.
        """
        if move.fresh:
            self._current.pop(move.data, None)
        stepper = self.steppers[move.updates]
        stepper.clear()
        rule = move.gradient or Backpropagation()
        with nullcontext() if move.updates == "weights" else untouched_buffers(self.net):
            measured = torch.stack(rule(self, move, step))
        average(self.fabric, [measured])
        losses: list[float] = measured.tolist()
        for loss, path in zip(losses, move.paths, strict=True):
            if not math.isfinite(loss):
                name = repr(path.decisions) if isinstance(path.decisions, Arch) else "a mixture of paths"
                raise RunError(
                    f"The loss became {loss} at step {step.done} on the {move.data} data, for {name}, at the learning "
                    f"rate {stepper.lr(step, move.paths):.3g}. Lower the learning rate or clip the gradient "
                    "(clip_norm); earlier checkpoints are untouched."
                )
        average(self.fabric, stepper.gradients())
        stepper.step(step, move.paths)
        stepper.clear()
        return sum(losses) / len(losses)
