"""The fast average pooling is torch's, in value and gradient, up to rounding."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from supernet.nn import AvgPool3x3


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (1, 5, 4, 7), (3, 2, 2, 2), (2, 2, 1, 5), (1, 1, 1, 1)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_value_and_gradient_are_torchs(shape: tuple[int, ...], layout: torch.memory_format) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator).to(memory_format=layout)
    gradient = torch.randn(shape, generator=generator).to(memory_format=layout)
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    out = AvgPool3x3()(ours)
    expected = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)(theirs)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-6)
    assert out.stride() == expected.stride()
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


def test_bfloat16_is_off_by_two_roundings_at_most() -> None:
    x = torch.randn(2, 8, 9, 9, generator=torch.Generator().manual_seed(0)).bfloat16()
    exact = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)(x.double())
    # The sum is rounded once, the product with 1/9, itself rounded, twice.
    torch.testing.assert_close(AvgPool3x3()(x).double(), exact, rtol=3 * 2**-8, atol=0)


def test_a_pooling_first_run_without_gradients_trains_later() -> None:
    x = torch.randn(1, 3, 11, 13)
    with torch.inference_mode():
        scored = AvgPool3x3()(x)
    x.requires_grad_()
    trained = AvgPool3x3()(x)
    trained.sum().backward()
    assert torch.equal(trained, scored)
    assert x.grad is not None


def test_extraction_leaves_torchs_module() -> None:
    assert type(AvgPool3x3().plain()) is nn.AvgPool2d
