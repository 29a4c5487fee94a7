"""A pass moves what it uses, once; nn.MultiheadAttention moves whole."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from small_nets import operations_net
from supernet.errors import UsageError
from supernet.nn import Supernet
from supernet.train.edits.average_used import averaging


def apart(net: Supernet) -> Supernet:
    other = copy.deepcopy(net)
    with torch.no_grad():
        for p in other.parameters():
            p.add_(1.0)
    return other


def test_a_pass_moves_what_it_uses_by_the_formula_before_it_runs() -> None:
    net = operations_net().eval()
    teacher = apart(net)
    before = {name: p.detach().clone() for name, p in teacher.named_parameters()}
    arch = net.space.arch({"block0": "conv3", "block1": "skip"})
    with averaging(teacher, net, 0.9), torch.no_grad():
        said = teacher(torch.ones(2, 1, 8, 8), arch)
    torch.testing.assert_close(teacher(torch.ones(2, 1, 8, 8), arch), said)
    theirs = dict(net.named_parameters())
    for name, p in teacher.named_parameters():
        used = not any(part in name for part in ("conv1", "4.candidates"))
        wanted = 0.9 * before[name] + 0.1 * theirs[name] if used else before[name]
        torch.testing.assert_close(p, wanted)
    assert not any(layer._forward_pre_hooks for layer in teacher.modules())


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2, 2)
        self.idle = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.inner(self.inner(x))
        return out


def test_a_layer_that_runs_twice_moves_once() -> None:
    source, average = Twice(), Twice()
    old, idle = average.inner.weight.detach().clone(), average.idle.weight.detach().clone()
    taken: set[int] = set()
    with averaging(average, source, 0.5, taken=taken):
        average(torch.ones(1, 2))
    torch.testing.assert_close(average.inner.weight, (old + source.inner.weight) / 2)
    assert torch.equal(average.idle.weight, idle)
    now = average.inner.weight.detach().clone()
    with averaging(average, source, 0.5, taken=taken):
        average(torch.ones(1, 2))
    assert torch.equal(average.inner.weight, now), "what was taken does not move again"


def test_attention_moves_whole() -> None:
    source, average = nn.MultiheadAttention(4, 2), nn.MultiheadAttention(4, 2)
    x = torch.randn(3, 1, 4)
    with averaging(average, source, 0.0):
        average(x, x, x)
    for mine, other in zip(average.parameters(), source.parameters(), strict=True):
        torch.testing.assert_close(mine, other)


def test_another_structure_is_refused() -> None:
    with (
        pytest.raises(UsageError, match=r"whose parameters have other shapes"),
        averaging(nn.Linear(2, 2), nn.Linear(3, 2), 0.5),
    ):
        pass
