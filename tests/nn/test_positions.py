"""Learned positions: laws, prefixes and what is refused."""

from __future__ import annotations

import pytest
import torch

from supernet import Choice, Supernet
from supernet.errors import UsageError
from supernet.nn import ElasticPositions
from supernet.nn.laws import LAWS, Law


@pytest.mark.parametrize("law", LAWS)
def test_positions_keep_the_laws(law: Law) -> None:
    law(Supernet(ElasticPositions(5, Choice("width", (2, 4)))), lambda arch: torch.randn(2, 3, arch["width"]))


def test_each_token_gets_its_own_vector() -> None:
    module = ElasticPositions(5, Choice("width", (2, 4)))
    found = Supernet(module)(torch.zeros(1, 3, 2), {"width": 2})
    assert torch.equal(found[0], module.positions[:3, :2])
    assert module.positions.abs().max() <= 2
    assert 0 < float(module.positions.detach().std()) < 0.05


def test_more_tokens_than_positions_are_refused() -> None:
    with pytest.raises(UsageError, match="6 tokens came to a table of 5"):
        Supernet(ElasticPositions(5, Choice("width", (2, 4))))(torch.zeros(1, 6, 2), {"width": 2})
