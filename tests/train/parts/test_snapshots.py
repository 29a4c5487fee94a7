"""Snapshots give back every bit of a training, also out of a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from method_trials import squares
from small_nets import executor, operations_net, step
from supernet.errors import UsageError
from supernet.methods import darts
from supernet.train import Context, checkpoint
from supernet.train.parts.snapshots import Snapshots
from supernet.train.state import TrainingState


def training() -> Context:
    net, recipe = operations_net(), darts()
    state = TrainingState(net, recipe, seed=0, batch_size=16)
    run = executor(net, squares())
    run.steppers = state.steppers
    return Context(step(net, parts=state.parts), run)


def go_on(context: Context, steps: int = 2) -> None:
    for index in range(steps):
        context.executor.begin()
        torch.manual_seed(index)  # of dropout
        now = step(context.net, index, parts=context.parts)
        for move in darts().programs[0].moves(now):
            context.executor.execute(move, now)  # type: ignore[arg-type]


def everything(context: Context) -> dict[str, Tensor]:
    found = {f"net {name}": value.clone() for name, value in context.net.state_dict().items()}
    found |= {f"α {name}": value.clone() for name, value in context.parts["architecture"].state_dict().items()}
    for family, stepper in context.steppers.items():
        for number, parameter in enumerate(stepper.parameters):
            for key, value in stepper.optimizer.state.get(parameter, {}).items():
                found[f"{family} {number} {key}"] = torch.as_tensor(value).clone()
    return found


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_weights_statistics_and_optimisers_come_back_and_go_on_alike() -> None:
    context, kept = training(), Snapshots()
    go_on(context)
    kept.take("a", context, most=3)
    before = everything(context)
    assert any("momentum_buffer" in name for name in before)
    assert any("exp_avg" in name for name in before)
    go_on(context)
    after = everything(context)
    assert not same(before, after)
    kept.restore("a", context)
    assert same(before, everything(context))
    context.executor.feed.turn_to(context.executor.feed.data, batch_size=16, seed=0)
    context.executor.feed.draws.update(dict.fromkeys(context.executor.feed.draws, 2))
    go_on(context)
    assert same(after, everything(context)), "the same images lead to the same state"
    kept.restore("a", context)
    assert same(before, everything(context)), "what was kept is a copy"


def test_before_the_first_step_there_is_no_momentum_and_going_back_there_forgets_it() -> None:
    context, kept = training(), Snapshots()
    kept.take("start", context, most=1)
    before = everything(context)
    go_on(context)
    kept.restore("start", context)
    assert same(before, everything(context))


def test_they_survive_a_checkpoint(tmp_path: Path) -> None:
    context, kept = training(), Snapshots()
    for name in ("2", "10"):
        go_on(context)
        kept.take(name, context, most=3)
    before = everything(context)
    checkpoint.save(tmp_path / "one.safetensors", dict(kept.state_dict()), {"step": 1})
    tensors, _ = checkpoint.load(tmp_path / "one.safetensors")
    read = Snapshots()
    read.load_state_dict(tensors)
    assert list(read.held) == ["2", "10"]
    go_on(context)
    read.restore("10", context)
    assert same(before, everything(context))


def test_the_oldest_go_and_later_ones_are_forgotten() -> None:
    context, kept = training(), Snapshots()
    for name in "abcd":
        kept.take(name, context, most=3)
    assert list(kept.held) == ["b", "c", "d"]
    kept.forget_after("c")
    assert list(kept.held) == ["b", "c"]
    with pytest.raises(UsageError, match="no snapshot 'd'"):
        kept.restore("d", context)
