"""REINFORCE: its gradient by an independent formula, its baseline by hand, and that it finds what is rewarded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import nn

from small_nets import executor, images, operations_net, sgd, step
from supernet import Supernet
from supernet.errors import UsageError
from supernet.nn import Decisions
from supernet.space import Arch
from supernet.train import (
    Combine,
    CrossEntropy,
    IndependentPolicy,
    Likelihood,
    LSTMController,
    Mean,
    Move,
    Path,
    Reinforce,
    Setting,
    Step,
    Sum,
    WeightsThenPolicy,
    adam,
)
from supernet.train.executor import Executor
from supernet.train.updates import Stepper


@dataclass(frozen=True)
class Table:
    """Rewards by the codes of two choices of three options; what it rated is noted."""

    rewards: tuple[tuple[float, ...], ...]
    seen: list[str] = field(default_factory=list)

    def __call__(self, step: Step, archs: Sequence[Arch]) -> Sequence[float]:
        self.seen.extend(map(str, archs))
        return [1 - self.rewards[arch.code[0]][arch.code[1]] for arch in archs]


REWARDS = ((0.1, 0.5, 0.2), (0.3, 0.9, 0.4), (0.6, 0.7, 0.8))


class Softmaxes(nn.Module):
    """A policy with a logit per option: two independent softmaxes."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([[0.3, -0.2, 0.1], [0.0, 0.5, -0.4]], dtype=torch.float64))

    def draw(self, step: Step, use: str) -> Arch:
        raise AssertionError("the gradient is that of the given paths")

    def likelihood(self, step: Step, arch: Arch) -> Likelihood:
        log_probs = self.logits.log_softmax(1)
        entropy = -(log_probs.exp() * log_probs).sum()
        return Likelihood(log_probs[[0, 1], list(arch.code)].sum(), entropy.detach(), 0.0 * self.logits.sum())


def gradient(
    rule: Reinforce, codes: Sequence[tuple[int, int]], combine: Combine | None = None
) -> tuple[Step, torch.Tensor]:
    net, policy = operations_net(), Softmaxes()
    parts: dict[str, nn.Module] = {"controller": policy}
    run = executor(net, images(), parts=parts)
    now = replace(step(net, parts=parts), runner=run)
    paths = [Path(arch, CrossEntropy()) for arch in net.space.wrap(np.array(codes))]
    move = Move(updates="controller", data="validation", paths=paths, combine=combine or Mean(), gradient=rule)
    rule(run, move, now)
    found = policy.logits.grad
    assert found is not None
    return now, found


def test_the_gradient_is_that_of_two_softmaxes_by_hand() -> None:
    """∂ log softmax(θ)_a / ∂θ = 1_a − softmax(θ); the baseline moves before each use."""
    codes = [(1, 1), (0, 2), (2, 0), (1, 1)]
    now, found = gradient(Reinforce(rating=Table(REWARDS), decay=0.9, entropy=0.0), codes)
    probabilities, baseline = Softmaxes().logits.detach().softmax(1), 0.0
    expected = torch.zeros(2, 3, dtype=torch.float64)
    for code in codes:
        reward = REWARDS[code[0]][code[1]]
        baseline += 0.1 * (reward - baseline)
        for choice, option in enumerate(code):
            expected[choice] -= (reward - baseline) * (torch.eye(3)[option] - probabilities[choice]) / len(codes)
    assert torch.allclose(found, expected, atol=1e-9)
    assert now.memory == {"baseline of controller": pytest.approx(baseline)}


def test_entropy_is_part_of_the_reward_and_has_no_gradient_unless_the_policy_gives_it_one() -> None:
    logits = Softmaxes().logits.detach()
    entropy = float(-(logits.softmax(1) * logits.log_softmax(1)).sum())
    without = gradient(Reinforce(rating=Table(REWARDS), decay=0.5, entropy=0.0), [(1, 1)])[1]
    now, found = gradient(Reinforce(rating=Table(REWARDS), decay=0.5, entropy=0.1), [(1, 1)])
    assert now.memory["baseline of controller"] == pytest.approx(0.5 * (0.9 + 0.1 * entropy))
    assert torch.allclose(found, without * (0.9 + 0.1 * entropy) / 0.9)


def test_an_entropy_that_is_alike_for_all_draws_is_raised_by_its_own_gradient() -> None:
    """A reward that all draws share is taken away again by the baseline."""
    net = operations_net()
    policy = IndependentPolicy()(Setting(net, 0, {}))
    with torch.no_grad():
        for number, logits in enumerate(policy.logits):
            logits.copy_(torch.tensor([0.7, -0.2, 0.1]) * (number + 1))
    rule = Reinforce(rating=Table(((0.5,) * 3,) * 3), begin=None, entropy=0.25)
    parts: dict[str, nn.Module] = {"controller": policy}
    run = executor(net, images(), parts=parts)
    paths = [Path(arch, CrossEntropy()) for arch in net.space.wrap(np.array([(0, 2), (1, 1)]))]
    move = Move(updates="controller", data="validation", paths=paths, combine=Mean(), gradient=rule)
    rule(run, move, replace(step(net, parts=parts), runner=run))
    for logits in policy.logits:
        p = logits.detach().softmax(0)
        slope = -p * (p.log() - (p * p.log()).sum())  # of the entropy
        assert logits.grad is not None
        assert torch.allclose(logits.grad, -0.25 * slope, atol=1e-6)


