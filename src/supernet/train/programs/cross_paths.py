"""Every path learns to agree with what a teacher says of another path and another view (Π-NAS)."""

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
from supernet.train.context import Context, Edit, Moves
from supernet.train.edits.average_used import averaging
from supernet.train.forwards.projected import Projected
from supernet.train.move import Move, Objective, Path
from supernet.train.objectives.info_nce import KEYS, InfoNCE
from supernet.train.part import WEIGHTS
from supernet.train.parts.key_queue import KeyQueue
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.disjoint import Disjoint
from supernet.train.step import Step
from supernet.train.values._protocol import Number, check_value, value_of


@dataclass(frozen=True, kw_only=True)
class CrossPaths:
    """One move on weights and neck: the query of each of two paths is compared with the key of the other one.

    Π-NAS ([arXiv 2108.09671](https://arxiv.org/abs/2108.09671)), released code. Before the move, for one path after
    the other, the teacher takes in the weights that the path uses, see `averaging`, and encodes the key of that path; a
    layer that both paths use is averaged twice. After the move the mean of both keys goes into the queue.

    Args:
        paths: The rule that draws two paths.
        objective: The loss of a query, given the key of the other path.
        decay: The share d of the teacher that an average keeps.
        views: The number of views of an image: 4, a query and a key for each path; or 2, one for each path.
        shared: How often a layer is averaged that both paths use: `"twice"`, once for each path as in the released
            code, or `"once"`, for the first path alone.
        neck: The part of the recipe that projects the features of the supernet.
        teacher: The part that encodes keys, a `CopyOfNet`.
        teacher_neck: The part that projects its features.
        queue: The part that holds the latest keys.

    Raises:
        UsageError: a value outside its range.
    """

    paths: Sampler = field(default_factory=Disjoint)
    objective: Objective = field(default_factory=InfoNCE)
    decay: Number = 0.999
    views: Literal[2, 4] = 4
    shared: Literal["twice", "once"] = "twice"
    neck: str = "neck"
    teacher: str = "teacher"
    teacher_neck: str = "teacher_neck"
    queue: str = "queue"

    def __post_init__(self) -> None:
        check_value("The decay of the average", self.decay, at_least=0, at_most=1)
        if self.views not in (2, 4) or self.shared not in ("twice", "once"):
            raise UsageError(
                f"Images have 2 or 4 views, and what both paths use is averaged 'twice' or 'once'; got {self.views!r} "
                f"and {self.shared!r}."
            )

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.neck,)

    def check(self, net: Supernet) -> None:
        self.paths.check(net)
        classifier(net)

    def moves(self, step: Step) -> Moves:
        drawn = self.paths.paths(step)
        if len(drawn) != 2:
            raise UsageError(
                f"Π-NAS compares two paths with each other; {type(self.paths).__name__} drew {len(drawn)}."
            )
        keys: list[Tensor] = []
        taken: set[int] = set()
        for number, decisions in enumerate(drawn):
            view = f"view{2 * number + 2 if self.views == 4 else number + 1}"
            forward = Projected(view=view, neck=self.teacher_neck, part=self.teacher)
            encode = partial(self._encode, Path(decisions, self.objective, forward=forward), keys, taken)
            yield Edit(name=f"key of path {number + 1}", apply=encode)
        queries = [
            Path(decisions, self.objective, forward=Projected(view=view, neck=self.neck))
            for decisions, view in zip(
                drawn, ("view1", "view3") if self.views == 4 else ("view1", "view2"), strict=True
            )
        ]
        yield Move(updates=(WEIGHTS, self.neck), paths=queries, prepare=partial(_given, keys[::-1]))
        yield Edit(name="queue", apply=partial(self._enqueue, keys))

    @torch.no_grad()
    def _encode(self, path: Path, keys: list[Tensor], taken: set[int], context: Context) -> None:
        step = context.step
        batch = step.batch("train")
        step.part(self.queue, KeyQueue).require_whole_batches(batch.size * context.executor.fabric.world_size)
        decay, once = value_of(self.decay, step), taken if self.shared == "once" else None
        pairs = ((step.part(self.teacher, Supernet), step.net), (self._neck(step, True), self._neck(step, False)))
        with averaging(*pairs[0], decay, taken=once), averaging(*pairs[1], decay, taken=once):
            assert path.forward is not None
            keys.append(path.forward(step, path, batch).logits)

    def _neck(self, step: Step, of_teacher: bool) -> nn.Module:
        return step.part(self.teacher_neck if of_teacher else self.neck, nn.Module)

    @torch.no_grad()
    def _enqueue(self, keys: Sequence[Tensor], context: Context) -> None:
        new = torch.stack(list(keys)).mean(0)
        fabric = context.executor.fabric
        if fabric.world_size > 1:
            new = torch.as_tensor(fabric.all_gather(new)).flatten(0, 1)
        context.step.part(self.queue, KeyQueue).push(new)


def _given(keys: Sequence[Tensor], step: Step, piece: Batch) -> Mapping[str, Any]:
    """The keys of the images in a piece of the step's batch."""
    rows = rows_of(piece, step.batch("train"))
    return {KEYS: [key[rows] for key in keys]}
