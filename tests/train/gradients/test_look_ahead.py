"""The gradient through a look ahead is that of automatic differentiation, and it costs less than a step or two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad

from small_nets import executor, images, plain_net, sgd, step
from supernet import OpChoice, Supernet
from supernet.errors import UsageError
from supernet.train import CrossEntropy, LookAhead, PartOfBatch
from supernet.train.move import Move, Outcome, Path

RATE = 0.3


class Theta(nn.Module):
    """Two parameters that the loss of the step depends on."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.7))
        self.b = nn.Parameter(torch.tensor(-0.4))


def stepped_on(logits: Tensor, labels: Tensor, theta: Mapping[str, Tensor]) -> Tensor:
    """L₁; θ also stands inside, so that no product of two gradients gives ∂/∂θ."""
    pressed = torch.tanh(theta["b"] * logits).square().mean()
    return torch.sigmoid(theta["a"] + logits.mean()) * nn.functional.cross_entropy(logits, labels) + pressed


class SteppedOn:
    def __call__(self, outcome: Outcome) -> Tensor:
        theta = dict(outcome.step.part("theta", Theta).named_parameters())
        return stepped_on(outcome.logits, outcome.batch.labels, theta)


@pytest.fixture
def scene() -> Any:
    net, theta = plain_net().train(), Theta()
    run = executor(net, images(), parts={"theta": theta}, weights=sgd(RATE, momentum=0.9, weight_decay=0.1))
    now = step(net, parts={"theta": theta})
    arch = net.space.smallest()
    move = Move(
        updates="theta",
        paths=[Path(arch, SteppedOn()), Path(arch, CrossEntropy())],
        gradient=LookAhead(examples=6),
    )
    return net, theta, run, now, move


def expected(net: Any, theta: Theta, batch: Any, arch: Any, examples: int) -> dict[str, Tensor]:
    """∇_θ of the loss at w − η ∇L₁ by `torch.func`, all of it one function of θ."""
    weights = {name: p.detach() for name, p in net.named_parameters()}

    def loss(w: Mapping[str, Tensor], theta: Mapping[str, Tensor] | None, cut: slice) -> Tensor:
        logits = functional_call(net, dict(w), (batch.x[cut],))
        if theta is None:
            return nn.functional.cross_entropy(logits, batch.y[cut])
        return stepped_on(logits, batch.y[cut], theta)

    def after(theta: Mapping[str, Tensor]) -> Tensor:
        direction = grad(loss)(weights, theta, slice(0, examples))
        moved = {name: w - RATE * direction[name] for name, w in weights.items()}
        return loss(moved, None, slice(examples, 2 * examples))

    with net.active(arch):
        found: dict[str, Tensor] = grad(after)({name: p.detach() for name, p in theta.named_parameters()})
    return found


def test_it_is_automatic_differentiation_through_the_step(scene: Any) -> None:
    net, theta, run, now, move = scene
    wanted = expected(net, theta, run.batch("train"), move.paths[0].decisions, 6)
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    losses = move.gradient(run, move, now)
    assert len(losses) == 2
    for name, parameter in theta.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.item() == pytest.approx(wanted[name].item(), rel=1e-4)
        assert abs(float(wanted[name])) > 1e-5
    for name, parameter in net.named_parameters():
        assert torch.equal(parameter, before[name]), "the weights stay where they are"
        assert parameter.grad is None


def test_the_second_loss_is_that_of_the_weights_after_the_step(scene: Any) -> None:
    net, theta, run, now, move = scene
    batch, arch = run.batch("train"), move.paths[0].decisions
    _, second = move.gradient(run, move, now)
    with net.active(arch):
        first = stepped_on(net(batch.x[:6]), batch.y[:6], dict(theta.named_parameters()))
        used = [p for p in net.parameters() if "conv1" not in "".join(n for n, q in net.named_parameters() if q is p)]
        gradient = torch.autograd.grad(first, used)
        with torch.no_grad():
            for parameter, found in zip(used, gradient, strict=True):
                parameter -= RATE * found
        wanted = nn.functional.cross_entropy(net(batch.x[6:12]), batch.y[6:12])
    assert second.item() == pytest.approx(wanted.item(), abs=1e-6)


def test_a_look_ahead_costs_less_than_three_plain_steps(scene: Any) -> None:
    """In passes of the batch of 16 images: a plain step is one forward and one backward."""
    _, _, run, now, move = scene
    run.execute(move, now)
    assert run.forwards == 3 * 6 / 16
    assert run.backwards == 2 * 6 / 16
    whole = Move(updates="theta", paths=move.paths, gradient=LookAhead())
    run.passed.update(forward=0, backward=0)
    run.execute(whole, now)
    assert (run.forwards, run.backwards) == (1.5, 1.0)


def test_half_of_the_batch_is_the_default(scene: Any) -> None:
    net, theta, run, now, move = scene
    wanted = expected(net, theta, run.batch("train"), move.paths[0].decisions, 8)
    LookAhead()(run, move, now)
    assert theta.a.grad is not None
    assert theta.a.grad.item() == pytest.approx(wanted["a"].item(), rel=1e-4)


