"""Killed at any moment and resumed, a training ends with bitwise the same state."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from child_trainings import STEPS, context, to_be_killed
from signals import terminal
from small_nets import images, operations_net
from supernet.errors import RunError
from supernet.methods import darts, one_shot
from supernet.train import Recipe, Trained, TrainPaths, Uniform, checkpoint, fit
from supernet.train.laws import Trial, resumes_bitwise
from supernet.train.step import Step

__all__ = ["terminal"]  # a fixture

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("terminal")]  # whole runs, or processes of their own


def newest(run: Path) -> tuple[Path, dict[str, torch.Tensor], dict[str, Any]]:
    path = checkpoint.latest(run / "checkpoints")
    assert path is not None
    return path, *checkpoint.load(path)


def log(run: Path) -> list[dict[str, float]]:
    """The training log without wall-clock."""
    rows = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in ("examples_per_s", "seconds")} for row in rows]


def test_killed_at_random_moments_and_resumed_it_is_bitwise_the_same(tmp_path: Path) -> None:
    """SIGKILL, wherever it hits: in a step, while a checkpoint is written, between the two."""
    whole, run = tmp_path / "whole", tmp_path / "run"
    to_be_killed(whole)
    rng = random.Random(0)
    stopped = []
    for after in (5, 40, 80):
        process = context().Process(target=to_be_killed, args=(run,))
        process.start()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            path = checkpoint.latest(run / "checkpoints")
            if path is not None and int(path.stem.removeprefix("step-")) >= after:
                break
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        process.close()
        stopped.append(newest(run)[2]["step"])
    assert all(after <= step < STEPS for after, step in zip((5, 40, 80), stopped, strict=True)), stopped
    to_be_killed(run)
    path, tensors, meta = newest(run)
    other, expected, told = newest(whole)
    assert (path.name, meta) == (other.name, told)
    assert set(tensors) == set(expected)
    assert any(name.endswith("momentum_buffer") for name in tensors)
    assert any(name.endswith("exp_avg_sq") for name in tensors)
    assert any(name.endswith("running_var") for name in tensors)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in tensors.items())
    assert log(run) == log(whole)
    assert not list((run / "checkpoints").glob(".*")), "leftovers of killed writers"


class Pressing:
    """Sends this process a signal in the middle of the training."""

    every = 1

    def __init__(self, number: int, at: int, *, times: int = 1) -> None:
        self.number, self.at, self.times = number, at, times

    def __call__(self, step: Step) -> Mapping[str, float]:
        for _ in range(self.times if step.done == self.at else 0):
            os.kill(os.getpid(), self.number)
        return {}


def train(run: Path, recipe: Recipe, **options: Any) -> Trained:
    net = operations_net()
    settings = {"steps": 12, "batch_size": 8, "accelerator": "cpu", "progress": False, "resume": True}
    return fit(net, recipe, images(), out=run, **(settings | options))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_saves_after_the_step_and_goes_on(tmp_path: Path, number: int) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    train(whole, darts())
    with pytest.raises(RunError, match=rf"interrupted after 5 of 12 steps; resume to go on from {run}"):
        train(run, darts(), monitors=[Pressing(number, 5)])
    assert newest(run)[2]["step"] == 5
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    train(run, darts())
    _, tensors, _ = newest(run)
    assert all(torch.equal(tensor, newest(whole)[1][name]) for name, tensor in tensors.items())


def test_an_interruption_in_the_middle_of_a_step_waits_for_its_end(tmp_path: Path) -> None:
    """Between the two moves of a DARTS step: half a step must not be saved."""
    whole, run = tmp_path / "whole", tmp_path / "run"
    train(whole, darts())
    recipe = darts()
    original = type(recipe.program).moves

    def interrupted(self: Any, step: Step) -> Iterator[Any]:
        for number, move in enumerate(original(self, step)):
            if step.index == 4 and number == 1:
                os.kill(os.getpid(), signal.SIGINT)
            yield move

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(recipe.program), "moves", interrupted)
        with pytest.raises(RunError, match="interrupted after 5 of 12"):
            train(run, recipe)
    train(run, recipe)
    _, tensors, _ = newest(run)
    assert all(torch.equal(tensor, newest(whole)[1][name]) for name, tensor in tensors.items())


def test_a_second_interruption_acts_at_once(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, darts(), monitors=[Pressing(signal.SIGINT, 5, times=2)], checkpoint_every=2)
    assert newest(tmp_path)[2]["step"] == 4


def test_an_interruption_in_the_last_step_is_none(tmp_path: Path) -> None:
    assert train(tmp_path, darts(), monitors=[Pressing(signal.SIGINT, 12)]).steps == 12


def test_batches_already_drawn_are_not_drawn_again(tmp_path: Path) -> None:
    """DARTS that starts with its architecture half way draws fewer validation batches than training batches."""
    train(tmp_path, darts(begin=0.5), stop_after=9)
    assert newest(tmp_path)[2]["draws"] == {"train": 9, "validation": 3}


def test_the_law_of_resuming_catches_what_is_not_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(recipe=one_shot(), net=operations_net(), data=images(), batch_size=8)
    resumes_bitwise(trial)
    restored = checkpoint.load

    def forgetful(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        tensors, meta = restored(path)
        return {name: t for name, t in tensors.items() if not name.startswith("optimizer/")}, meta

    with monkeypatch.context() as patch:
        patch.setattr("supernet.train.state.checkpoint.load", forgetful)
        with pytest.raises(AssertionError, match="differs"):
            resumes_bitwise(trial)


def test_the_law_of_resuming_catches_a_sampler_with_a_memory() -> None:
    class Counting(Uniform):
        calls = 0

        def paths(self, step: Step) -> Any:
            Counting.calls += 1
            return step.space.wrap([[Counting.calls // 4 % 3, 0]])

    recipe = Recipe(name="memory", program=TrainPaths(sampler=Counting()), weights=one_shot().weights)
    with pytest.raises(AssertionError, match=r"after resuming, .* differs"):
        resumes_bitwise(Trial(recipe=recipe, net=operations_net(), data=images(), batch_size=8))