@pytest.mark.parametrize(("begin", "expected"), [(0.0, [0.09, 0.101]), (0.5, [0.54, 0.506]), (None, [0.9, 0.83])])
def test_the_baseline_is_a_moving_average_that_begins_where_it_is_told(
    begin: float | None, expected: list[float]
) -> None:
    rule = Reinforce(rating=Table(REWARDS), decay=0.9, begin=begin, entropy=0.0)
    assert gradient(rule, [(1, 1)])[0].memory["baseline of controller"] == pytest.approx(expected[0])
    assert gradient(rule, [(1, 1), (0, 2)])[0].memory["baseline of controller"] == pytest.approx(expected[1])


def test_paths_are_combined_as_the_move_says() -> None:
    rule = Reinforce(rating=Table(REWARDS), decay=0.9)
    mean = gradient(rule, [(1, 1), (0, 2)])[1]
    whole = gradient(rule, [(1, 1), (0, 2)], Sum())[1]
    assert torch.allclose(whole, 2 * mean)


def controller_run(net: Supernet, rule: Reinforce, lr: float) -> tuple[Executor, Step]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        part = LSTMController(size=16)(Setting(net, 0, {}))
    run = executor(net, images(), parts={"controller": part})
    run.steppers = {
        "weights": Stepper(sgd(), net.parameters(), batch_size=16),
        "controller": Stepper(adam(lr, betas=(0.0, 0.999), eps=1e-3), part.parameters(), batch_size=16),
    }
    return run, replace(step(net, parts={"controller": part}), runner=run)


@pytest.mark.parametrize("best", [(1, 1), (2, 0)])
def test_the_controller_finds_the_planted_best_of_a_table(best: tuple[int, int]) -> None:
    rewards = tuple(tuple(0.9 if (i, j) == best else REWARDS[i][j] / 3 for j in range(3)) for i in range(3))
    net, rule = operations_net(), Reinforce(rating=Table(rewards))
    run, now = controller_run(net, rule, lr=0.05)
    program = WeightsThenPolicy(policy_gradient=rule, updates=30, samples=8)
    moves = program.moves(replace(now, index=9))
    next(moves)  # that on the weights is not made
    for move in moves:
        assert isinstance(move, Move)
        run.execute(move, now)
    policy = now.parts["controller"]
    shares = {arch.code: policy.likelihood(now, arch).log_prob.exp().item() for arch in net.space.enumerate()}  # type: ignore[operator]
    assert max(shares, key=shares.__getitem__) == best
    assert shares[best] > 0.5


def test_rewards_are_accuracies_on_a_batch_for_each_architecture() -> None:
    net, rule = operations_net(), Reinforce(entropy=0.0)
    run, now = controller_run(net, rule, lr=0.0)
    paths = [Path(arch, CrossEntropy()) for arch in list(net.space.enumerate())[:3]]
    move = Move(updates="controller", data="validation", paths=paths, combine=Mean(), gradient=rule)
    terms = run.execute(move, now).terms
    assert run.feed.draws["validation"] == 3
    twin = executor(net, images())
    again = replace(now, runner=twin)
    accuracies = [1 - again.rate([p.decisions], data="validation", measure="error", fresh=True)[0] for p in paths]
    assert terms["reward"] == pytest.approx(sum(accuracies) / 3)
    assert set(terms) == {"reward", "baseline", "entropy"}


def test_it_refuses_what_it_cannot_teach() -> None:
    net, rule = operations_net(), Reinforce()
    run, now = controller_run(net, rule, lr=0.1)
    path = Path(net.space.smallest(), CrossEntropy())
    with pytest.raises(UsageError, match="the move steps"):
        rule(run, Move(paths=[path]), now)
    with pytest.raises(UsageError, match="Rewards are given for architectures"):
        rule(run, Move(updates="controller", paths=[Path(Decisions({"block0": 0}), CrossEntropy())]), now)
    with pytest.raises(UsageError, match="drawn by a part 'controller'"):
        rule(run, Move(updates="controller", paths=[path]), replace(now, parts={}))
    for settings in ({"decay": 1.0}, {"entropy": -1.0}, {"begin": float("nan")}):
        with pytest.raises(UsageError):
            Reinforce(**settings)  # type: ignore[arg-type]