def test_what_makes_no_sense_is_refused(scene: Any) -> None:
    _, _, run, now, move = scene
    with pytest.raises(UsageError, match="two slices of 9 examples"):
        LookAhead(examples=9)(run, move, now)
    with pytest.raises(UsageError, match="of two paths"):
        LookAhead()(run, Move(updates="theta", paths=move.paths[:1]), now)
    with pytest.raises(UsageError, match="at least 1"):
        LookAhead(examples=0)
    apart = Move(updates="theta", paths=[move.paths[1]] * 2)
    with pytest.raises(UsageError, match="does not depend on the parameters"):
        LookAhead()(run, apart, now)


def test_operations_without_a_second_derivative_and_shared_modules_will_do() -> None:
    """The gate of many mobile networks is such an operation; the module stands in the net under two names."""
    torch.manual_seed(0)
    gate = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Hardsigmoid())
    net = Supernet(nn.Sequential(OpChoice("op", {"a": gate, "b": gate}), nn.Linear(16, 10))).train()
    theta, before = Theta(), gate[1].weight.clone()  # type: ignore[operator]
    run = executor(net, images(), parts={"theta": theta}, weights=sgd(RATE))
    paths = [Path(net.space.smallest(), SteppedOn()), Path(net.space.smallest(), CrossEntropy())]
    rule = LookAhead(examples=6)
    rule(run, Move(updates="theta", paths=paths, gradient=rule), step(net, parts={"theta": theta}))
    found, width = theta.a.grad, 1e-2
    assert torch.equal(gate[1].weight, before)  # type: ignore[arg-type]
    assert found is not None

    def judged(shift: float) -> float:
        batch = run.batch("train")
        with torch.no_grad():
            theta.a += shift
        weights = dict(net.named_parameters())
        with net.active(net.space.smallest()):
            first = stepped_on(net(batch.x[:6]), batch.y[:6], dict(theta.named_parameters()))
            gradient = torch.autograd.grad(first, list(weights.values()))
            moved = {name: w - RATE * g for (name, w), g in zip(weights.items(), gradient, strict=True)}
            second = nn.functional.cross_entropy(
                functional_call(net, moved, (batch.x[6:12],), tie_weights=False), batch.y[6:12]
            )
        with torch.no_grad():
            theta.a -= shift
        return second.item()

    assert found.item() == pytest.approx((judged(width) - judged(-width)) / (2 * width), rel=0.05)


def test_weights_in_two_places_move_in_both() -> None:
    torch.manual_seed(0)
    one, other = nn.Linear(64, 64), nn.Linear(64, 64)
    other.weight = one.weight
    block = nn.Sequential(nn.Flatten(), one, nn.Tanh(), other, nn.Tanh())
    net = Supernet(nn.Sequential(OpChoice("op", {"a": block, "b": nn.Flatten()}), nn.Linear(64, 10))).train()
    theta, arch = Theta(), net.space.arch({"op": "a"})
    run = executor(net, images(), parts={"theta": theta}, weights=sgd(RATE))
    move = Move(updates="theta", paths=[Path(arch, SteppedOn()), Path(arch, CrossEntropy())])
    LookAhead(examples=6)(run, move, step(net, parts={"theta": theta}))
    wanted = expected(net, theta, run.batch("train"), arch, 6)
    assert theta.a.grad is not None
    assert theta.a.grad.item() == pytest.approx(wanted["a"].item(), rel=1e-4)


# -- the step on a part of the batch ---------------------------------------------------------------------------


@pytest.mark.parametrize("clip", [None, 1e-3, 1e3])
def test_a_part_of_the_batch_has_a_clipping_of_its_own(clip: float | None) -> None:
    net = plain_net().train()
    run, now, arch = executor(net, images()), step(net), net.space.smallest()
    move = Move(paths=[Path(arch, CrossEntropy())], gradient=PartOfBatch(examples=4, clip_norm=clip))
    assert move.gradient is not None
    move.gradient(run, move, now)
    found = torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])
    run.steppers["weights"].clear()
    batch = run.batch("train")
    with net.active(arch):
        nn.functional.cross_entropy(net(batch.x[:4]), batch.y[:4]).backward()
    plain = torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])
    assert 1e-3 < plain.norm() < 1e3
    factor = 1.0 if clip != 1e-3 else 1e-3 / float(plain.norm())
    assert torch.allclose(found, plain * factor, rtol=1e-4, atol=1e-9)


def test_a_part_of_the_batch_is_of_one_path() -> None:
    net = plain_net()
    paths = [Path(net.space.smallest(), CrossEntropy())] * 2
    with pytest.raises(UsageError, match="of one path"):
        PartOfBatch(examples=4)(executor(net, images()), Move(paths=paths), step(net))
    with pytest.raises(UsageError, match="at least 1"):
        PartOfBatch(examples=0)
    with pytest.raises(UsageError, match="largest norm"):
        PartOfBatch(examples=4, clip_norm=0)
