"""Several architectures in one pass of a training."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from method_trials import moves, train
from small_nets import executor, images, operations_net, step
from supernet import Choice, ElasticConv2d, ElasticLinear, Supernet
from supernet.errors import UsageError
from supernet.methods import sandwich
from supernet.train import CrossEntropy, Mean, Move, Path, Sum
from supernet.train.combines._protocol import Combine
from supernet.train.forwards.several import Several


def nested_net() -> Supernet:
    """No norm: a batch's gradient is the mean of its images' gradients."""
    torch.manual_seed(0)
    a, b = Choice("a", (2, 4, 6)), Choice("b", (3, 5))
    layers = (ElasticConv2d(1, a, 3, stride=2), nn.Tanh(), ElasticConv2d(a, b, 3, stride=2), nn.Tanh())
    return Supernet(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), ElasticLinear(b * 4, 10)))


def gradient(net: Supernet, paths: list[Path], combine: Combine) -> list[torch.Tensor]:
    runs = executor(net, images())
    runs.begin()
    now = replace(step(net), runner=runs)
    runs.backpropagate(Move(paths=paths, combine=combine), now)
    found = [parameter.grad.clone() for parameter in net.parameters()]
    net.zero_grad()
    return found


def test_the_gradient_is_that_of_each_architecture_on_its_own_examples() -> None:
    net = nested_net()
    archs = [net.space.arch({"a": a, "b": b}) for a, b in ((2, 5), (6, 3))]
    together = gradient(net, [Path(archs[0], CrossEntropy(), forward=Several(tuple(archs)))], Sum())
    batch = executor(net, images()).batch("train")
    for number, arch in enumerate(archs):
        rows = slice(number, None, 2)
        loss = nn.functional.cross_entropy(net(batch.x[rows], arch), batch.y[rows], reduction="sum") / batch.size
        loss.backward()
    for parameter, found in zip(net.parameters(), together, strict=True):
        torch.testing.assert_close(found, parameter.grad)


@pytest.mark.parametrize("combine", [Sum(), Mean()])
def test_losses_count_as_in_passes_of_their_own(combine: Combine) -> None:
    """With equal architectures one shared pass has the gradient of all passes."""
    net = nested_net()
    one = net.space.largest()
    apart = gradient(net, [Path(one, CrossEntropy())] * 4, combine)
    program = sandwich(combine=combine, one_pass=True).program
    first, others = program._sharing([Path(one, CrossEntropy())] * 4)
    for found, wanted in zip(gradient(net, [first, others], combine), apart, strict=True):
        torch.testing.assert_close(found, wanted)


def test_a_step_of_the_sandwich_is_two_passes() -> None:
    (move,) = moves(sandwich(one_pass=True), nested_net())
    assert [path.weight for path in move.paths] == [1.0, 3.0]
    trained = train(sandwich(one_pass=True).with_weights(per=None), net=nested_net(), steps=4)
    assert trained.history[-1]["forwards"] == 2 * 4


def test_a_network_whose_widths_do_not_nest_is_refused() -> None:
    with pytest.raises(UsageError, match="one_pass=False"):
        train(sandwich(one_pass=True), net=operations_net(), steps=2)
