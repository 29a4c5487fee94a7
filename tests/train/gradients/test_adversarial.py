"""The worst mixture nearby, against brute force over a grid; the gradient there, against one computed separately."""

from __future__ import annotations

import copy
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from small_nets import executor, images, operations_net, step
from supernet import Mixture, OpChoice, Supernet
from supernet.errors import UsageError
from supernet.nn import Decisions
from supernet.nn.modes import all_but_normalisation, evaluating
from supernet.train import Adversarial, CrossEntropy, Move, Path, Ramp
from supernet.train.executor import Executor
from supernet.train.relaxations.perturbed import shares_of


def loss_at(run: Executor, decisions: Decisions) -> float:
    """Cross-entropy on the batch, in a copy of the net and without dropout."""
    net, batch = copy.deepcopy(run.net), run.batch("train")
    with torch.no_grad(), evaluating(all_but_normalisation(net)):
        return F.cross_entropy(net(batch.x, decisions), batch.y).item()


def opposed(count: int = 1, *, seed: int = 0) -> Supernet:
    """Blocks of a convolution and its opposite, so that every ascent takes from one what it gives the other."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers: list[nn.Module] = [nn.Conv2d(1, 4, 3, padding=1)]
        for number in range(count):
            plus, minus = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            with torch.no_grad():
                for one, other in zip(plus.parameters(), minus.parameters(), strict=True):
                    other.copy_(-one.mul_(3.0))
            layers += [OpChoice(f"block{number}", {"plus": plus, "minus": minus}), nn.Tanh()]
        return Supernet(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 10)))


def blocks(*weights: Tensor) -> Decisions:
    return Decisions({f"block{number}": Mixture(value) for number, value in enumerate(weights)})


def mixtures(decisions: Decisions) -> list[Tensor]:
    return [mixture.weights for mixture in decisions.values() if isinstance(mixture, Mixture)]


def attacked(run: Executor, decisions: Decisions, rule: Adversarial, index: int = 4) -> Decisions:
    path = Path(decisions, CrossEntropy())
    found = rule.worst(run, path, Move(paths=[path]), step(run.net, index)).decisions
    assert isinstance(found, Decisions)
    return found


@pytest.mark.parametrize("radius", [0.05, 0.2])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_one_block_is_perturbed_as_badly_as_brute_force_finds(radius: float, seed: int) -> None:
    run = executor(opposed(seed=seed), images())
    start = torch.tensor([0.6, 0.4])
    clean = loss_at(run, blocks(start))
    grid = torch.linspace(-radius, radius, 9).tolist()
    worst = max(loss_at(run, blocks(shares_of(start + torch.tensor(pair)))) for pair in product(grid, grid))
    found = loss_at(run, attacked(run, blocks(start), Adversarial(radius=radius)))
    assert worst > clean + 1e-4, "there is something to find"
    assert clean + 0.95 * (worst - clean) <= found <= worst + 1e-4


def test_two_blocks_are_perturbed_as_badly_as_brute_force_finds() -> None:
    run = executor(opposed(2), images())
    start, radius = [torch.tensor([0.5, 0.5]), torch.tensor([0.3, 0.7])], 0.15
    clean, found = loss_at(run, blocks(*start)), attacked(run, blocks(*start), Adversarial(radius=radius))
    grid = (-radius, 0.0, radius)
    noises = [torch.tensor(four).view(2, 2) for four in product(grid, repeat=4)]
    tried = [loss_at(run, blocks(*(shares_of(a + b) for a, b in zip(start, noise, strict=True)))) for noise in noises]
    assert max(tried) > clean + 1e-3
    assert clean + 0.95 * (max(tried) - clean) <= loss_at(run, found) <= max(tried) + 1e-4


def by_hand(run: Executor, start: Tensor, noise: Tensor, radius: float, steps: int) -> Tensor:
    """The ascent on one block, by differences of the loss instead of backpropagation."""

    def shares(weights: Tensor) -> Tensor:
        cut = weights.clamp(0, 1)
        return cut / cut.sum()

    def loss(weights: Tensor) -> float:
        return loss_at(run, blocks(weights.float()))

    unit = torch.eye(len(start), dtype=torch.float64)
    found = shares(start + noise)
    for _ in range(steps):
        slope = torch.tensor([loss(found + 1e-2 * one) - loss(found - 1e-2 * one) for one in unit])
        assert slope.abs().min() > 1e-5, "its sign can be trusted"
        found = shares(start + (found + 2 * radius / steps * slope.sign() - start).clamp(-radius, radius))
    return found if loss(found) >= loss(start) else start


def test_every_step_is_that_of_the_rule_by_differences_of_the_loss() -> None:
    """Three options, where all may rise at once and dividing by the sum takes that back."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        options = {f"option{kernel}": nn.Conv2d(1, 4, kernel, padding=kernel // 2) for kernel in (1, 3, 5)}
        net = Supernet(
            nn.Sequential(
                OpChoice("block0", options), nn.Tanh(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 10)
            )
        )
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(3.0)
    run = executor(net, images())
    start, radius = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64), 0.1
    for steps in (1, 2, 7):
        with step(net, 4).seeded("adversarial 0"):
            noise = (2 * torch.rand(3) - 1).double() * radius
        found = mixtures(attacked(run, blocks(start.float()), Adversarial(radius=radius, steps=steps)))[0]
        torch.testing.assert_close(found.double(), by_hand(run, start, noise, radius, steps), atol=1e-5, rtol=0)
        assert found.sum().item() == pytest.approx(1)


