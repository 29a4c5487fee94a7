"""Sinusoidal positions."""

from __future__ import annotations

import math

import pytest
import torch

from supernet import Choice, Supernet
from supernet.errors import UsageError
from supernet.nn import ElasticSinusoids
from supernet.nn.laws import LAWS, Law


def net(tokens: int = 6) -> Supernet:
    return Supernet(ElasticSinusoids(tokens, Choice("c", (4, 6, 8))))


@pytest.mark.parametrize("law", LAWS)
def test_the_layer_keeps_the_laws(law: Law) -> None:
    law(net(), lambda arch: torch.randn(2, 5, arch["c"]))


def test_entries_are_sines_then_cosines_of_falling_frequencies() -> None:
    """The pair i of C / 2 turns by 10000^(−i / (C / 2 − 1)) a place; a narrow network has the first entries."""
    found = net()(torch.zeros(1, 6, 8), {"c": 8})[0]
    for place in range(6):
        for i in range(4):
            angle = place * 10000 ** (-i / 3)
            assert found[place, i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert found[place, 4 + i].item() == pytest.approx(math.cos(angle), abs=1e-6)
    assert torch.equal(net()(torch.zeros(1, 3, 6), {"c": 6})[0], found[:3, :6])


def test_slices_take_other_entries() -> None:
    one = net()
    whole = one(torch.zeros(1, 3, 8), {"c": 8})
    with one.active({"c": 6}, settings={"slice": -1.0}):
        assert torch.equal(one.module(torch.zeros(1, 3, 6)), whole[..., 2:])


def test_files_of_weights_do_not_hold_them() -> None:
    assert net().state_dict() == {}


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="7 tokens came to a table of 6 positions"):
        net()(torch.zeros(1, 7, 4), {"c": 4})
    with pytest.raises(UsageError, match="got 5 input channels where the active architecture has 4"):
        net()(torch.zeros(1, 3, 5), {"c": 4})
    for width in (7, 2):
        with pytest.raises(UsageError, match=f"the largest width is {width}; give an even one"):
            ElasticSinusoids(6, width)
