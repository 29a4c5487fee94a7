"""What each option of each choice costs a trained network by itself, and what that says of whole architectures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias, get_args

import torch

from supernet.data import Batch, Data
from supernet.errors import RunError, UsageError
from supernet.measure.costs.tables import Tabulated, Term, grid
from supernet.measure.scores.calibration import Calibration
from supernet.measure.scores.recalibration import activated, calibrated
from supernet.measure.untouched import batch_like, untouched
from supernet.nn import Supernet
from supernet.nn.batch import called
from supernet.nn.output import Output, as_output
from supernet.space import Arch, Choice, Space
from supernet.space.gates import gates_of
from supernet.space.text import readable

Damage: TypeAlias = Literal["divergence", "loss"]
"""What damage is measured by. `"divergence"`: the task's distillation loss against the largest subnet, less what the
largest has against itself (of classes the Kullback–Leibler divergence); it needs no labels. `"loss"`: the task's loss,
less that of the largest subnet."""


@dataclass(frozen=True)
class OptionDamage:
    """By how much each option of each choice, taken alone, damages the largest subnet.

    The damage of an architecture is estimated as the sum over its choices ("additive block scores": Puzzle,
    [arXiv 2411.19146](https://arxiv.org/abs/2411.19146), §4; LANA, [arXiv 2107.10624](https://arxiv.org/abs/2107.10624),
    eq. 3). A choice that is off costs nothing by itself.

    Attributes:
        damage: The damage by the name of the choice, one per option, in the order of its options.
    """

    damage: Mapping[str, tuple[float, ...]]

    def terms(self, space: Space) -> tuple[Term, ...]:
        """The terms whose sum the estimate is, for `search.integer_program`."""
        return tuple(self._term(space, choice) for choice in space.choices if choice.name in self.damage)

    def estimate(self, arch: Arch) -> float:
        """The estimated damage of an architecture: the sum over its choices that are on."""
        codes = arch.space.codes([arch])
        return sum(float(term.evaluate(arch.space, codes)[0]) for term in self.terms(arch.space))

    def _term(self, space: Space, choice: Choice) -> Term:
        gates = gates_of(choice)
        choices = tuple(each for each in space.choices if each in {*gates, choice})
        codes = grid(space, choices)
        column = space.column(choice.name)
        found = [
            self.damage[choice.name][code] if on else 0.0
            for code, on in zip(codes[:, column], space.active_mask(codes)[:, column], strict=True)
        ]
        return Term(Tabulated(choices, found))


@dataclass(kw_only=True, eq=False)
class DamageMeter:
    """Measures how far architectures are from the largest subnet, on the same examples.

    Args:
        net: The supernet.
        data: The data; validation examples are used, and training ones for calibration.
        damage: What is measured, see `Damage`. A divergence keeps the outputs of the largest subnet for all examples.
        images: Number of validation examples; None: all of them.
        calibration: How BatchNorm statistics are computed first; None: those that the network holds.
        batch_size: Examples per batch.

    Raises:
        UsageError: an unknown damage.
    """

    net: Supernet
    data: Data
    damage: Damage = "divergence"
    images: int | None = 512
    calibration: Calibration | None = None
    batch_size: int = 64

    def __post_init__(self) -> None:
        if self.damage not in get_args(Damage):
            raise UsageError(f"The damage {self.damage!r} does not exist; use one of {get_args(Damage)}.")

    def __call__(self, arch: Arch) -> float:
        """The damage of an architecture; 0 for the largest.

        Raises:
            RunError: it is not a finite number.
        """
        found = self._mean(arch) - self._base
        if not math.isfinite(found):
            raise RunError(
                f"The damage of {readable(arch)} is {found}: its output is not finite. Leave out what makes it so, "
                "such as widths that are too small, or calibrate BatchNorm."
            )
        return found

    @cached_property
    def _batches(self) -> list[Batch]:
        return [batch_like(self.net, b) for b in self.data.validation.batches(self.batch_size, limit=self.images)]

    @cached_property
    def _teacher(self) -> list[Output]:
        return [] if self.damage == "loss" else list(self._outputs(self.net.space.largest()))

    @cached_property
    def _base(self) -> float:
        return self._mean(self.net.space.largest())

    def _outputs(self, arch: Arch) -> Iterator[Output]:
        with ExitStack() as stack, torch.no_grad():
            if self.calibration is None:
                stack.enter_context(untouched(self.net))
                stack.enter_context(activated(self.net, arch))
            else:
                stack.enter_context(calibrated(self.net, arch, self.data, self.calibration))
            for batch in self._batches:
                yield as_output(called(self.net, batch.x))

    def _mean(self, arch: Arch) -> float:
        teacher = self._teacher
        total, task = 0.0, self.data.task
        for number, (output, batch) in enumerate(zip(self._outputs(arch), self._batches, strict=True)):
            lost = (
                task.distillation(output, teacher[number], batch)
                if self.damage == "divergence"
                else task.loss(output, batch, label_smoothing=0.0)
            )
            total += float(lost) * batch.size
        return total / sum(batch.size for batch in self._batches)


def option_damage(
    meter: DamageMeter,
    *,
    known: Mapping[str, Mapping[int, float]] | None = None,
    done: Callable[[str, int, float], None] = lambda choice, code, damage: None,
) -> OptionDamage:
    """Measure every option of every choice alone: the largest subnet with one choice changed.

    Args:
        meter: What measures it.
        known: What was measured before, by the name of the choice and the option's index.
        done: Called after each measurement with the name of the choice, the option's index and the damage.
    """
    space = meter.net.space
    largest = space.largest()
    found: dict[str, tuple[float, ...]] = {}
    for choice in space.choices:
        values = []
        for code, option in enumerate(choice.options):
            told = (known or {}).get(choice.name, {}).get(code)
            if told is None:
                changed = space.arch({**largest.options(), choice.name: option})
                told = 0.0 if changed.code == largest.code else meter(changed)
                done(choice.name, code, told)
            values.append(told)
        found[choice.name] = tuple(values)
    return OptionDamage(found)
