"""Subnets learn without labels from what the largest one says of another view, as an average of itself (DATA)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.nn.batch import rows_of
from supernet.nn.headless import classifier
from supernet.train.combines._protocol import Combine
from supernet.train.combines.sum import Sum
from supernet.train.context import Context, Edit, Moves
from supernet.train.forwards.projected import Projected
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.info_nce import KEYS, NEGATIVES
from supernet.train.part import WEIGHTS
from supernet.train.parts.key_queue import KeyQueue
from supernet.train.pretexts._protocol import NECK, TEACHER, TEACHER_NECK, Pretext
from supernet.train.pretexts.moco import MoCo
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.sandwich import Sandwich
from supernet.train.step import Step
from supernet.train.values._protocol import value_of

Keys = Literal["once", "each"]
"""How often a step makes keys: once for all of its paths, or once for each of them."""


@dataclass(frozen=True, kw_only=True)
class Pretrain:
    """One move on weights, neck and predictor: queries of several subnets are compared with keys of the largest one.

    DATA ([arXiv 2203.09041](https://arxiv.org/abs/2203.09041)). Before the move the teacher follows the network,
    θ′ ← d θ′ + (1 − d) θ for all parameters, and the largest architecture of the teacher encodes the keys, without a
    gradient and with the statistics of the batch; after it the keys go into the queue, if there is one.

    Args:
        pretext: The task.
        sampler: The rule that draws the subnets of a step.
        keys: How often the teacher follows, and keys are made and kept: `"once"` in a step, or for `"each"` of its
            subnets in turn, as in the released code; a later subnet is then told from keys of the same images too.
        combine: How the gradients of the subnets become one.

    Raises:
        UsageError: a value outside its range.
    """

    pretext: Pretext = field(default_factory=MoCo)
    sampler: Sampler = field(default_factory=lambda: Sandwich(1))
    keys: Keys = "once"
    combine: Combine = field(default_factory=Sum)

    def __post_init__(self) -> None:
        if self.keys not in ("once", "each"):
            raise UsageError(f"Keys are made 'once' in a step or for 'each' of its subnets; got {self.keys!r}.")
        if self.keys == "each" and self.pretext.queue is None:
            raise UsageError(
                f"{type(self.pretext).__name__} keeps no keys, and its teacher follows once in a step; keys='each' is "
                "of tasks with a queue. Leave it out."
            )

    @property
    def objective(self) -> Objective:
        """The loss of a query."""
        return self.pretext.objective

    @property
    def parts(self) -> tuple[str, ...]:
        return (NECK,) if self.pretext.predictor is None else (NECK, self.pretext.predictor)

    def check(self, net: Supernet) -> None:
        self.sampler.check(net)
        classifier(net, varying=True)

    def moves(self, step: Step) -> Moves:
        drawn = self.sampler.paths(step)
        views = (("view1", "view2"), ("view2", "view1")) if self.pretext.symmetric else (("view1", "view2"),)
        paths = [
            Path(arch, self.objective, forward=Projected(view=query, neck=NECK, then=self.pretext.predictor))
            for arch in drawn
            for query, _ in views
        ]
        keys: list[Tensor] = []
        others: list[Tensor] = []
        largest = Path(step.net.space.largest(), self.objective)
        for number in range(len(drawn) if self.keys == "each" else 1):
            encode = partial(self._encode, largest, [key for _, key in views], keys, others)
            yield Edit(name=f"keys {number + 1}", apply=encode)
        if self.keys == "once":
            keys *= len(drawn)
        given = partial(_given, keys, others if self.keys == "each" else [])
        yield Move(updates=(WEIGHTS, *self.parts), paths=paths, combine=self.combine, prepare=given)
        if self.pretext.queue is not None and self.keys == "once":
            yield Edit(name="queue", apply=partial(self._enqueue, keys[0]))

    @torch.no_grad()
    def _encode(
        self, path: Path, views: Sequence[str], keys: list[Tensor], others: list[Tensor], context: Context
    ) -> None:
        """Let the teacher follow, and add the keys of each view; with `"each"` keep what comes before them."""
        step = context.step
        batch = step.batch("train")
        if self.pretext.queue is not None:
            queue = step.part(self.pretext.queue, KeyQueue)
            queue.require_whole_batches(batch.size * context.executor.fabric.world_size, option="pretext.queue_size")
        share = 1 - value_of(self.pretext.decay, step)
        for average, source in ((TEACHER, step.net), (TEACHER_NECK, step.part(NECK, nn.Module))):
            mine: list[Tensor] = list(step.part(average, nn.Module).parameters())
            torch._foreach_lerp_(mine, [parameter.detach() for parameter in source.parameters()], share)
        for view in views:
            forward = Projected(view=view, neck=TEACHER_NECK, part=TEACHER)
            keys.append(forward(step, path, batch).logits)
        if self.pretext.queue is not None and self.keys == "each":
            others.append(step.part(self.pretext.queue, KeyQueue).keys.clone())
            self._enqueue(keys[-1], context)

    @torch.no_grad()
    def _enqueue(self, new: Tensor, context: Context) -> None:
        fabric = context.executor.fabric
        if fabric.world_size > 1:
            new = torch.as_tensor(fabric.all_gather(new)).flatten(0, 1)
        assert self.pretext.queue is not None
        context.step.part(self.pretext.queue, KeyQueue).push(new)


def _given(keys: Sequence[Tensor], others: Sequence[Tensor], step: Step, piece: Batch) -> Mapping[str, Any]:
    """The keys of the images in a piece of the step's batch, for each path, and what each is told from."""
    rows = rows_of(piece, step.batch("train"))
    return {KEYS: [key[rows] for key in keys], **({NEGATIVES: others} if others else {})}
