"""OFA's kernel transform: against the formula, under the laws that hold for it, and in what it costs."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet import Choice, ElasticConv2d, Supernet, measure
from supernet.errors import UsageError
from supernet.measure.costs.counting import count_macs, count_params
from supernet.nn import TransformConv2d
from supernet.nn.laws import LAWS, Law, inactive_gets_no_gradient, training_commutes

KERNEL = Choice("kernel", (3, 5, 7))
HOLD = [law for law in LAWS if law not in (training_commutes, inactive_gets_no_gradient)]


def depthwise(*, trained: bool = True, **options: int) -> Supernet:
    """A depthwise layer of elastic width, whose matrices have moved away from the identity."""
    width = Choice("width", (4, 8))
    layer = TransformConv2d(width, width, KERNEL, groups=width, bias=False, **options)
    if trained:
        move_matrices(layer)
    return Supernet(layer)


def move_matrices(layer: nn.Module) -> None:
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if "matrix" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))


def image(width: int) -> Tensor:
    return torch.randn(2, width, 9, 9)


def by_hand(layer: TransformConv2d, width: int, kernel: int) -> Tensor:
    """Filter by filter, with the matrices written out."""
    found = []
    for filters in layer.weight[:width]:
        seven = filters[0]
        five = (layer.matrix_7to5 @ seven[1:6, 1:6].reshape(25)).reshape(5, 5)
        three = (layer.matrix_5to3 @ five[1:4, 1:4].reshape(9)).reshape(3, 3)
        found.append({7: seven, 5: five, 3: three}[kernel][None])
    return torch.stack(found)


@pytest.mark.parametrize("law", HOLD)
def test_the_laws_of_transformed_weights_hold(law: Law) -> None:
    torch.manual_seed(1)
    law(depthwise(), lambda arch: image(arch["width"]))  # type: ignore[arg-type]


def test_the_two_other_laws_do_not_hold() -> None:
    for law in (training_commutes, inactive_gets_no_gradient):
        with pytest.raises(AssertionError):
            law(depthwise(), lambda arch: image(arch["width"]))  # type: ignore[arg-type]


def test_smaller_kernels_are_the_matrix_times_the_centre_step_by_step() -> None:
    net = depthwise(stride=2)
    for arch in net.space.enumerate():
        width, kernel = int(arch["width"]), int(arch["kernel"])  # type: ignore[call-overload]
        x = image(width)
        expected = F.conv2d(x, by_hand(net.module, width, kernel), None, 2, kernel // 2, 1, width)  # type: ignore[arg-type]
        torch.testing.assert_close(net(x, arch), expected)
        torch.testing.assert_close(net.extract(arch).weight, by_hand(net.module, width, kernel))  # type: ignore[arg-type]


def test_untrained_every_kernel_is_the_centre_to_the_bit() -> None:
    net = depthwise(trained=False)
    for kernel in (3, 5, 7):
        margin = (7 - kernel) // 2
        weight = net.module.weight[:, :, margin : 7 - margin, margin : 7 - margin]  # type: ignore[index, union-attr]
        assert torch.equal(net.extract(net.space.arch({"width": 8, "kernel": kernel})).weight, weight)  # type: ignore[arg-type]


def test_a_kernel_trains_the_matrices_above_it_alone() -> None:
    net = depthwise()
    for kernel, matrices in ((7, set()), (5, {"matrix_7to5"}), (3, {"matrix_7to5", "matrix_5to3"})):
        net.zero_grad()
        net(image(8), {"width": 8, "kernel": kernel}).square().sum().backward()
        found = {name for name, p in net.module.named_parameters() if "matrix" in name and p.grad is not None}
        assert found == matrices


def test_costs_are_those_of_the_subnet() -> None:
    """Neither the matrices nor the products with them count; behind a 1 × 1 convolution of one channel."""
    width = Choice("width", (4, 8))
    layers = ElasticConv2d(1, width, 1, bias=False), TransformConv2d(width, width, KERNEL, groups=width, bias=False)
    net = Supernet(nn.Sequential(*layers), input_shape=(1, 9, 9))
    for arch in net.space.enumerate():
        weights = int(arch["width"]) * (1 + int(arch["kernel"]) ** 2)  # type: ignore[call-overload]
        assert measure.macs(net, arch) == weights * 81 == count_macs(net.extract(arch), (1, 9, 9))
        assert measure.params(net, arch) == weights == count_params(net.extract(arch))


def test_dense_and_grouped_layers_transform_too() -> None:
    for groups in (1, 2):
        layer = TransformConv2d(Choice("in", (4, 8)), Choice("out", (4, 6)), KERNEL, groups=groups)
        move_matrices(layer)
        net = Supernet(layer)
        for law in HOLD:
            law(net, lambda arch: image(arch["in"]))  # type: ignore[arg-type]


def test_a_kernel_without_another_size_is_refused() -> None:
    for kernel in (3, Choice("one", (5,))):
        with pytest.raises(UsageError, match="it has no other size"):
            TransformConv2d(4, 4, kernel)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="odd kernel sizes"):
        TransformConv2d(4, 4, Choice("kernel", (3, 4)))
