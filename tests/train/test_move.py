"""Moves and steps: whose gradient, which buffers, what the log and the program are told, randomness of a use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from method_trials import squares, train
from small_nets import executor, images, operations_net, plain_net, sgd, step
from supernet import Supernet
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Decisions
from supernet.nn.output import Output
from supernet.train import (
    CopyOfNet,
    CrossEntropy,
    Mean,
    Move,
    Moves,
    Outcome,
    Part,
    Path,
    Recipe,
    Reptile,
    Step,
    Sum,
)
from supernet.train.executor import Executor
from supernet.train.move import Result

HALF = CrossEntropy()


class Shift(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.full((8, 1), 0.1))


def shifted(now: Step, path: Path, batch: Batch) -> Output:
    x = batch.x + now.part("shift", Shift).rows
    return now.forward(path.decisions, Batch(x, batch.y), settings=path.settings)


def made(net: Supernet) -> tuple[Executor, Step, Shift]:
    shift = Shift()
    run = executor(net, images(), parts={"shift": shift})
    return run, replace(step(net, parts={"shift": shift}), runner=run), shift


def paths(net: Supernet, **options: Any) -> list[Path]:
    one, other = net.space.enumerate()
    return [Path(one, CrossEntropy(), weight=0.3, **options), Path(other, CrossEntropy(0.2), **options)]


@pytest.mark.parametrize(("combine", "share"), [(Sum(), 1.0), (Mean(), 0.5)])
@pytest.mark.parametrize("micro_batch", [None, 6])
def test_a_move_on_two_families_follows_the_gradient_of_the_sum(combine: Any, share: float, micro_batch: Any) -> None:
    net = plain_net()
    run, now, shift = made(net)
    family = [*net.parameters(), *shift.parameters()]
    batch, total = run.batch("train"), torch.zeros(())
    for path in paths(net):
        logits = net(batch.x + shift.rows, path.decisions)
        loss = nn.functional.cross_entropy(logits, batch.y, label_smoothing=path.objective.label_smoothing)  # type: ignore[attr-defined]
        total = total + share * path.weight * loss
    wanted = [p.detach() - 0.1 * g for p, g in zip(family, torch.autograd.grad(total, family), strict=True)]
    move = Move(
        updates=("weights", "shift"), paths=paths(net, forward=shifted), combine=combine, micro_batch=micro_batch
    )
    result = run.execute(move, now)
    for parameter, value in zip(family, wanted, strict=True):
        torch.testing.assert_close(parameter.detach(), value)
    assert result.loss == pytest.approx(sum(result.losses) / 2)


def buffers(net: nn.Module) -> list[Tensor]:
    return [buffer.clone() for buffer in net.buffers()]


@pytest.mark.parametrize(("families", "touched"), [("shift", False), ("weights", True), (("weights", "shift"), True)])
def test_statistics_follow_moves_on_the_weights_alone(families: Any, touched: bool) -> None:
    net = operations_net()
    run, now, _ = made(net)
    before = buffers(net)
    run.execute(Move(updates=families, paths=[Path(net.space.largest(), HALF, forward=shifted)]), now)
    assert touched == any(not torch.equal(a, b) for a, b in zip(before, net.buffers(), strict=True))
    assert all(p.grad is None for p in net.parameters())


def test_what_is_no_move() -> None:
    net = plain_net()
    run, now, _ = made(net)
    path = Path(net.space.smallest(), HALF)
    with pytest.raises(UsageError, match="A move on weights and shift has no path"):
        run.execute(Move(updates=("weights", "shift"), paths=[]), now)
    for families in ((), ("weights", "weights")):
        with pytest.raises(UsageError, match="name at least one, each once"):
            Move(updates=families, paths=[path])
    with pytest.raises(UsageError, match=r"was to change 'code', but updates are given for 'weights', 'shift'"):
        run.execute(Move(updates=("weights", "code"), paths=[path]), now)


# -- paths that do not learn ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """Notes whether the pass had a graph, and what came before it; its loss is named."""

    seen: list[tuple[bool, int]]
    name: str = "loss"

    def __call__(self, outcome: Outcome) -> Mapping[str, Tensor]:
        self.seen.append((outcome.logits.requires_grad, len(outcome.earlier)))
        return {self.name: CrossEntropy()(outcome)}


@pytest.mark.parametrize("gradient", [None, Reptile(steps=1, lr=0.1, momentum=0.0, clip_norm=None)])
def test_a_path_that_does_not_learn_is_there_for_later_ones_alone(gradient: Any) -> None:
    """It has no gradient and no share in a mean, of gradients, losses or terms; its loss is told to the program."""
    ends, seen = [], []
    for teacher in (False, True):
        net = plain_net()
        run = executor(net, images())
        one, other = net.space.enumerate()
        asked = [Path(one, Seen(seen, "taught"), learns=False)] if teacher else []
        asked += [Path(other, Seen(seen))]
        result = run.execute(Move(paths=asked, combine=Mean(), gradient=gradient), replace(step(net), runner=run))
        ends.append(([p.detach().clone() for p in net.parameters()], result))
    assert seen == [(True, 0), (False, 0), (True, 1)]
    assert all(torch.equal(a, b) for a, b in zip(ends[0][0], ends[1][0], strict=True))
    alone, taught = ends[0][1], ends[1][1]
    assert len(taught.losses) == 2
    assert taught.losses[0] != taught.losses[1]
    assert taught.loss == alone.loss == taught.losses[1]
    assert taught.terms == alone.terms == {"loss": pytest.approx(alone.loss)}


@dataclass(frozen=True)
class Taught:
    """The largest path is there for the smallest."""

    told: list[Result]
    parts = ()
    objective = CrossEntropy()

    def check(self, net: Supernet) -> None:
        return

    def moves(self, step: Step) -> Moves:
        largest = Path(step.space.largest(), self.objective, learns=False)
        result = yield Move(paths=[largest, Path(step.space.smallest(), self.objective)])
        assert result is not None
        self.told.append(result)


def test_counts_and_log_are_about_paths_that_learn() -> None:
    told: list[Result] = []
    net = operations_net()
    trained = train(Recipe(name="taught", program=Taught(told), weights=sgd()), net=net, steps=3, log_every=1)
    assert [row["loss"] for row in trained.history] == [result.losses[1] for result in told]
    assert [(row["forwards"], row["backwards"]) for row in trained.history] == [(2, 1), (4, 2), (6, 3)]


def test_a_training_counts_options_that_learned(tmp_path: Any) -> None:
    import json

    train(Recipe(name="taught", program=Taught([]), weights=sgd()), steps=3, out=tmp_path)
    rows = json.loads((tmp_path / "counts.json").read_text())
    smallest = operations_net().space.smallest().code
    assert [row["paths"] for row in rows] == [[3 * (code == n) for n in range(3)] for code in smallest]


# -- terms, preparation, settings ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Two:
    """Two terms, the second for one path alone."""

    factor: float

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        loss = CrossEntropy()(outcome)
        return {"a": self.factor * loss} | ({"b": loss} if self.factor > 1 else {})


def test_terms_are_means_over_the_paths_that_have_them() -> None:
    net = plain_net()
    run = executor(net, images())
    one, other = net.space.enumerate()
    result = run.execute(Move(paths=[Path(one, Two(1.0)), Path(other, Two(2.0))]), step(net))
    first, second = result.losses[0], result.losses[1] / 3
    assert result.terms == {"a": pytest.approx((first + 2 * second) / 2), "b": pytest.approx(second)}
    assert run.execute(Move(paths=[Path(one, CrossEntropy())]), step(net)).terms == {}, "of this move alone"


@dataclass(frozen=True)
class Prepared:
    """Counts the images that are prepared, and sees what was made of them."""

    sizes: list[int]
    given: list[int]

    def prepare(self, step: Step, batch: Batch) -> dict[str, int]:
        self.sizes.append(len(batch.y))
        return {"images": len(batch.y)}

    def __call__(self, outcome: Outcome) -> Tensor:
        self.given.append(outcome.given["images"])
        assert outcome.given["images"] == len(outcome.batch.y)
        return CrossEntropy()(outcome)


@pytest.mark.parametrize(
    ("micro_batch", "gradient", "sizes"),
    [(None, None, [16]), (6, None, [6, 6, 4]), (None, Reptile(steps=2), [16])],
)
def test_what_is_given_is_prepared_once_per_piece(micro_batch: int, gradient: Any, sizes: list[int]) -> None:
    net, prepared = plain_net(), Prepared([], [])
    run = executor(net, images())
    asked = [Path(arch, prepared) for arch in net.space.enumerate()]
    run.execute(Move(paths=asked, micro_batch=micro_batch, gradient=gradient, prepare=prepared.prepare), step(net))
    assert prepared.sizes == sizes
    passes = 2 if gradient is None else 4
    assert prepared.given == [size for size in sizes for _ in range(passes)]


def test_results_are_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    net = plain_net()
    run = executor(net, images())
    low = torch.zeros(16, 10, dtype=torch.bfloat16)
    monkeypatch.setattr(net, "forward", lambda x: Output(low, (low,), {"box": low}))
    output = run.forward(net.space.smallest(), run.batch("train"))
    assert {tensor.dtype for tensor in (output.logits, *output.aux, *output.heads.values())} == {torch.float32}


def test_a_network_may_return_heads_and_what_is_handed_on_has_no_graph() -> None:
    net = plain_net()
    x = torch.ones(1, 10, requires_grad=True) * 2
    outcome = Outcome(Output(x, (x,), {"box": x}), Batch(x, x), step(net), taps={"deep": x})
    plain = outcome.detached()
    tensors = [plain.logits, *plain.output.aux, plain.output.heads["box"], plain.taps["deep"]]
    assert not any(tensor.requires_grad for tensor in tensors)
    other = outcome.of_head(x + 1)
    assert (other.output.aux, other.output.heads) == ((), {"box": x})
    assert torch.equal(other.logits, x + 1)


# -- randomness ----------------------------------------------------------------------------------------------------


def drawn(now: Step, use: str) -> tuple[list[float], list[float]]:
    with now.seeded(use) as rng:
        return torch.rand(3).tolist(), rng.random(3).tolist()


def test_what_is_drawn_for_a_use_depends_on_seed_step_and_use() -> None:
    net = plain_net()
    now = step(net, 4)
    before = torch.get_rng_state()
    first = drawn(now, "weights op")
    assert torch.equal(before, torch.get_rng_state()), "the generator outside is advanced"
    torch.manual_seed(99)
    now.rng.random()
    assert drawn(now, "weights op") == first
    others = [
        drawn(now, "architecture op"),
        drawn(step(net, 5), "weights op"),
        drawn(replace(now, seed=1), "weights op"),
    ]
    for other in others:
        for one, two in zip(first, other, strict=True):
            assert not np.isclose(one, two).any()
    assert drawn(replace(now, index=1, start=3), "weights op") == first, "the step of the whole training counts"


# -- running a part ------------------------------------------------------------------------------------------------


def test_a_pass_of_a_part_is_counted_and_leaves_the_net(monkeypatch: pytest.MonkeyPatch) -> None:
    net = operations_net()
    run = executor(net, squares())
    copy = CopyOfNet()(type("Setting", (), {"net": net})())  # type: ignore[arg-type]
    now = replace(step(net, parts={"copy": copy}), runner=run)
    before = buffers(net)
    output = now.forward(Decisions({"block0": 0, "block1": 1}), run.batch("train"), part="copy")
    assert output.logits.shape == (16, 10)
    assert not output.logits.requires_grad
    assert (run.forwards, run.backwards) == (1, 0)
    assert all(torch.equal(a, b) for a, b in zip(before, net.buffers(), strict=True))
    with pytest.raises(UsageError, match="'other' of the kind Supernet is needed, but none is there"):
        now.forward(net.space.smallest(), run.batch("train"), part="other")
    with pytest.raises(UsageError, match="only be run and rated inside a training"):
        step(net).batch("train")


def test_a_part_without_updates_stays_as_it_is() -> None:
    recipe = Recipe(
        name="kept", program=Taught([]), weights=sgd(), parts={"first": Part(build=CopyOfNet(), mode="eval")}
    )
    net, start = operations_net(), operations_net()
    kept = train(recipe, net=net, steps=2).parts["first"].state_dict()
    assert all(torch.equal(value, start.state_dict()[name]) for name, value in kept.items())
    assert not all(torch.equal(value, net.state_dict()[name]) for name, value in kept.items())
