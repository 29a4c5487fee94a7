"""A softmax per choice: what is drawn, how likely it is, and what has no part in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from small_nets import elastic_net, operations_net, step
from supernet import Supernet
from supernet.train import IndependentChoices, IndependentPolicy, PoliciesOfTasks, Setting, Step


def made(net: Supernet, scale: float = 1.0) -> IndependentChoices:
    found = IndependentPolicy()(Setting(net, 0, {}))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for logits in found.logits:
            logits.copy_(scale * torch.randn(len(logits), generator=generator))
    return found


@pytest.mark.parametrize("build", [operations_net, elastic_net])
def test_the_likelihoods_of_all_architectures_sum_to_one(build: object) -> None:
    net: Supernet = build()  # type: ignore[operator]
    policy, now = made(net), step(net)
    logs = [policy.likelihood(now, arch).log_prob for arch in net.space.enumerate()]
    assert torch.stack(logs).exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_draws_are_as_frequent_as_their_likelihood() -> None:
    net = operations_net()
    policy = made(net)
    drawn = [policy.draw(replace(step(net), seed=seed), "test") for seed in range(3000)]
    for arch in net.space.enumerate():
        p = policy.likelihood(step(net), arch).log_prob.exp().item()
        assert drawn.count(arch) / 3000 == pytest.approx(p, abs=0.03)


def test_strengths_are_the_softmax_of_what_is_allowed() -> None:
    net = operations_net()
    policy = made(net)
    name, other = net.space.names
    now = step(net).within(net.space.restrict({name: ["conv3", "skip"]}))
    told = policy.strengths(now)
    first, second = (logits.detach() for logits in policy.logits)
    kept = first[[0, 2]].softmax(0)
    assert torch.allclose(told[name], torch.tensor([kept[0], 0.0, kept[1]]))
    assert torch.allclose(told[other], second.softmax(0))
    assert not told[other].requires_grad


def test_the_strengths_of_several_tasks_are_their_mean() -> None:
    net = operations_net()
    one, two = made(net), made(net, 3.0)
    both = PoliciesOfTasks({"one": one, "two": two}).strengths(step(net))
    for name in net.space.names:
        assert torch.allclose(both[name], (one.strengths(step(net))[name] + two.strengths(step(net))[name]) / 2)
        assert not torch.allclose(both[name], one.strengths(step(net))[name])


def test_uses_and_steps_draw_other_noise_and_the_same_one_the_same() -> None:
    net = operations_net()
    policy = made(net, 0.0)

    def many(now: Step, use: str) -> list[object]:
        return [policy.draw(replace(now, seed=seed), use) for seed in range(12)]

    assert many(step(net), "a") == many(step(net), "a")
    assert many(step(net), "a") != many(step(net), "b")
    assert many(step(net, 1), "a") != many(step(net), "a")


def test_a_decided_choice_has_no_part_in_it() -> None:
    net = operations_net()
    policy = made(net)
    name, other = net.space.names
    part = net.space.restrict({name: [net.space.choices[0].options[1]]})
    now = step(net).within(part)
    arch = policy.draw(now, "test")
    assert arch in part
    found = policy.likelihood(now, arch)
    found.log_prob.backward()  # type: ignore[no-untyped-call]
    assert policy.logits[0].grad is None
    assert policy.logits[1].grad is not None
    alone = policy.logits[1].log_softmax(0)[arch.code[1]]
    assert torch.allclose(found.log_prob, alone)
    p = policy.logits[1].softmax(0)
    assert torch.allclose(found.entropy, -(p * p.log()).sum())
    assert policy.probabilities(now, net.space.choices[0]).tolist() == [0.0, 1.0, 0.0]
    assert np.isclose(policy.probabilities(now, net.space.choices[1]).sum().item(), 1)
    assert other == net.space.choices[1].name
