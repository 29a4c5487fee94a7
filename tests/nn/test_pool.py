"""The fast average pooling is torch's, in value and gradient."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from supernet.nn import AvgPool3x3


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 5, 4, 7), (3, 2, 2, 2), (2, 2, 1, 5), (1, 1, 1, 1)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_value_is_torchs_bit_for_bit_and_the_gradient_agrees(
    shape: tuple[int, ...], layout: torch.memory_format
) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator).to(memory_format=layout)
    gradient = torch.randn(shape, generator=generator).to(memory_format=layout)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    out = AvgPool3x3()(ours)
    expected = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)(theirs)
    assert torch.equal(out, expected)
    out.backward(gradient)
    expected.backward(gradient)
    assert ours.grad is not None
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-6)


def test_the_gradient_is_exact_in_double_precision() -> None:
    x = torch.randn(1, 2, 6, 5, dtype=torch.float64)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    (AvgPool3x3()(ours) ** 2).sum().backward()
    (nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)(theirs) ** 2).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-14)


def test_second_derivatives_exist() -> None:
    x = torch.randn(1, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda t: AvgPool3x3()(t) ** 2, (x,))


def test_extraction_leaves_torchs_module() -> None:
    assert type(AvgPool3x3().plain()) is nn.AvgPool2d
