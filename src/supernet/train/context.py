"""What may look at, and change, a training beside the gradients of its moves."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from torch import nn

from supernet.data import Batch
from supernet.errors import NotFiniteError, UsageError
from supernet.nn import Supernet
from supernet.space.restriction import Restriction
from supernet.train.executor import Executor
from supernet.train.move import Move, Result
from supernet.train.rewriting import Rewriter
from supernet.train.step import Step
from supernet.train.updates import Stepper

__all__ = ["Context", "Edit", "Moves"]


@dataclass(frozen=True)
class Context:
    """A training as edits, the beginnings of phases and derivations see it.

    Attributes:
        step: Where the training stands.
        executor: Runs the supernet; what it is asked counts like any other pass.
        seed: A seed for what is drawn now; it depends on the training's and, at the beginning of a phase, on the phase.
        rebuild: Builds a part anew from what programs remember, by name.
        rewriter: Changes the structure of the network: channels come and go, cells are added.
    """

    step: Step
    executor: Executor
    seed: int = 0
    rebuild: Callable[[str], None] | None = None
    rewriter: Rewriter | None = None

    @property
    def net(self) -> Supernet:
        """The supernet, on its device."""
        return self.step.net

    @property
    def parts(self) -> Mapping[str, nn.Module]:
        """The modules beside it, by name."""
        return self.step.parts

    @property
    def steppers(self) -> Mapping[str, Stepper]:
        """How each family of parameters is stepped."""
        return self.executor.steppers

    @property
    def memory(self) -> dict[str, Any]:
        """What programs remember."""
        return self.step.memory

    @property
    def restriction(self) -> Restriction:
        """The options that are allowed; an edit may change them."""
        assert self.step.restriction is not None
        return self.step.restriction

    def batch(self, number: int, *, split: str = "train") -> Batch:
        """The batch (B, C, H, W) of a split with this number, augmented; the same whenever it is asked for."""
        executor = self.executor
        stream = executor.feed.data.split(split).stream(executor.feed.batch_size, seed=self.seed, start=number)
        return executor.feed.placed(next(stream))


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A change that no gradient makes: an average, an exchange, a decision, a queue, a cut.

    A program yields it among its moves, where it is applied at once; `Recipe.edits` and `Phase.edits` are applied after
    the moves of a step.

    Attributes:
        name: What errors call it.
        apply: Makes the change; it is a function of the training's state alone, with randomness from `Step.seeded`, so
            that every process and a resumed training make the same. Scalars that it returns go to the next line of the
            log, which has their means. If it has a method `check(net)`, that is called before the training. If, as an
            edit of a phase, it has a method `caution(steps, steps_per_epoch)`, the sentence that this returns of a
            phase of that length, if any, is said before the training.
        every: Number of steps, or epochs, from one application after a step to the next.
        unit: What `every` counts.

    Raises:
        UsageError: a value outside its range.
    """

    name: str
    apply: Callable[[Context], Mapping[str, float] | None]
    every: int = 1
    unit: Literal["steps", "epochs"] = "steps"

    def __post_init__(self) -> None:
        if self.every < 1 or self.unit not in ("steps", "epochs"):
            raise UsageError(
                f"The edit {self.name!r} is applied every {self.every} {self.unit}; give at least 1 of 'steps' or "
                "'epochs'."
            )

    def due(self, step: Step) -> bool:
        """Whether it is applied after this step of a phase."""
        return (step.index + 1) % (self.every * (step.steps_per_epoch if self.unit == "epochs" else 1)) == 0


Moves: TypeAlias = Generator[Move | Edit, Result | None, None]
"""The moves and edits of a step; `result = yield Move(…)` says what became of a move, or raises `NotFiniteError`."""


def carried_out(moves: Moves, context: Context) -> Iterator[tuple[Move | Edit, Result]]:
    """The moves and edits of a step with their results, each carried out before the next one is asked for.

    A program whose move has a loss that is not finite is told so where it yielded the move, and may go on.

    Raises:
        NotFiniteError: it does not.
    """
    result: Result | None = None
    failure: NotFiniteError | None = None
    while True:
        try:
            act = moves.send(result) if failure is None else moves.throw(failure)
        except StopIteration:
            return
        failure = None
        if isinstance(act, Edit):
            with context.executor.whole():
                scalars = act.apply(context)
            result = None
            yield act, Result((), scalars or {})
        else:
            try:
                result = context.executor.execute(act, context.step)
            except NotFiniteError as error:
                failure = error
                continue
            yield act, result
