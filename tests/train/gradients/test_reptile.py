"""Gradients from short trainings, against trainings of separate copies by torch's own optimiser."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from small_nets import executor, images, operations_net, sgd, step
from supernet import Supernet
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.space import Arch
from supernet.train import (
    Backpropagation,
    Combine,
    ComplexityAwareLR,
    CrossEntropy,
    Mean,
    Move,
    Outcome,
    Path,
    Reptile,
    Sum,
    Updates,
)
from supernet.train.schedules.on_loss import OnLoss


def three(net: Supernet) -> list[Arch]:
    return [
        net.space.arch({"block0": a, "block1": b}) for a, b in (("conv3", "skip"), ("conv1", "conv3"), ("skip",) * 2)
    ]


def paths(archs: list[Arch]) -> list[Path]:
    return [Path(arch, CrossEntropy(), dropout=False) for arch in archs]


def trained_apart(net: Supernet, arch: Arch, batch: Batch, rule: Reptile) -> dict[str, Tensor]:
    """Weights of a copy after the steps of one path, by torch's SGD."""
    twin = copy.deepcopy(net)
    for layer in twin.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    optimiser = torch.optim.SGD(twin.parameters(), lr=rule.lr, momentum=rule.momentum)
    for _ in range(rule.steps):
        optimiser.zero_grad()
        F.cross_entropy(twin(batch.x, arch), batch.y).backward()
        if rule.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(twin.parameters(), rule.clip_norm)
        optimiser.step()
    return {name: p.detach() for name, p in twin.named_parameters()}


@pytest.mark.parametrize("clip", [None, 0.3])
@pytest.mark.parametrize(("combine", "factor"), [(Mean(), 1 / 3), (Sum(), 1.0)])
def test_it_is_the_way_that_torch_goes_on_separate_copies(combine: Combine, factor: float, clip: float | None) -> None:
    net = operations_net()
    run, archs = executor(net, images()), three(net)
    rule = Reptile(steps=3, lr=0.2, momentum=0.9, clip_norm=clip)
    ends = [trained_apart(net, arch, run.batch("train"), rule) for arch in archs]
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    losses = rule(run, Move(paths=paths(archs), combine=combine), step(net))
    for name, p in net.named_parameters():
        assert torch.equal(p, before[name]), "the weights themselves have moved"
        way = factor * sum(before[name] - end[name] for end in ends)
        if p.grad is None:
            assert not way.any()
        else:
            torch.testing.assert_close(p.grad, way, atol=1e-6, rtol=1e-4)
    assert [loss.item() for loss in losses] == pytest.approx(
        [F.cross_entropy(net(run.batch("train").x, arch), run.batch("train").y).item() for arch in archs], rel=0.2
    )


def test_a_step_at_rate_one_goes_to_the_mean_of_the_ends() -> None:
    net = operations_net()
    run, archs = executor(net, images(), weights=sgd(1.0)), three(net)
    rule = Reptile(steps=2, lr=0.1)
    ends = [trained_apart(net, arch, run.batch("train"), rule) for arch in archs]
    run.execute(Move(paths=paths(archs), combine=Mean(), gradient=rule), step(net))
    for name, p in net.named_parameters():
        torch.testing.assert_close(p.detach(), sum(end[name] for end in ends) / 3, atol=1e-6, rtol=1e-4)


def test_one_step_of_its_own_is_the_plain_gradient_and_two_are_not() -> None:
    def left(rule: Reptile | None) -> Tensor:
        net = operations_net()
        run = executor(net, images())
        move = Move(paths=paths(three(net)), combine=Mean())
        if rule is None:
            Backpropagation()(run, move, step(net))
        else:
            rule(run, move, step(net))
        return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])

    plain = left(None)
    torch.testing.assert_close(left(Reptile(steps=1, lr=0.5, clip_norm=None)), 0.5 * plain)
    assert (left(Reptile(steps=2, lr=0.5, momentum=0.0, clip_norm=None)) - plain).norm() > 0.1 * plain.norm()


def test_a_rate_by_complexity_on_the_loss_acts_on_the_steps_of_each_path() -> None:
    net = operations_net()
    net.input_shape = images().shape
    arch = three(net)[0]
    rate = ComplexityAwareLR(gamma_max=4.0)
    later = step(net, 5, total=10)

    def left(weights: Updates) -> Tensor:
        run = executor(net, images(), weights=weights)
        Reptile(steps=1, clip_norm=None)(run, Move(paths=paths([arch])), later)
        return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])

    weights = sgd(0.1)
    scaled = left(replace(weights, schedule=OnLoss(rate)))
    torch.testing.assert_close(scaled, rate.factor(net, arch, 5, 10) * left(weights))


def test_weights_are_where_they_were_if_a_path_fails() -> None:
    net = operations_net()
    run, before = executor(net, images()), [p.detach().clone() for p in net.parameters()]
    calls = []

    def fails_late(outcome: Outcome) -> Tensor:
        calls.append(1)
        if len(calls) == 3:
            raise ValueError("late")
        return CrossEntropy()(outcome)

    with pytest.raises(ValueError, match="late"):
        Reptile(steps=5)(run, Move(paths=[Path(three(net)[0], fails_late)]), step(net))
    assert all(torch.equal(p, old) for p, old in zip(net.parameters(), before, strict=True))


def test_what_makes_no_sense_is_refused() -> None:
    net = operations_net()
    with pytest.raises(UsageError, match="no micro_batch"):
        Reptile()(executor(net, images()), Move(paths=paths(three(net)), micro_batch=8), step(net))
    with pytest.raises(UsageError, match="0 steps"):
        Reptile(steps=0)
    with pytest.raises(UsageError, match=r"lr of the inner steps is -1; it must be a finite number above 0"):
        Reptile(lr=-1)
