"""What a move may touch while it is carried out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from supernet.data import Batch, Data
from supernet.errors import NotFiniteError, SupernetError, UsageError
from supernet.io.progress import within
from supernet.nn import Decisions, Supernet
from supernet.nn.batch import called
from supernet.nn.modes import all_but_normalisation, evaluating, untouched_buffers
from supernet.nn.output import Output, as_output
from supernet.nn.taps import tapped
from supernet.space import Arch
from supernet.train.combines._protocol import Gradients, JoinsGradients
from supernet.train.feed import Feed
from supernet.train.mistakes.own_pieces import check_graph, check_loss
from supernet.train.move import Move, Outcome, Path, Result
from supernet.train.objectives.terms import total
from supernet.train.part import WEIGHTS
from supernet.train.processes.exchange import average
from supernet.train.processes.launch import Processes
from supernet.train.processes.sharding import Sharding
from supernet.train.step import RatedBy, Step, Through
from supernet.train.updates import Stepper


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
        micro_batch: Images that go through the network at a time; None: a whole batch.
        passed: Images that already went `forward` and `backward` through the supernet, and that were `drawn` for
            training, over all processes.
        sharding: How processes share the weights out; None: each holds all of them.
    """

    def __init__(
        self,
        fabric: Processes,
        net: Supernet,
        steppers: Mapping[str, Stepper],
        data: Data,
        *,
        batch_size: int,
        seed: int,
        draws: Mapping[str, int],
        passed: Mapping[str, int] | None = None,
        micro_batch: int | None = None,
        sharding: Sharding | None = None,
    ) -> None:
        self.fabric, self.net, self.steppers, self.sharding = fabric, net, steppers, sharding
        self.passed = {"forward": 0, "backward": 0, "drawn": 0} | dict(passed or {})
        self.feed = Feed(
            fabric,
            net,
            data,
            batch_size=batch_size,
            seed=seed,
            draws={"train": 0, "validation": 0} | dict(draws),
            passed=self.passed,
            sharding=sharding,
        )
        self._unit, self.micro_batch = self.feed.images, micro_batch
        self.logged: dict[str, list[float]] = defaultdict(list)
        self._modes: tuple[int, list[nn.Module]] = (net.structure, all_but_normalisation(net))
        self._terms: defaultdict[str, list[Tensor]] = defaultdict(list)

    def whole(self) -> AbstractContextManager[None]:
        """Within it the supernet is an ordinary one on every process, for what is no move."""
        return nullcontext() if self.sharding is None else self.sharding.whole()

    def reading(self) -> AbstractContextManager[None]:
        """Within it moves are carried out: layers read whole weights."""
        return nullcontext() if self.sharding is None else self.sharding.read_whole()

    @property
    def _regularised(self) -> list[nn.Module]:
        """What drops or not, by its mode."""
        if self._modes[0] != self.net.structure:
            self._modes = (self.net.structure, all_but_normalisation(self.net))
        return self._modes[1]

    @property
    def forwards(self) -> float:
        """Forward passes so far: paths over one batch of the training each."""
        return self.passed["forward"] / self._unit

    @property
    def backwards(self) -> float:
        """Backward passes so far: paths over one batch of the training each."""
        return self.passed["backward"] / self._unit

    def begin(self) -> None:
        """Start a step: the batches of the previous one are used up."""
        self.feed.begin()

    def batch(self, split: str) -> Batch:
        """The step's batch from a split, see `Feed.batch`."""
        return self.feed.batch(split)

    def rate(
        self,
        targets: Sequence[Arch | Decisions],
        data: str,
        by: RatedBy = RatedBy(),  # noqa: B008
        *,
        net: Supernet | None = None,
    ) -> list[float]:
        """Losses or errors of architectures, see `Step.rate`; the same on all processes.

        With `net` they are those of a part that takes the same decisions, in place of the supernet.
        """
        batches = self.feed.rated_on(data, by)
        total, task = sum(batch.size for batch in batches), self.feed.data.task
        found = torch.zeros(len(targets), device=self.fabric.device)
        running = self.net if net is None else net
        regularised = self._regularised if net is None else all_but_normalisation(net)
        with (
            torch.no_grad(),
            evaluating(regularised),
            untouched_buffers(running),
            within("rate", len(batches) * len(targets), unit="passes") as bar,
        ):
            for batch in batches:
                for number, target in enumerate(targets):
                    output = self.forward(target, batch, net=net)
                    with self._checked(output, batch):
                        lost = (
                            task.loss(output, batch, label_smoothing=by.label_smoothing, reduction="sum")
                            if by.measure == "loss"
                            else task.errors(output, batch)
                        )
                    found[number] += lost / total
                    bar.update(bar.done + 1)
        average(self.fabric, [found])
        ratings: list[float] = found.tolist()
        for rating, target in zip(ratings, targets, strict=True):
            if not math.isfinite(rating):
                raise NotFiniteError(
                    f"The {by.measure} of {_named(target)} became {rating} while it was rated. Lower the learning rate."
                )
        return ratings

    def run(
        self,
        path: Path,
        batch: Batch,
        step: Step,
        earlier: Sequence[Outcome] = (),
        given: Mapping[str, Any] | None = None,
    ) -> tuple[Tensor, Outcome]:
        """Loss and outcome of one path."""
        settings = {**step.settings, **path.settings}
        with (
            nullcontext() if path.dropout else evaluating(self._regularised),
            nullcontext() if path.learns else torch.no_grad(),
        ):
            with tapped(self.net.module, path.tapped_in(self.net)) as taps:
                if path.forward is None:
                    output = self.forward(path.decisions, batch, settings=settings)
                else:
                    output = path.forward(replace(step, given=given or {}), path, batch)
            outcome = Outcome(output, batch, step, earlier, path, taps, given or {})
            with self._checked(output, batch):
                found = path.objective(outcome)
        check_loss(found, path.objective)
        if isinstance(found, Tensor):
            return found, outcome
        if path.learns:
            for name, term in found.items():
                self.note(name, term)
        return total(found), outcome

    def log(self, name: str, value: float) -> None:
        """Take a number into the next line of the log, which has the mean of those since the last."""
        self.logged[name].append(value)

    @contextmanager
    def _checked(self, output: Output, batch: Batch) -> Iterator[None]:
        """Have the task say what is wrong with targets that a loss stumbles over: not every batch is looked at."""
        try:
            yield
        except (IndexError, RuntimeError, ValueError) as error:
            if not isinstance(error, SupernetError):
                self.feed.check(output, batch)
            raise

    def note(self, name: str, term: Tensor) -> None:
        """Take a number into the terms of the present move, see `Result`; for gradient rules that know more of it."""
        self._terms[name].append(term.detach())

    def forward(
        self,
        target: Arch | Decisions,
        batch: Batch,
        *,
        net: Supernet | None = None,
        settings: Mapping[str, float] | None = None,
        through: Through = called,
    ) -> Output:
        """Results in float32 of the supernet, or of a part that takes decisions, as one counted pass.

        With every gradient taken through the logits one backward pass is counted.

        Raises:
            UsageError: batch norm was given a single value per channel.
        """
        running = self.net if net is None else net
        try:
            with self.fabric.autocast(), running.active(target, settings=settings):
                output = as_output(through(running, batch.x))
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise UsageError(
                f"Batch norm was given {batch.size} image and feature maps of one pixel: a single value has no "
                "variance. Train on batches (and micro-batches) of two images or more."
            ) from error
        logits = output.logits.float()
        images = batch.size * self.fabric.world_size
        self.passed["forward"] += images
        if logits.requires_grad:
            logits.register_hook(lambda _: self._count_backward(images))  # type: ignore[no-untyped-call]
        heads = {name: head.float() for name, head in output.heads.items()}
        return Output(logits, tuple(aux.float() for aux in output.aux), heads)

    def _count_backward(self, images: int) -> None:
        self.passed["backward"] += images

    def parameters(self, families: Sequence[str]) -> list[nn.Parameter]:
        """The parameters of some families, in their order."""
        return [parameter for family in families for parameter in self.steppers[family].parameters]

    def backpropagate(self, move: Move, step: Step) -> list[Tensor]:
        """Leave ∇ of the weighted losses of all paths on the parameters of the move's families; the loss of each path.

        Or what the move's combination makes of the gradients of its paths.

        One backward pass per path, so that memory holds one graph at a time.
        """
        # Naming the leaves computes no gradient of other families, and leaves none there.
        family = self.parameters(move.families)
        shared = move.families != (WEIGHTS,)  # the paths of a move on the architecture share the graph of the mixtures
        stepper = self.steppers[move.families[0]]
        whole = self.batch(move.data)
        totals = [torch.zeros((), device=whole.device) for _ in move.paths]
        joins = move.combine if isinstance(move.combine, JoinsGradients) else None
        apart: list[Gradients] = [[None] * len(family) for _ in move.learning]
        sizes = [size for size in (move.micro_batch, self.micro_batch) if size is not None]
        for piece in whole.pieces(min(sizes, default=None)):
            share = piece.size / whole.size
            given = {} if move.prepare is None else move.prepare(step, piece)
            earlier: list[Outcome] = []
            own = iter(apart)
            for number, path in enumerate(move.paths):
                loss, outcome = self.run(path, piece, step, earlier, given)
                if number + 1 < len(move.paths):
                    earlier.append(outcome.detached())
                frozen = not (loss.requires_grad or outcome.logits.requires_grad)  # a path through such weights alone
                if path.learns and not frozen:
                    check_graph(loss, path.objective)
                    factor = move.combine.weight(len(move.learning)) * path.weight * stepper.loss_factor(step, path)
                    scaled = loss * (share * factor)
                    scaled.backward(inputs=family, retain_graph=shared)  # type: ignore[no-untyped-call]
                if path.learns and joins is not None:
                    _set_apart(family, next(own))
                totals[number] += share * loss.detach()
        if joins is not None:
            for gradients in apart:
                average(self.fabric, [gradient for gradient in gradients if gradient is not None])
            with torch.no_grad():
                for parameter, gradient in zip(family, joins.join(apart, step.progress), strict=True):
                    parameter.grad = gradient
        return totals

    def execute(self, move: Move, step: Step) -> Result:
        """Carry out one move.

        Raises:
            UsageError: no part has updates for a family of the move, or it has no path.
            NotFiniteError: a loss is not finite; no weight has changed.
        """
        unknown = [family for family in move.families if family not in self.steppers]
        if unknown:
            raise UsageError(
                f"A move was to change {', '.join(map(repr, unknown))}, but updates are given for "
                f"{', '.join(map(repr, self.steppers))}. Give the recipe a part of that name with updates."
            )
        if not move.paths:
            raise UsageError(f"A move on {' and '.join(move.families)} has no path; give it one, or leave it out.")
        if move.fresh:
            self.feed.renew(move.data)
        steppers, trained = [self.steppers[family] for family in move.families], move.learning or move.paths
        for stepper in steppers:
            stepper.clear()
        self._terms.clear()
        with nullcontext() if WEIGHTS in move.families else untouched_buffers(self.net):
            losses_of = self.backpropagate(move, step) if move.gradient is None else move.gradient(self, move, step)
            terms = {name: torch.stack(self._terms[name]).mean() for name in sorted(self._terms)}
            measured = torch.stack([*losses_of, *terms.values()])
        average(self.fabric, [measured])
        values: list[float] = measured.tolist()
        losses = tuple(values[: len(losses_of)])
        for loss, path in zip(losses, move.paths, strict=True):
            if not math.isfinite(loss):
                self._check_targets(move, path)
                raise NotFiniteError(
                    f"The loss became {loss} at step {step.done} on the {move.data} data, for {_named(path.decisions)}"
                    f", at the learning rate {steppers[0].lr(step, trained):.3g}. Lower the learning rate or clip "
                    "the gradient (clip_norm); earlier checkpoints are untouched."
                )
        for stepper in steppers:
            average(self.fabric, stepper.gradients())
        for stepper in steppers:
            stepper.step(step, trained)
            stepper.clear()
        learns = tuple(path.learns for path in move.paths)
        return Result(losses, dict(zip(terms, values[len(losses) :], strict=True)), learns)

    def _check_targets(self, move: Move, path: Path) -> None:
        """Refuse targets that are the reason of a loss that is not finite, such as NaN."""
        batch = self.batch(move.data)
        if path.forward is not None and not isinstance(batch.x, Tensor):
            return  # several views of the images: none of them is what the network takes by name
        with torch.no_grad(), untouched_buffers(self.net), self.net.active(path.decisions):
            output = as_output(called(self.net, batch.x))
        self.feed.check(output, batch)


def _set_apart(family: Sequence[nn.Parameter], gradients: Gradients) -> None:
    """Move the gradients of a pass over to those of its path."""
    for number, parameter in enumerate(family):
        if parameter.grad is not None:
            found = gradients[number]
            gradients[number] = parameter.grad if found is None else found.add_(parameter.grad)
            parameter.grad = None


def _named(target: Arch | Decisions) -> str:
    return repr(target) if isinstance(target, Arch) else "a mixture of paths"
