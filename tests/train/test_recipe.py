"""Recipes as values: what fits together, and their description."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import pytest
import torch

from small_nets import operations_net, sgd
from supernet.errors import UsageError
from supernet.methods import darts, spos
from supernet.train import (
    Bilevel,
    Constant,
    CrossEntropy,
    Fixed,
    Path,
    Recipe,
    StrictFair,
    Strongest,
    TrainPaths,
    Uniform,
)
from supernet.train.recipe import describe


def test_pieces_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="'x' learns architecture parameters, so it needs"):
        Recipe(name="x", program=Bilevel(), weights=sgd())
    with pytest.raises(UsageError, match="TrainPaths never moves them"):
        Recipe(name="x", program=TrainPaths(sampler=Uniform()), weights=sgd(), architecture=sgd())
    with pytest.raises(UsageError, match="TrainPaths learns none"):
        Recipe(name="x", program=TrainPaths(sampler=Uniform()), weights=sgd(), derive=Strongest())


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Bilevel(order=3), "is 1 or 2; got 3"),
        (lambda: Bilevel(first="alpha"), "'architecture' or 'weights'; got 'alpha'"),
        (lambda: Bilevel(begin=1.5), r"share in \[0, 1\]; got 1.5"),
        (lambda: TrainPaths(sampler=Uniform(), micro_batch=0), "at least 1, or None"),
        (lambda: TrainPaths(sampler=Uniform(), regularise="last"), "'all' paths or on the 'first'; got 'last'"),
    ],
)
def test_programs_refuse_options_outside_their_range(build: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        build()


def test_a_changed_piece_changes_the_description() -> None:
    base = spos()
    fair = replace(base, program=replace(base.program, sampler=StrictFair()))
    assert base.describe()["program"]["sampler"] == {"piece": "Uniform", "count": 1}
    assert fair.describe()["program"]["sampler"] == {"piece": "StrictFair"}
    assert {k: v for k, v in fair.describe().items() if k != "program"} == {
        k: v for k, v in base.describe().items() if k != "program"
    }


def test_descriptions_name_functions_arguments_and_architectures() -> None:
    arch = operations_net().space.arch({"block0": "skip", "block1": "conv1"})
    assert describe(Fixed(arch)) == {"piece": "Fixed", "arch": {"block0": "skip", "block1": "conv1"}}
    assert describe(partial(torch.optim.SGD, lr=0.1)) == {"call": "SGD", "lr": 0.1}
    assert describe(partial(pow, 2)) == {"call": "pow", "arguments": [2]}
    assert describe({"a": (1, None)}) == {"a": [1, None]}


def test_a_piece_of_ones_own_needs_no_registration() -> None:
    @dataclass(frozen=True)
    class Halves(Constant):
        steps: int = 3

    recipe = spos(schedule=Halves(7))
    assert recipe.describe()["weights"]["schedule"] == {"piece": "Halves", "steps": 7}
    assert darts().describe()["derive"] == {"piece": "Strongest", "exclude": []}


def test_a_path_that_could_mean_options_or_indices_is_refused() -> None:
    with pytest.raises(UsageError, match="A path is an architecture or Decisions; got a dict"):
        Path({"block0": 0}, CrossEntropy())  # type: ignore[arg-type]
