"""Paths that learn from the best ones so far (Cream)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple, TypeAlias, get_args

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn import Output, Supernet
from supernet.nn.modes import untouched_buffers
from supernet.space import Arch
from supernet.tasks import Classification
from supernet.train.context import Context, Edit, Moves
from supernet.train.gradients.look_ahead import LookAhead, check_slices
from supernet.train.gradients.part_of_batch import PartOfBatch
from supernet.train.move import Move, Objective, Outcome, Path
from supernet.train.objectives.cross_entropy import CrossEntropy
from supernet.train.objectives.matched_distillation import MatchedDistillation
from supernet.train.parts.matching_net import MatchingNet
from supernet.train.parts.path_board import Entry, PathBoard, copied
from supernet.train.processes.exchange import average, share
from supernet.train.ratings._protocol import only_architectures
from supernet.train.samplers._protocol import Sampler
from supernet.train.samplers.cost_table import Cost, check_cost, costs
from supernet.train.samplers.uniform import Uniform
from supernet.train.step import Step

Known: TypeAlias = list[tuple[Arch, Entry]]
"""The paths on the board that lie in the space, the best first."""

Pick: TypeAlias = Literal["match", "best"]
"""Which path on the board teaches: the one that suits best by the matching net, or the first."""

Keeps: TypeAlias = Literal["own", "teacher"]
"""Whose outputs the board keeps with a path: its own, or those of its teacher."""


@dataclass(frozen=True, kw_only=True)
class LearnFromBoard:
    """One path per step, which learns from a path on a board; the board takes in what does well (Cream, §3).

    [arXiv 2010.15821](https://arxiv.org/abs/2010.15821). Before `begin` a path learns from the labels alone. From then
    on a step has up to four parts. Every `every` steps the matching net learns by `LookAhead`. The teacher is picked:
    with z_j = M(softmax f(x_j; path) − p_j), x_j and p_j being the examples and probabilities that the board keeps
    with its path j, it is the path with the largest z, and ρ = sigmoid(z). The path learns from it and from the labels
    (`MatchedDistillation`). Then it may come onto the board, by its accuracy on the batch.

    Args:
        sampler: The rule that draws the path.
        objective: The loss of the labels.
        begin: Share of the training before the board is begun.
        every: Number of steps between two moves on the matching net.
        examples: The examples of a slice: of those kept with a path, and of either loss of the look ahead.
        pick: Which path on the board teaches; with `"best"` there is no matching net, and ρ is ½.
        keeps: Whose probabilities the board keeps.
        step_ahead: Whether the weights also take a step on ρ H(teacher, path) of one slice, with its gradient clipped
            to a norm of `clip_ahead`, whenever the matching net moves.
        clip_ahead: The largest norm of the gradient of that step.
        cost: What a path costs.
        board: The name of the board among the parts.
        matching: The name of the matching net among the parts.

    Raises:
        UsageError: a value outside its range; at the first step, another task than classification, or batches of fewer
            than two slices.
    """

    sampler: Sampler = field(default_factory=Uniform)
    objective: Objective = field(default_factory=CrossEntropy)
    begin: float = 0.175
    every: int = 200
    examples: int = 4
    pick: Pick = "match"
    keeps: Keeps = "own"
    step_ahead: bool = False
    clip_ahead: float = 1.0
    cost: Cost = "macs"
    board: str = "board"
    matching: str = "matching"

    def __post_init__(self) -> None:
        if not 0 <= self.begin < 1:
            raise UsageError(f"The board was to begin after the share {self.begin}; give one in [0, 1).")
        for name in ("every", "examples"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} of {type(self).__name__} is {getattr(self, name)}; give at least 1.")
        for name, known in (("pick", get_args(Pick)), ("keeps", get_args(Keeps))):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} is one of {known}; got {getattr(self, name)!r}.")
        if self.step_ahead and self.pick == "best":
            raise UsageError("Steps ahead are those of the matching net, which pick='best' has none of. Leave one out.")
        check_cost(self.cost)

    @property
    def parts(self) -> tuple[str, ...]:
        return (self.matching,) if self.pick == "match" else ()

    def check(self, net: Supernet) -> None:
        self.sampler.check(net)

    def moves(self, step: Step) -> Moves:
        self._check(step)
        board = step.part(self.board, PathBoard)
        (arch,) = only_architectures(self.sampler.paths(step), of=self.sampler)
        heard = _Heard(self.objective)
        paths = [Path(arch, heard)]
        if board.within(step.space):
            known = board.within(step.space)
            apart = self._apart(step, known, arch)
            if self.pick == "match" and step.index % self.every == 0:
                yield from self._learn_to_match(step, self._pick(step, known, apart), arch)
                if self.step_ahead:
                    apart = self._apart(step, known, arch)
            teacher = self._pick(step, known, apart)
            heard = _Heard(MatchedDistillation(teacher.match, self.objective))
            paths = [Path(teacher.arch, self.objective, learns=False), Path(arch, heard)]
            step.log("match", teacher.match)
        yield Move(paths=paths)
        if step.index + 1 > self.begin * step.total:
            yield Edit(name=self.board, apply=partial(self._take_in, board, arch, heard.outcomes))

    def _check(self, step: Step) -> None:
        if not isinstance(step.task, Classification):
            raise UsageError(
                f"Paths are matched by the probabilities that they give to classes, but the task of the data is "
                f"{type(step.task).__name__}. Take a method such as spos(), or data of Classification."
            )
        if step.runner is not None:
            check_slices(step.batch("train").size, self.examples)

    def _learn_to_match(self, step: Step, teacher: _Teacher, arch: Arch) -> Moves:
        ahead = Path(arch, _Ahead(teacher.arch, teacher.entry, self.matching))
        yield Move(
            updates=self.matching,
            paths=[ahead, Path(arch, self.objective)],
            gradient=LookAhead(examples=self.examples),
        )
        if self.step_ahead:
            yield Move(paths=[ahead], gradient=PartOfBatch(examples=self.examples, clip_norm=self.clip_ahead))

    @torch.no_grad()
    def _apart(self, step: Step, known: Known, arch: Arch) -> list[Tensor]:
        """What the path says of the examples kept with each on the board, less what is kept: a pass for each."""
        if self.pick == "best":
            return []
        with untouched_buffers(step.net):
            return [_apart(step, arch, entry) for _, entry in known]

    @torch.no_grad()
    def _pick(self, step: Step, known: Known, apart: Sequence[Tensor]) -> _Teacher:
        """The path that teaches."""
        if self.pick == "best":
            return _Teacher(*known[0], 0.5)
        net = step.part(self.matching, MatchingNet)
        suits = torch.stack([net(difference) for difference in apart])
        place = int(suits.argmax())
        return _Teacher(*known[place], float(suits[place].sigmoid()))

    def _take_in(self, board: PathBoard, arch: Arch, outcomes: Sequence[Outcome], context: Context) -> None:
        """Put the path onto the board, if it does well enough."""
        fabric, task = context.executor.fabric, context.step.task
        wrong = torch.stack([task.errors(outcome.output, outcome.batch).float() for outcome in outcomes]).sum()
        right = 1 - wrong / sum(outcome.batch.size for outcome in outcomes)
        average(fabric, [right])
        score = float(right)
        cost = float(costs(context.net, context.net.space.codes([arch]), self.cost)[0])
        if not board.admits(score, cost):
            return
        first = outcomes[0]
        said = first.earlier[-1] if self.keeps == "teacher" and first.earlier else first
        outputs = said.logits[: self.examples].softmax(1)
        x = copied(context.step.batch("train").x, self.examples)
        share(fabric, [outputs, *([x] if isinstance(x, Tensor) else x.values())])
        board.admit(Entry(arch.code, score, cost, x, outputs))


class _Teacher(NamedTuple):
    """A path on the board that teaches, and ρ."""

    arch: Arch
    entry: Entry
    match: float


def _apart(step: Step, arch: Arch, entry: Entry) -> Tensor:
    """What a path says of the examples kept with one on the board, less what is kept: (examples, classes)."""
    return step.forward(arch, entry.examples()).logits.softmax(1) - entry.outputs


class _Heard:
    """An objective that keeps what it was given."""

    def __init__(self, objective: Objective) -> None:
        self.objective, self.outcomes = objective, list[Outcome]()

    def __call__(self, outcome: Outcome) -> Tensor | dict[str, Tensor]:
        self.outcomes.append(outcome.detached())
        found = self.objective(outcome)
        return found if isinstance(found, Tensor) else dict(found)


class _Ahead:
    """ρ H(teacher, path), where ρ depends on the matching net and on the weights."""

    def __init__(self, teacher: Arch, entry: Entry, matching: str) -> None:
        self.teacher, self.entry, self.matching = teacher, entry, matching

    def __call__(self, outcome: Outcome) -> Tensor:
        step, path = outcome.step, outcome.path
        assert path is not None
        assert isinstance(path.decisions, Arch)
        with torch.no_grad():
            teacher = Output(step.forward(self.teacher, outcome.batch).logits.detach())  # of a forward derivative, too
        taught = step.task.distillation(outcome.output, teacher, outcome.batch)
        z: Tensor = step.part(self.matching, MatchingNet)(_apart(step, path.decisions, self.entry))
        return z.sigmoid() * taught
