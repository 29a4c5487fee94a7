"""The counter of operations, against torch's own."""

from __future__ import annotations

from contextlib import AbstractContextManager

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from supernet.measure.costs.flop_mode import FlopMode


class Branches(nn.Module):
    """Takes one of two ways by what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.way = nn.Linear(8, 6)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = torch.cond(x.sum() > 0, lambda x: self.way(x), lambda x: x[:, :6] * 1, (x,))
        return found


class Products(nn.Module):
    """Products of every kind."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bij,bkj->bik", x, x) @ x + torch.baddbmm(x, x @ x.mT, x) + torch.matmul(x[0], x.mT).mT


MODULES: dict[str, tuple[nn.Module, tuple[Tensor, ...]]] = {
    "convolutions": (
        nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6), nn.ConvTranspose2d(6, 2, 2), nn.PReLU()),
        (torch.ones(2, 4, 6, 6),),
    ),
    "attention": (nn.MultiheadAttention(8, 2), (torch.ones(5, 2, 8),) * 3),
    "layer of a transformer": (nn.TransformerEncoderLayer(8, 2, 16), (torch.ones(5, 2, 8),)),
    "products": (Products(), (torch.ones(3, 4, 4),)),
    "branches": (Branches(), (torch.ones(2, 8),)),
}


@pytest.mark.parametrize("without", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", MODULES)
def test_it_counts_what_torch_s_counter_counts(name: str, without: type[AbstractContextManager[None]]) -> None:
    module, inputs = MODULES[name]
    with without(), torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        with FlopMode() as counter:
            found = module.eval()(*inputs)
        with FlopCounterMode(display=False) as theirs:
            module(*inputs)
        plain = module(*inputs)
    assert counter.flops == theirs.get_total_flops() > 0
    for one, other in zip(found, plain, strict=True):
        torch.testing.assert_close(one, other)


def test_of_two_branches_the_one_that_runs_is_counted() -> None:
    with torch.no_grad(), FlopMode() as counter:
        Branches()(-torch.ones(2, 8))
    assert counter.flops == 0
