"""Learned tokens that depend on no input."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from supernet import Choice, Supernet
from supernet.errors import UsageError
from supernet.nn.channels import Channels
from supernet.nn.laws import LAWS, Law
from supernet.nn.queries import ElasticQueries
from supernet.train.rewriting import Rewriter


class Adds(nn.Module):
    """(B, 1, 5) -> (B, t, 5)."""

    def __init__(self, count: Choice) -> None:
        super().__init__()
        self.queries = ElasticQueries(count, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.queries(x) * x
        return out


@pytest.mark.parametrize("law", LAWS)
def test_they_keep_the_laws(law: Law) -> None:
    law(Supernet(Adds(Choice("count", (2, 3)))), lambda arch: torch.randn(4, 1, 5))


def test_they_are_the_same_for_every_input_and_begin_as_glorot_says() -> None:
    queries = ElasticQueries(Channels("tokens", 60), 40)
    assert float(queries.tokens.detach().abs().max()) == pytest.approx(math.sqrt(6 / 100), rel=0.01)
    net = Supernet(nn.Sequential(queries))
    found = net(torch.randn(3, 7), net.space.smallest())
    assert found.shape == (3, 60, 40)
    assert torch.equal(found, queries.tokens.expand(3, -1, -1))
    Rewriter(net, {}, None, dict, 0).take("tokens", [5, 2])
    assert torch.equal(net(torch.randn(1, 7), net.space.smallest())[0], found[0, [5, 2]])
    with pytest.raises(UsageError):
        ElasticQueries(0, 4)
