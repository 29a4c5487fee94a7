"""Pieces of a user's own with the mistakes that are made: the sentence names the piece and says what it returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from supernet import Choice, ElasticLinear, Supernet, data, fit, search
from supernet.errors import RunError, UsageError
from supernet.search.laws import Toy, stages
from supernet.train import CrossEntropy, Edit, Recipe, TrainPaths, Uniform, sgd

ANSWERS: dict[str, Callable[[Any], Any]] = {
    "None": lambda _: None,
    "number": lambda _: 1.0,
    "vector": lambda _: torch.ones(3, requires_grad=True),
    "whole": lambda _: torch.tensor(3),
    "constant": lambda _: torch.tensor(1.0),
    "detached": lambda outcome: CrossEntropy()(outcome).detach(),
    "no terms": lambda _: {},
    "None by name": lambda _: {"x": None},
    "vector by name": lambda _: {"x": torch.ones(2)},
    "text by name": lambda _: {"x": "high"},
    "number by number": lambda _: {1: 1.0},
    "loss by name": lambda _: {"loss": 1.0},
    "architecture": lambda step: step.space.largest(),
    "tensor by name": lambda _: {"x": torch.tensor(2.0), "y": np.float32(3), "z": float("nan")},
}


@dataclass(frozen=True)
class Mine:
    answer: str
    every: int = 1

    def __call__(self, given: Any) -> Any:
        return ANSWERS[self.answer](given)

    def check(self, net: Supernet) -> None:
        pass

    def paths(self, step: Any) -> Any:
        return ANSWERS[self.answer](step)


def trained(*, sampler: Any = None, objective: Any = None, monitors: Any = (), **recipe: Any) -> Any:
    net = Supernet(
        nn.Sequential(nn.Flatten(), ElasticLinear(64, width := Choice("w", (4, 8))), ElasticLinear(width, 10))
    )
    program = TrainPaths(sampler=sampler or Uniform(), objective=objective or CrossEntropy())
    made = Recipe(name="mine", program=program, weights=sgd(0.1), **recipe)
    return fit(net, made, data.digits(), steps=2, log_every=1, progress=False, monitors=monitors)


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        (Mine("None"), "objective Mine returned a NoneType; it returns the loss"),
        (Mine("number"), "objective Mine returned a float"),
        (Mine("vector"), r"objective Mine returned a Tensor of shape \(3,\)"),
        (Mine("whole"), "objective Mine returned a Tensor .*int64"),
        (Mine("no terms"), "objective Mine returned no term"),
        (Mine("None by name"), "objective Mine returned a NoneType as 'x'"),
        (Mine("constant"), "loss of the objective Mine depends on no weight"),
        (Mine("detached"), "loss of the objective Mine depends on no weight"),
        (CrossEntropy, r"objective is the class CrossEntropy; give a value of it, such as CrossEntropy\("),
        (5, "objective int is no objective: one can be called"),
    ],
)
def test_an_objective_that_gives_no_loss_is_named(objective: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        trained(objective=objective)


@pytest.mark.parametrize(
    ("sampler", "said"),
    [
        (Mine("None"), "sampler Mine returned None; .* a list of architectures"),
        (Mine("architecture"), r"sampler Mine returned Arch\(w=8\); .* a list of architectures"),
        (Uniform, "sampler is the class Uniform"),
        (CrossEntropy(), "sampler CrossEntropy is no sampler: one has check and paths, and it lacks check, paths"),
    ],
)
def test_a_sampler_that_draws_no_list_is_named(sampler: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        trained(sampler=sampler)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("None", "returned None; it returns numbers by name"),
        ("number", "returned 1.0; it returns numbers by name"),
        ("text by name", "returned 'x': 'high'"),
        ("vector by name", "returned 'x': tensor"),
        ("number by number", "returned 1: 1.0"),
        ("loss by name", "returned 'loss', which every line of the log has"),
    ],
)
def test_a_monitor_that_tells_no_numbers_is_named(answer: str, said: str) -> None:
    with pytest.raises(UsageError, match=f"monitor Mine {said}"):
        trained(monitors=[Mine(answer)])


def test_a_monitor_tells_tensors_and_numbers_of_numpy_and_what_is_not_finite() -> None:
    line = trained(monitors=[Mine("tensor by name")]).history[-1]
    assert (line["x"], line["y"]) == (2.0, 3.0)
    assert line["z"] != line["z"]
    assert all(type(line[name]) is float for name in "xyz")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"monitors": Mine("None")}, r"\[monitor\] for one"),
        ({"monitors": [CrossEntropy()]}, "monitor CrossEntropy is no monitor: .* it lacks every"),
        ({"edits": (Mine("None"),)}, r"is no edit of the recipe 'mine'; give Edit\("),
        ({"edits": (Edit(name="cut", apply=Mine("text by name")),)}, "edit 'cut' returned 'x': 'high'"),
        ({"edits": (Edit(name="cut", apply=Mine("number")),)}, "edit 'cut' returned 1.0"),
    ],
)
def test_other_pieces_are_named(given: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        trained(**given)


@dataclass(frozen=True)
class Proposing:
    proposes: Any
    name: str = "mine"

    def begin(self, problem: Any) -> Any:
        return None if self.proposes == "nothing begun" else self

    def ask(self, n: int) -> Any:
        return self.proposes

    def tell(self, archs: Any, values: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("proposes", "error", "said"),
    [
        (None, RunError, "mine answered NoneType where it was asked for architectures"),
        ("width=8", RunError, "mine answered str"),
        ([{"width": 8}], RunError, "mine proposed {'width': 8}, a dict and no architecture"),
        ([], RunError, "The searcher proposed no architecture at all"),
        ("nothing begun", UsageError, r"mine began with None; begin\(problem\) returns what has ask"),
    ],
)
def test_a_searcher_that_proposes_no_architectures_is_named(proposes: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        search.run(Proposing(proposes), Toy(stages(2)), objectives="accuracy", budget=5)
