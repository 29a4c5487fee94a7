"""Both ends of a width, and windows that go round, as a forward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from method_trials import squares
from small_nets import executor, operations_net
from supernet import Choice, ElasticLinear, Supernet
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn.output import Output
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


def test_other_settings_of_the_path_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    net, given = mlp(), []
    step, batch = Step(3, 10, net, np.random.default_rng(0)), Batch(torch.zeros(2, 1), torch.zeros(2))
    path = Path(net.space.smallest(), CrossEntropy(), settings={"drop_path": 0.3})

    def forward(self: Step, decisions: Any, batch: Any, *, settings: Any) -> Output:
        given.append(dict(settings))
        one = torch.full((2, 4), 10.0 ** (1 + settings["slice"]))
        return Output(one, (one,), {"head": one})

    monkeypatch.setattr(Step, "forward", forward)
    found = Slices()(step, path, batch)
    assert given == [{"drop_path": 0.3, "slice": 0.0}, {"drop_path": 0.3, "slice": -1.0}]
    assert all(float(tensor[0, 0]) == 11.0 for tensor in (found.logits, *found.aux, found.heads["head"]))
    Slices(kind="cyclic")(step, path, batch)
    assert given[2]["drop_path"] == 0.3


def test_networks_without_elastic_widths_are_refused() -> None:
    with pytest.raises(UsageError, match="layers of elastic width"):
        Slices().check(operations_net())
    with pytest.raises(UsageError, match="are not known"):
        Slices(kind="left")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at least 2"):
        Slices(kind="cyclic", places=1)
