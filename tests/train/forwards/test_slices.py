"""Both ends of a width, and windows that go round, as a forward pass."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from method_trials import squares
from small_nets import executor, operations_net
from supernet import Choice, ElasticLinear, Supernet
from supernet.errors import UsageError
from supernet.train import CrossEntropy, Slices, Step
from supernet.train.move import Path


def mlp() -> Supernet:
    torch.manual_seed(0)
    width = Choice("width", (2, 6))
    return Supernet(
        nn.Sequential(nn.Flatten(), ElasticLinear(int(np.prod(squares().shape)), width), ElasticLinear(width, 4))
    )


def step_of(net: Supernet, index: int = 3) -> Step:
    return Step(index, 10, net, np.random.default_rng(0), runner=executor(net, squares()))


def by_entries(net: Supernet, x: torch.Tensor, chosen: list[int]) -> torch.Tensor:
    first, second = list(net.module)[1:]  # type: ignore[arg-type]
    hidden = nn.functional.linear(x.flatten(1), first.weight[chosen], first.bias[chosen])
    return nn.functional.linear(hidden, second.weight[:, chosen], second.bias)


def test_the_logits_of_both_ends_are_summed() -> None:
    net = mlp()
    step = step_of(net)
    batch = step.batch("train")
    path = Path(net.space.smallest(), CrossEntropy())
    found = Slices()(step, path, batch)
    expected = by_entries(net, batch.images, [0, 1]) + by_entries(net, batch.images, [4, 5])
    torch.testing.assert_close(found.logits, expected)
    found.logits.sum().backward()
    reached = net.module.get_parameter("1.weight").grad.abs().sum(1) > 0  # type: ignore[union-attr]
    assert reached.tolist() == [True, True, False, False, True, True]


def test_a_cyclic_slice_begins_at_a_place_of_the_step() -> None:
    net = mlp()
    slices, path = Slices(kind="cyclic", places=6), Path(net.space.smallest(), CrossEntropy())
    windows = {tuple((begin + entry) % 6 for entry in range(2)) for begin in range(6)}
    met = set()
    for index in range(30):
        step = step_of(net, index)
        batch = step.batch("train")
        found = slices(step, path, batch).logits
        assert torch.equal(found, slices(step, path, batch).logits), "the same step, another place"
        (window,) = [w for w in windows if torch.allclose(found, by_entries(net, batch.images, list(w)), atol=1e-5)]
        met.add(window)
    assert met == windows


def test_networks_without_elastic_widths_are_refused() -> None:
    with pytest.raises(UsageError, match="layers of elastic width"):
        Slices().check(operations_net())
    with pytest.raises(UsageError, match="are not known"):
        Slices(kind="left")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at least 2"):
        Slices(kind="cyclic", places=1)
