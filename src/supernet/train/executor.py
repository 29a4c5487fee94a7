"""What a move may touch while it is carried out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from supernet.data import Batch, ImageData
from supernet.errors import RunError, UsageError
from supernet.nn import Decisions, Supernet
from supernet.nn.modes import all_but_normalisation, evaluating, untouched_buffers
from supernet.space import Arch
from supernet.train.move import Move, Outcome, Path, Step
from supernet.train.processes import average
from supernet.train.updates import Stepper

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Executor:
    """Carries out moves, and counts the work.

    The supernet runs through here alone, and every pass is counted as it happens, whatever a gradient rule does: one
    forward or backward is one path over one batch of the training, by the number of images, so that micro-batches add
    up to one and rating an architecture on 1,000 images counts 1,000 / (batch size) forwards.

    Args:
        fabric: Device, precision and processes.
        net: The supernet, on the device of the fabric.
        steppers: The families of parameters.
        data: Train and validation images.
        batch_size: Images per batch and process.
        seed: Seed of the image streams.
        draws: Batches already drawn from each split, for resuming.
        passed: Images that already went `forward` and `backward` through the supernet, over all processes.
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
        passed: Mapping[str, int] | None = None,
    ) -> None:
        self.fabric, self.net, self.steppers = fabric, net, steppers
        self.draws = {"train": 0, "validation": 0} | dict(draws)
        self.passed = {"forward": 0, "backward": 0} | dict(passed or {})
        self.data, self.batch_size, self._seed = data, batch_size, seed
        self._streams: dict[str, Iterator[Batch]] = {}
        self._current: dict[str, Batch] = {}
        self._rated_on: dict[int | None, list[Batch]] = {}
        self._regularised = all_but_normalisation(net)

    @property
    def forwards(self) -> float:
        """Forward passes so far: paths over one batch of the training each."""
        return self.passed["forward"] / (self.batch_size * self.fabric.world_size)

    @property
    def backwards(self) -> float:
        """Backward passes so far: paths over one batch of the training each."""
        return self.passed["backward"] / (self.batch_size * self.fabric.world_size)

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
        return self.placed(next(self._streams[split]))

    def placed(self, batch: Batch) -> Batch:
        """A batch on the device of the training."""
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
        with torch.no_grad(), evaluating(self._regularised), untouched_buffers(self.net):
            for batch in batches:
                for number, arch in enumerate(archs):
                    logits = self.logits(arch, batch)
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
            batches = [self.placed(b) for b in self.data.validation.batches(self.batch_size, limit=images)]
            # Batch norm has no variance of a single image.
            self._rated_on[images] = [b for b in batches if len(b.y) > 1 or len(batches) == 1]
        return self._rated_on[images]

    def run(self, path: Path, batch: Batch, step: Step, earlier: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Loss and logits (B, K) of one path."""
        with nullcontext() if path.dropout else evaluating(self._regularised):
            logits = self.logits(path.decisions, batch)
        return path.objective(Outcome(logits, batch, step, earlier)), logits

    def logits(self, decisions: Arch | Decisions, batch: Batch) -> Tensor:
        """Logits (B, K) in float32: one forward pass, and with every gradient taken through them one backward pass.

        Raises:
            UsageError: batch norm was given a single value per channel.
        """
        try:
            with self.fabric.autocast():
                logits: Tensor = self.net(batch.x, decisions).float()
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise UsageError(
                f"Batch norm was given {len(batch.y)} image and feature maps of one pixel: a single value has no "
                "variance. Train on batches (and micro-batches) of two images or more."
            ) from error
        images = len(batch.y) * self.fabric.world_size
        self.passed["forward"] += images
        if logits.requires_grad:
            logits.register_hook(lambda _: self._count_backward(images))  # type: ignore[no-untyped-call]
        return logits

    def _count_backward(self, images: int) -> None:
        self.passed["backward"] += images

    def backpropagate(self, move: Move, step: Step) -> list[Tensor]:
        """Leave ∇ of the weighted losses of all paths on the parameters of the move's family; the loss of each path.

        One backward pass per path, so that memory holds one graph at a time.
        """
        # Naming the leaves computes no gradient of the other family, and leaves none there.
        stepper = self.steppers[move.updates]
        family = stepper.parameters
        shared = move.updates != "weights"  # the paths of a move on the architecture share the graph of the mixtures
        whole = self.batch(move.data)
        totals = [torch.zeros((), device=whole.x.device) for _ in move.paths]
        for piece in _pieces(whole, move.micro_batch):
            share = len(piece.y) / len(whole.y)
            earlier: list[Tensor] = []
            for number, path in enumerate(move.paths):
                loss, logits = self.run(path, piece, step, earlier)
                earlier.append(logits.detach())
                factor = move.combine.weight(len(move.paths)) * path.weight * stepper.loss_factor(step, path)
                scaled = loss * (share * factor)
                scaled.backward(inputs=family, retain_graph=shared)  # type: ignore[no-untyped-call]
                totals[number] += share * loss.detach()
        return totals

    def execute(self, move: Move, step: Step) -> float:
        """Carry out one move and return the mean loss of its paths.

        Raises:
            RunError: a loss is not finite.
        """
        if move.fresh:
            self._current.pop(move.data, None)
        stepper = self.steppers[move.updates]
        stepper.clear()
        with nullcontext() if move.updates == "weights" else untouched_buffers(self.net):
            losses_of = self.backpropagate(move, step) if move.gradient is None else move.gradient(self, move, step)
            measured = torch.stack(losses_of)
        average(self.fabric, [measured])
        losses: list[float] = measured.tolist()
        for loss, path in zip(losses, move.paths, strict=True):
            if not math.isfinite(loss):
                name = repr(path.decisions) if isinstance(path.decisions, Arch) else "a mixture of paths"
                raise RunError(
                    f"The loss became {loss} at step {step.done} on the {move.data} data, for {name}, at the learning "
                    f"rate {stepper.rate(step, move.paths):.3g}. Lower the learning rate or clip the gradient "
                    "(clip_norm); earlier checkpoints are untouched."
                )
        average(self.fabric, stepper.gradients())
        stepper.step(step, move.paths)
        stepper.clear()
        return sum(losses) / len(losses)


def _pieces(batch: Batch, size: int | None) -> list[Batch]:
    if size is None or size >= len(batch.y):
        return [batch]
    return [Batch(x, y) for x, y in zip(torch.split(batch.x, size), torch.split(batch.y, size), strict=True)]
