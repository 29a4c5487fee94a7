"""Vectors of relative positions against the distances of pairs of tokens, one by one."""

from __future__ import annotations

import pytest
import torch

from supernet import Choice, Supernet
from supernet.errors import UsageError
from supernet.nn import RelativePositions2d
from supernet.nn.relative_positions import relative_indices


@pytest.mark.parametrize(("side", "clip"), [(3, 14), (5, 2)])
def test_a_pair_has_the_sum_of_the_vectors_of_its_distances(side: int, clip: int) -> None:
    torch.manual_seed(0)
    module = RelativePositions2d(side, Choice("width", (2, 4)), clip=clip)
    with Supernet(module).active({"width": 2}):
        found = module()
    assert found.shape == (side**2 + 1, side**2 + 1, 2)
    for query in range(side**2 + 1):
        for key in range(side**2 + 1):
            rows = columns = 0  # pairs with the class token
            if query and key:
                (y, x), (v, u) = (divmod(place - 1, side) for place in (query, key))
                rows, columns = (max(-clip, min(clip, distance)) + clip + 1 for distance in (v - y, u - x))
            expected = module.vertical[rows, :2] + module.horizontal[columns, :2]
            torch.testing.assert_close(found[query, key], expected)


def test_a_side_may_vary_and_the_class_token_be_left_out() -> None:
    side = Choice("side", (2, 3))
    module = RelativePositions2d(side, 4, clip=1, class_token=False)
    net = Supernet(module)
    for chosen in (2, 3):
        expected = relative_indices(chosen, 1, class_token=False)
        with net.active({"side": chosen}):
            assert torch.equal(module(), module.vertical[expected[0]] + module.horizontal[expected[1]])
        plain = net.extract({"side": chosen})  # type: ignore[arg-type]
        assert plain().shape == (chosen**2, chosen**2, 4)
        assert sum(p.numel() for p in plain.parameters()) == 2 * (2 * 1 + 2) * 4


def test_both_tables_begin_small() -> None:
    module = RelativePositions2d(3, 16)
    for table in (module.vertical, module.horizontal):
        assert 0.015 < float(table.detach().std()) < 0.025


def test_sizes_are_checked() -> None:
    with pytest.raises(UsageError, match="side of the grid"):
        RelativePositions2d(0, 4)
    with pytest.raises(UsageError, match="clipped distance"):
        RelativePositions2d(2, 4, clip=0)
