"""The bias by offset against Swin's definition, pair by pair."""

from __future__ import annotations

import pytest
import torch

from supernet import Choice, Supernet
from supernet.errors import UsageError
from supernet.nn import RelativeBias2d


@pytest.mark.parametrize("window", [3, 5])
def test_a_pair_has_the_number_of_its_offset(window: int) -> None:
    torch.manual_seed(0)
    module = RelativeBias2d(3, Choice("heads", (2, 4)), window=window)
    with Supernet(module).active({"heads": 2}):
        found = module()
    assert found.shape == (2, 9, 9)
    table = module.table.view(2 * window - 1, 2 * window - 1, 4)
    for query in range(9):
        for key in range(9):
            (y, x), (v, u) = divmod(query, 3), divmod(key, 3)
            assert torch.equal(found[:, query, key], table[y - v + window - 1, x - u + window - 1, :2])


def test_a_smaller_grid_uses_the_offsets_it_has() -> None:
    side = Choice("side", (2, 4))
    net = Supernet(RelativeBias2d(side, 3, window=4))
    large, small = (net.extract({"side": chosen})() for chosen in (4, 2))  # type: ignore[arg-type]
    kept = torch.tensor([0, 1, 4, 5])
    assert torch.equal(small, large[:, kept][:, :, kept])


def test_the_table_begins_small() -> None:
    assert 0.015 < float(RelativeBias2d(3, 16, window=5).table.detach().std()) < 0.025


def test_a_grid_larger_than_the_window_is_refused() -> None:
    with pytest.raises(UsageError, match="larger window"):
        RelativeBias2d(Choice("side", (2, 4)), 3, window=3)
