"""Lists of blocks that become shorter, whatever code runs them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from supernet import Choice, Supernet
from supernet.errors import UsageError
from supernet.nn.laws import LAWS, Law
from supernet.nn.stack import last_first, stacked
from supernet.space import Arch
from supernet.space.conditions import Deeper


class Listed(nn.Module):
    """As transformers have it: a list that is counted, cut and iterated over."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        for number, layer in enumerate(self.layers[: len(self.layers)]):
            x = x + layer(x) * (number + 1)
        return x


def listed() -> Supernet:
    module = Listed()
    stacked(module.layers, last_first(Choice("depth", (2, 3, 4)), 4, (1, 3)))
    return Supernet(module)


def sequential() -> Supernet:
    blocks = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3))
    stacked(blocks, last_first(Choice("depth", (1, 2, 3)), 3, (1, 2)))
    return Supernet(nn.Sequential(blocks))


def vectors(arch: Arch) -> Tensor:
    return torch.randn(2, 3)


@pytest.mark.parametrize("law", LAWS)
def test_laws(law: Law) -> None:
    torch.manual_seed(0)
    law(listed(), vectors)
    law(sequential(), vectors)


def test_the_last_removable_blocks_go_first() -> None:
    net = listed()
    held = list(net.module.layers._modules.values())
    for depth, kept in ((4, (0, 1, 2, 3)), (3, (0, 1, 2)), (2, (0, 2))):
        with net.active({"depth": depth}):
            assert list(net.module.layers) == [held[place] for place in kept]
            assert (len(net.module.layers), net.module.layers[-1]) == (depth, held[kept[-1]])
    small = net.extract(net.space.smallest())
    assert type(small.layers) is nn.ModuleList
    assert list(small.layers._modules) == ["0", "1"]
    assert torch.equal(small.layers[1].weight, held[2].weight)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="A Linear is no list of blocks"):
        stacked(nn.Linear(3, 3), {})
    blocks = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    with pytest.raises(UsageError, match="of a list of 2 blocks, 1 of which may go, must lie between 1 and 2"):
        last_first(Choice("depth", (0, 2)), 2, (1,))
    with pytest.raises(UsageError, match=r"the places \[0, 2\] of a list of 2"):
        stacked(blocks, {0: Deeper(1, 0), 2: Deeper(1, 0)})
    kept = Choice("kept", (0, 1))
    with pytest.raises(UsageError, match="which leaves none"):
        stacked(blocks, {0: Deeper(kept, 0), 1: Deeper(kept, 0)})


def test_each_block_may_go_by_itself() -> None:
    module = Listed()
    held = list(module.layers._modules.values())
    stacked(module.layers, {place: Deeper(Choice(f"{place}.kept", (0, 1)), 0) for place in (0, 1, 3)})
    net = Supernet(module)
    assert net.space.size == 8
    with net.active({"0.kept": 0, "1.kept": 1, "3.kept": 0}):
        assert list(net.module.layers) == [held[1], held[2]]
