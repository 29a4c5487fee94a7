"""Gradients of paths joined by projection, against the formula on gradients that torch computes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from small_nets import executor, images, operations_net, sgd, step
from supernet import Supernet
from supernet.errors import UsageError
from supernet.train import CrossEntropy, Move, Path, ProjectLargest, Recipe, Reptile, Sum, TrainPaths, Uniform
from supernet.train.combines._protocol import Gradients
from supernet.train.executor import Executor

ANY = ProjectLargest(begin=0.0, clip_norm=None)


def paths(net: Supernet, **options: Any) -> list[Path]:
    archs = [
        net.space.arch({"block0": a, "block1": b})
        for a, b in (("conv3", "skip"), ("conv1", "conv3"), ("conv3", "conv1"))
    ]
    return [Path(arch, CrossEntropy(), dropout=False, **options) for arch in archs]


def gradients_of(net: Supernet, run: Executor, given: list[Path]) -> list[Gradients]:
    batch, found = run.batch("train"), []
    for path in given:
        net.zero_grad()
        loss, _ = run.run(path, batch, step(net))
        loss.backward()
        found.append([None if p.grad is None else p.grad.clone() for p in run.parameters(["weights"])])
    net.zero_grad()
    return found


def pair(first: list[float], other: list[float]) -> list[Gradients]:
    return [[torch.tensor(first)], [torch.tensor(other)]]


def joined(combine: ProjectLargest, given: list[Gradients], **now: Any) -> Tensor:
    (found,) = combine.join(given, step(operations_net(), **now).progress)
    assert found is not None
    return found


def test_what_contradicts_the_others_is_taken_out() -> None:
    found = joined(ANY, pair([1.0, -2.0, 0.5], [1.0, 1.5, 0.0]))
    other = torch.tensor([1.0, 1.5, 0.0])
    assert torch.dot(found - other, other) == pytest.approx(0, abs=1e-6)  # what is left of the first is orthogonal
    torch.testing.assert_close(found, torch.tensor([1.0, -2.0, 0.5]) + (1 + 2 / 3.25) * other)


def test_gradients_that_agree_are_added() -> None:
    assert joined(ANY, pair([1.0, 2.0], [3.0, 0.0])).tolist() == [4.0, 2.0]


def test_the_projection_has_a_limit() -> None:
    assert joined(ANY, pair([-5.0, 1.0], [1.0, 0.0])).tolist() == [-2.0, 1.0]  # a = 5, cut to 2
    assert joined(replace(ANY, limit=0.5), pair([-5.0, 1.0], [1.0, 0.0])).tolist() == [-3.5, 1.0]


def test_it_begins_late_and_clips_the_others_alone() -> None:
    usual = ProjectLargest()
    early = joined(usual, pair([-30.0, 0.0], [0.0, 40.0]), index=0, total=100)
    torch.testing.assert_close(early, torch.tensor([-30.0, 1.0]))
    for index, expected in ((25, -1.0), (26, 1.0)):  # 101 of 400 epochs are 25.25 %
        assert joined(usual, pair([-2.0], [1.0]), index=index, total=100).item() == pytest.approx(expected, abs=1e-5)


def test_clipping_takes_the_norm_of_all_tensors_together() -> None:
    given: list[Gradients] = [[torch.zeros(1), None], [torch.tensor([3.0]), torch.tensor([4.0])]]
    found = ProjectLargest(begin=1.0).join(given, 0.0)
    assert [round(float(g), 5) for g in found if g is not None] == [0.6, 0.8]


@pytest.mark.parametrize("micro_batch", [None, 5])
def test_a_move_leaves_what_the_formula_says(micro_batch: int | None) -> None:
    net = operations_net()
    run, given = executor(net, images()), paths(net)
    if micro_batch is not None:  # statistics of a piece are others than those of the batch
        net.eval()
    first, *others = gradients_of(net, run, given)
    expected = []
    for one, *rest in zip(first, *others, strict=True):
        present = [g for g in rest if g is not None]
        other = sum(present) if present else None
        if one is None or other is None:
            expected.append(one if other is None else other)
            continue
        assert isinstance(other, Tensor)
        a = torch.clamp(-(one * other).sum() / (other.norm() ** 2 + 1e-6), 0, 2)
        expected.append(one + (1 + a) * other)
    run.backpropagate(Move(paths=given, combine=ANY, micro_batch=micro_batch), step(net))
    plain = [p.grad for p in run.parameters(["weights"])]
    for found, wanted in zip(plain, expected, strict=True):
        assert (found is None) == (wanted is None)
        if found is not None and wanted is not None:
            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
    net.zero_grad()
    run.backpropagate(Move(paths=given, combine=Sum(), micro_batch=micro_batch), step(net))
    summed = [p.grad for p in run.parameters(["weights"])]
    assert any(a is not None and b is not None and not torch.allclose(a, b) for a, b in zip(plain, summed, strict=True))


def test_a_path_alone_has_nothing_to_be_projected_by() -> None:
    net = operations_net()
    run = executor(net, images())
    with pytest.raises(UsageError, match=r"a single path that learns\. Take a sampler of several"):
        run.backpropagate(Move(paths=paths(net)[:1], combine=ANY), step(net))


def test_another_gradient_rule_is_refused() -> None:
    program = TrainPaths(sampler=Uniform(2), combine=ANY, gradient=Reptile())
    net = operations_net()
    with pytest.raises(UsageError, match=r"ProjectLargest joins the gradients of backpropagation, .* by Reptile"):
        next(iter(Recipe(name="both", program=program, weights=sgd(0.1)).programs[0].moves(step(net))))
