"""Tokens as an image, row by row."""

from __future__ import annotations

import pytest
import torch

from supernet import Choice, Supernet
from supernet.errors import UsageError
from supernet.nn import TokenGrid
from supernet.nn.laws import LAWS, Law


@pytest.mark.parametrize("law", LAWS)
def test_grids_keep_the_laws(law: Law) -> None:
    law(Supernet(TokenGrid(Choice("side", (2, 3)))), lambda arch: torch.randn(2, 4, 2 * arch["side"]))


def test_rows_are_filled_one_after_the_other() -> None:
    net = Supernet(TokenGrid(Choice("side", (2, 3))))
    assert net(torch.arange(6.0).view(1, 1, 6), {"side": 3}).tolist() == [[[[0, 1, 2], [3, 4, 5]]]]
    with pytest.raises(UsageError, match="7 tokens do not fill rows of 2"):
        net(torch.zeros(1, 1, 7), {"side": 2})
