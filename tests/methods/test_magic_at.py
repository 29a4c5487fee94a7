"""MAGIC-AT: aligned with an anchor, and in exactly one choice another than the path before."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from method_trials import on_digits, published, train
from small_nets import operations_net, sgd
from supernet.methods import magic_a, magic_at, magic_t
from supernet.train import Ramp, Recipe, ValidationLoss
from supernet.train.executor import Executor
from supernet.train.move import Move, Result
from supernet.train.step import Step


def quick(**options: Any) -> Recipe:
    return magic_at(**{"label_smoothing": 0.0, "alignment": 0.1, **options}).with_weights(lr=0.1, per=None)


TRIALS = {"magic_at": lambda: on_digits(quick(), operations_net())}
ALTERNATIVES = {
    "alignment": Ramp(0.0, 1.0),
    "every": 10,
    "rating": ValidationLoss(100),
    "layers": ("3",),
    "restart": 100,
    "label_smoothing": 0.2,
    "weights": sgd(0.1),
}
SETTINGS = {"alignment": 1.0, "every": 1, "rating": None, "layers": None, "restart": None}
SMOOTHING = 0.1
REFUSED_BY = {"k_shot", "sum_nas"}


def trained_on(recipe: Recipe, steps: int) -> list[tuple[list[tuple[int, ...]], Result]]:
    seen: list[tuple[list[tuple[int, ...]], Result]] = []
    original = Executor.execute

    def noting(self: Executor, move: Move, now: Step) -> Result:
        result = original(self, move, now)
        seen.append(([path.decisions.code for path in move.paths], result))  # type: ignore[union-attr]
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Executor, "execute", noting)
        train(recipe, steps=steps)
    return seen


def differences(walked: list[tuple[int, ...]]) -> list[int]:
    return [sum(a != b for a, b in zip(one, other, strict=True)) for one, other in itertools.pairwise(walked)]


def test_it_is_magic_a_on_the_walk_of_magic_t() -> None:
    program: Any = magic_at(restart=5).program
    assert program.sampler == magic_t(restart=5).program.sampler  # type: ignore[union-attr]
    assert published(magic_at().weights) == published(magic_a().weights)
    before: Any = magic_a().program
    assert (program.weight, program.every, program.objective) == (before.weight, before.every, before.objective)


def test_successive_paths_differ_in_exactly_one_choice_and_are_aligned() -> None:
    seen = trained_on(quick(), 40)
    assert len(seen) == 40
    assert differences([codes[-1] for codes, _ in seen]) == [1] * 39
    assert sum("alignment" in result.terms for _, result in seen) > 20
    apart = trained_on(magic_a(label_smoothing=0.0).with_weights(lr=0.1, per=None), 40)
    assert differences([codes[-1] for codes, _ in apart]) != [1] * 39


def test_the_walk_is_that_of_magic_t() -> None:
    walks = [[codes[-1] for codes, _ in trained_on(recipe, 12)] for recipe in (quick(), magic_t())]
    assert walks[0] == walks[1]


def test_a_walk_of_no_steps_is_refused() -> None:
    with pytest.raises(Exception, match="begin anew after 0"):
        magic_at(restart=0)