def test_a_perturbation_that_lowers_the_loss_is_dropped() -> None:
    """From the worse end of the mixtures every step leads down, and from the other one up."""
    run = executor(opposed(), images())
    ends = [torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])]
    better, worse = sorted(ends, key=lambda end: loss_at(run, blocks(end)))
    rule = Adversarial(radius=0.2, steps=1)
    for index in range(6):
        assert torch.equal(mixtures(attacked(run, blocks(worse), rule, index))[0], worse)
    moved = [mixtures(attacked(run, blocks(better), rule, index))[0] for index in range(6)]
    assert sum(not torch.equal(found, better) for found in moved) >= 4
    assert all(loss_at(run, blocks(found)) >= loss_at(run, blocks(better)) for found in moved)


def test_the_gradient_is_that_at_the_worst_mixture() -> None:
    net = operations_net()
    for layer in net.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    run = executor(net, images())
    start = blocks(torch.tensor([0.5, 0.2, 0.3]), torch.tensor([0.3, 0.4, 0.3]))
    rule, path = Adversarial(radius=0.2), Path(start, CrossEntropy())
    worst = attacked(run, start, rule)
    twin = copy.deepcopy(net)
    batch = run.batch("train")
    F.cross_entropy(twin(batch.x, worst), batch.y).backward()
    (loss,) = rule(run, Move(paths=[path]), step(net, 4))
    assert loss.item() == pytest.approx(loss_at(run, worst), abs=1e-5)
    gradients = {name: p.grad for name, p in net.named_parameters()}
    assert len(gradients) > 5
    for name, parameter in twin.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, atol=1e-6, rtol=1e-4)
    for (name, buffer), other in zip(net.named_buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(buffer, other, msg=f"{name} saw more than the last pass")


def test_seven_steps_take_nine_more_forwards_and_seven_more_backwards() -> None:
    net = operations_net()
    run = executor(net, images())
    move = Move(paths=[Path(blocks(torch.ones(3) / 3, torch.ones(3) / 3), CrossEntropy())])
    Adversarial(radius=0.1)(run, move, step(net))
    assert (run.forwards, run.backwards) == (7 + 2 + 1, 7 + 1)


def test_without_a_radius_or_a_mixture_nothing_is_perturbed() -> None:
    net = operations_net()
    run = executor(net, images())
    start = blocks(torch.ones(3) / 3, torch.ones(3) / 3)
    assert attacked(run, start, Adversarial(radius=0)) is start
    rule = Adversarial(radius=Ramp(0.0, 0.2))
    assert attacked(run, start, rule, 0) is start
    assert attacked(run, start, rule, 9) is not start
    decided = Decisions({"block0": 1, "block1": 2})
    assert attacked(run, decided, Adversarial(radius=0.2)) is decided


def test_settings_outside_their_range_and_moves_on_the_architecture_are_refused() -> None:
    with pytest.raises(UsageError, match="radius"):
        Adversarial(radius=-0.1)
    with pytest.raises(UsageError, match="at least 1"):
        Adversarial(steps=0)
    net = operations_net()
    move = Move(updates="architecture", paths=[Path(blocks(torch.ones(3) / 3, torch.ones(3) / 3), CrossEntropy())])
    with pytest.raises(UsageError, match="to train the weights"):
        Adversarial()(executor(net, images()), move, step(net))
