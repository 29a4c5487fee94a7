"""Switches: one module for all options that lead to the same value."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from supernet import Choice, Supernet
from supernet.errors import UsageError
from supernet.nn import Switch
from supernet.nn.laws import LAWS, Law
from supernet.nn.mutable import mixing_choices

ROUTE = Choice("route", ((1,), (2,), (1, 2), ()))


def halvings(route: tuple[int, ...]) -> int:
    return len(route)


def switched() -> tuple[Supernet, list[nn.Linear]]:
    torch.manual_seed(0)
    layers = [nn.Linear(3, 3) for _ in range(3)]
    return Supernet(Switch(ROUTE.map(halvings), dict(enumerate(layers)))), layers


@pytest.mark.parametrize("law", LAWS)
def test_switches_keep_the_laws(law: Law) -> None:
    law(switched()[0], lambda arch: torch.randn(2, 3))


def test_options_of_one_value_share_a_module() -> None:
    net, layers = switched()
    x = torch.randn(2, 3)
    for option, place in (((), 0), ((1,), 1), ((2,), 1), ((1, 2), 2)):
        assert torch.equal(net(x, {"route": option}), layers[place](x))
        assert torch.equal(net.extract(net.space.arch({"route": option}))(x), layers[place](x))
    assert sum(p.numel() for p in net.parameters()) == 3 * 12


def test_conditions_name_the_options_of_each_module() -> None:
    net, _ = switched()
    assert isinstance(net.module, Switch)
    found = {name: conditions[0].indices for name, conditions in net.module.runs().items()}  # type: ignore[union-attr]
    assert found == {"candidates.0": (3,), "candidates.1": (0, 1), "candidates.2": (2,)}
    assert mixing_choices(net.module) == ()


def test_what_is_no_switch_is_refused() -> None:
    modules = {0: nn.Identity(), 1: nn.Identity()}
    with pytest.raises(UsageError, match="depends on 2"):
        Switch(ROUTE.map(halvings) + Choice("other", (0, 1)), modules)
    with pytest.raises(UsageError, match=r"takes the values \(0, 1, 2\), but modules were given for \(0, 1\)"):
        Switch(ROUTE.map(halvings), modules)
