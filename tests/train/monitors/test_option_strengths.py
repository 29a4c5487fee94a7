"""The strengths of options along a training, in a file that resumes as the log does."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from small_nets import images, operations_net
from small_runs import trained_run
from supernet import Choice, Space
from supernet.io.config import Named, Training
from supernet.io.run_directory import RunDirectory
from supernet.methods import darts
from supernet.report import write_report
from supernet.space.restriction import Restriction
from supernet.train import OptionStrengths, Recipe, Step, fit
from supernet.train.programs._protocol import WeighsOptions


class Weighs:
    """Weights of two choices, and of something that is no choice."""

    def probabilities(self, parts: object) -> dict[str, torch.Tensor]:
        return {
            "edge1": torch.tensor([0.2, 0.5, 0.3], requires_grad=True),
            "edge2": torch.tensor([1 / 3, float("nan"), 1 / 3]),
            "group of edges": torch.tensor([0.5, 0.5]),
        }


def test_a_line_has_what_is_left_of_each_choice(tmp_path: Path) -> None:
    space = Space([Choice("edge1", ("none", "skip", "conv")), Choice("edge2", ("none", "skip", "conv"))])
    left = Restriction(space)
    left.allow("edge1", ("none", "conv"))
    made = SimpleNamespace(net=SimpleNamespace(space=space), parts={}, done=7, restriction=left)
    found = OptionStrengths(Weighs(), tmp_path / "choices.jsonl", every=1)(cast(Step, made))
    assert found == {}, "nothing for the log"
    (line,) = (tmp_path / "choices.jsonl").read_text().splitlines()
    assert json.loads(line) == {"step": 7, "choices": {"edge1": [0.4, 0.0, 0.6], "edge2": [0.3333, None, 0.3333]}}
    assert OptionStrengths(Weighs(), None, every=1)(cast(Step, made)) == {}


class Drawing(torch.nn.Module):
    """A policy that can tell how likely options are."""

    def strengths(self, step: Step) -> dict[str, torch.Tensor]:
        return {"edge1": torch.tensor([0.25, 0.5, 0.25]) * step.done}


def test_of_a_policy_it_is_what_the_policy_tells(tmp_path: Path) -> None:
    space = Space([Choice("edge1", ("none", "skip", "conv"))])
    made = SimpleNamespace(
        net=SimpleNamespace(space=space), parts={"other": torch.nn.Identity()}, done=1, restriction=None
    )
    watch = OptionStrengths(None, tmp_path / "choices.jsonl", every=1)
    assert watch(cast(Step, made)) == {}
    assert not (tmp_path / "choices.jsonl").exists(), "no policy, no file"
    made.parts["controller"] = Drawing()
    assert watch(cast(Step, made)) == {}
    (line,) = (tmp_path / "choices.jsonl").read_text().splitlines()
    assert json.loads(line) == {"step": 1, "choices": {"edge1": [0.25, 0.5, 0.25]}}


@pytest.mark.parametrize(
    ("method", "options"),
    [("enas", {"updates": 2, "samples": 2, "derived": 2}), ("fpnas", {"samples": 2, "derived": 2, "rounds": 1})],
)
def test_a_run_of_a_policy_keeps_and_shows_its_strengths(method: str, options: dict[str, Any], tmp_path: Path) -> None:
    settings = Training(steps=60, batch_size=64, accelerator="cpu", monitor_every=0)
    run = trained_run(tmp_path / method, method=Named(method, options), train=settings)
    rows = [json.loads(line) for line in run.directory.strengths.read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(1, 61))
    assert all(set(row["choices"]) == {"block0", "block1"} for row in rows)
    assert all(sum(values) == pytest.approx(1, abs=1e-3) for row in rows for values in row["choices"].values())
    assert rows[0]["choices"] != rows[-1]["choices"]
    assert "What the choices came to" in write_report(run.directory.path).read_text()


def test_a_run_without_a_policy_keeps_none(tmp_path: Path) -> None:
    assert not trained_run(tmp_path / "spos").directory.strengths.exists()


def test_the_file_of_a_resumed_training_is_that_of_one_that_was_not_stopped(tmp_path: Path) -> None:
    recipe = darts()
    program = recipe.on(operations_net().space).phases[-1].program
    assert isinstance(program, WeighsOptions)

    def train(out: str, recipe: Recipe = recipe, watched: bool = True, **more: Any) -> dict[str, torch.Tensor]:
        directory = RunDirectory(tmp_path / out)
        watch = [OptionStrengths(program, directory.strengths, every=2)] if watched else []
        settings: dict[str, Any] = {"steps": 7, "batch_size": 16, "accelerator": "cpu", "progress": False}
        trained = fit(operations_net(), recipe, images(), out=directory, monitors=watch, **settings, **more)
        return dict(trained.net.state_dict())

    weights = train("whole")
    train("cut", stop_after=3)
    with (tmp_path / "cut/choices.jsonl").open("a") as file:  # of steps after the checkpoint of a killed training
        file.write('{"step": 4, "choices": {}}\n{"step": 6, "cho')
    again = train("cut", resume=True)
    whole = (tmp_path / "whole/choices.jsonl").read_bytes()
    assert (tmp_path / "cut/choices.jsonl").read_bytes() == whole
    rows = [json.loads(line) for line in whole.splitlines()]
    assert [row["step"] for row in rows] == [2, 4, 6, 7]
    assert all(sum(values) == pytest.approx(1, abs=1e-3) for row in rows for values in row["choices"].values())
    assert rows[0]["choices"] != rows[-1]["choices"]
    unwatched = train("unwatched", watched=False)
    for other in (again, unwatched):
        assert all(torch.equal(weights[name], other[name]) for name in weights)
