"""Elastic convolutions and linear layers against explicit formulas, and what they refuse."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from supernet import (
    Choice,
    ElasticBatchNorm2d,
    ElasticConv2d,
    ElasticDepth,
    ElasticLayerNorm,
    ElasticLinear,
    ElasticResolution,
    Mixture,
    OpChoice,
    Supernet,
    measure,
)
from supernet.errors import UsageError
from supernet.nn import Decisions
from supernet.nn.laws import LAWS, Law


def test_the_kernel_is_the_centre_and_the_width_a_prefix() -> None:
    layer = ElasticConv2d(Choice("in", (2, 4)), Choice("out", (3, 5)), Choice("k", (1, 3, 7)))
    net = Supernet(layer)
    for arch in net.space.enumerate():
        c_in, c_out, k = arch["in"], arch["out"], arch["k"]
        x = torch.randn(2, c_in, 9, 9)
        margin = (7 - k) // 2
        weight = layer.weight[:c_out, :c_in, margin : 7 - margin, margin : 7 - margin]
        torch.testing.assert_close(net(x, arch), F.conv2d(x, weight, layer.bias[:c_out], padding=k // 2))


def test_fixed_groups_keep_a_prefix_of_every_group() -> None:
    layer = ElasticConv2d(Choice("in", (4, 8)), Choice("out", (2, 4, 12)), groups=2)
    net = Supernet(layer)
    for arch in net.space.enumerate():
        c_in, c_out = arch["in"] // 2, arch["out"] // 2
        x = torch.randn(1, 2 * c_in, 5, 5)
        halves = [
            F.conv2d(
                x[:, g * c_in : (g + 1) * c_in],
                layer.weight[6 * g : 6 * g + c_out, :c_in],
                layer.bias[6 * g : 6 * g + c_out],
                padding=1,
            )
            for g in range(2)
        ]
        torch.testing.assert_close(net(x, arch), torch.cat(halves, dim=1))


def test_depthwise_filters_each_see_their_own_channel() -> None:
    width = Choice("width", (2, 5))
    layer = ElasticConv2d(width, width, 3, groups=width, bias=False)
    assert layer.weight.shape == (5, 1, 3, 3)
    net = Supernet(layer)
    for arch in net.space.enumerate():
        x = torch.randn(1, arch["width"], 4, 4)
        channels = [F.conv2d(x[:, c : c + 1], layer.weight[c : c + 1], padding=1) for c in range(arch["width"])]
        torch.testing.assert_close(net(x, arch), torch.cat(channels, dim=1))


@pytest.mark.parametrize("lead", [(5,), (2, 3)])
def test_linear_uses_the_corner_of_its_weight(lead: tuple[int, ...]) -> None:
    layer = ElasticLinear(Choice("in", (2, 4)), Choice("out", (3, 5)))
    net = Supernet(layer)
    for arch in net.space.enumerate():
        x = torch.randn(*lead, arch["in"])
        expected = x @ layer.weight[: arch["out"], : arch["in"]].T + layer.bias[: arch["out"]]
        torch.testing.assert_close(net(x, arch), expected)


def test_gradients_stay_inside_the_slice() -> None:
    layer = ElasticConv2d(Choice("in", (2, 4)), Choice("out", (3, 5)), Choice("k", (3, 5)))
    net = Supernet(layer)
    net(torch.randn(1, 2, 6, 6), net.space.smallest()).sum().backward()
    inside = torch.zeros(5, 4, 5, 5, dtype=torch.bool)
    inside[:3, :2, 1:4, 1:4] = True
    assert layer.weight.grad is not None
    assert layer.weight.grad[inside].all()
    assert not layer.weight.grad[~inside].any()
    assert layer.bias.grad is not None
    assert layer.bias.grad.count_nonzero() == 3


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("whole_model", [True, False])
def test_memory_format_is_that_of_the_dense_layer(
    kernel_size: int, groups: int, memory_format: torch.memory_format, whole_model: bool
) -> None:
    model_format = memory_format if whole_model else torch.contiguous_format
    width = Choice("in", (4, 8))
    layer = ElasticConv2d(width, Choice("out", (6, 8)), Choice("k", (kernel_size, 5)), groups=groups)
    net = Supernet(layer).to(memory_format=model_format)
    for arch in net.space.enumerate():
        x = torch.randn(2, arch["in"], 6, 6).contiguous(memory_format=memory_format)
        dense = nn.Conv2d(arch["in"], arch["out"], arch["k"], padding=arch["k"] // 2, groups=groups)
        dense = dense.to(memory_format=model_format)
        for module in (lambda x, arch=arch: net(x, arch), net.extract(arch)):
            assert module(x).stride() == dense(x).stride()
    if groups == 1:  # a prefix and a centre are views: nothing is copied on the way to the kernel
        with net.active(net.space.smallest()):
            assert layer.active_weight().untyped_storage().data_ptr() == layer.weight.untyped_storage().data_ptr()


def test_autocast_reaches_every_elastic_layer() -> None:
    width = Choice("width", (4, 8))
    block = nn.Sequential(ElasticConv2d(width, width, Choice("k", (1, 3)), groups=2), ElasticBatchNorm2d(width))
    net = Supernet(
        nn.Sequential(
            ElasticResolution(Choice("side", (4, 8))),
            ElasticConv2d(3, width),
            OpChoice("op", {"block": block, "skip": nn.Identity()}),
            ElasticDepth(Choice("depth", (0, 1)), [ElasticConv2d(width, width, 1)]),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            ElasticLayerNorm(width),
            ElasticLinear(width, 5),
        )
    )
    for arch in itertools.islice(net.space.enumerate(), 0, None, 5):
        small = net.extract(arch)
        x = torch.randn(4, 3, 8, 8)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y, expected = net(x, arch), small(x)
            with torch.no_grad():
                assert torch.equal(net(x, arch), small(x))
        assert y.dtype == torch.bfloat16
        torch.testing.assert_close(y, expected, rtol=0.05, atol=0.05)  # grouped layers train in float32
        y.sum().backward()
        assert net.module.get_parameter("1.weight").grad.dtype == torch.float32
        net.zero_grad()


def test_grouped_convolutions_train_in_float32_under_autocast() -> None:
    width = Choice("width", (4, 8))
    net = Supernet(ElasticConv2d(width, width, 3, groups=width))
    x = torch.randn(2, 8, 6, 6)
    exact = net(x, net.space.largest())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        trained = net(x, net.space.largest())
        with torch.no_grad():
            scored = net(x, net.space.largest())
    assert trained.dtype == scored.dtype == torch.bfloat16
    assert torch.equal(trained, exact.bfloat16())
    assert not torch.equal(scored, trained)  # rounded on the way in


def test_sizes_may_be_derived_from_choices() -> None:
    width, ratio = Choice("width", (4, 8)), Choice("ratio", (0.5, 2.0))
    net = Supernet(nn.Sequential(ElasticConv2d(3, width * ratio, 1), ElasticConv2d(width * ratio, width / 2, 1)))
    assert net.module.get_parameter("0.weight").shape == (16, 3, 1, 1)
    for arch in net.space.enumerate():
        shapes = [p.shape[0] for p in net.extract(arch).parameters()][::2]
        assert shapes == [int(arch["width"] * arch["ratio"]), arch["width"] // 2]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ElasticConv2d(3, 4, Choice("k", (3, 4))), r"odd kernel sizes that share a centre; got \[4\]"),
        (lambda: ElasticConv2d(3, 4, 0), "kernel size 0 can be 0; it must be a whole number of at least 1"),
        (
            lambda: ElasticConv2d(4, Choice("w", (4, 6)), groups=4),
            "groups 4 do not divide every value of the output width",
        ),
        (
            lambda: ElasticConv2d(6, 8, groups=Choice("g", (2, 4))),
            "groups g do not divide every value of the input width 6",
        ),
        (lambda: ElasticConv2d(4, 4, groups=0), "number of groups 0 can be 0"),
        (lambda: ElasticConv2d(3, Choice("w", (0, 4))), "output width w can be 0"),
        (lambda: ElasticConv2d(3, Choice("w", (4, 6)) * 0.75), r"output width w \* 0.75 can be 4.5"),
        (lambda: ElasticConv2d(3, Choice("w", ("small", "large"))), "output width w can be 'large', 'small'"),
        (lambda: ElasticLinear(2.0, 4), "input width 2.0 can be 2.0"),
        (lambda: ElasticLinear(2, Choice("w", (-1, 4))), "output width w can be -1"),
        (lambda: ElasticBatchNorm2d(Choice("w", (0, 4))), "width w can be 0"),
        (lambda: ElasticLayerNorm(0), "width 0 can be 0"),
    ],
)
def test_impossible_sizes_are_refused_when_declared(build: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build()


@pytest.mark.parametrize(
    ("layer", "x", "what"),
    [
        (ElasticConv2d(Choice("w", (4, 8)), 2), torch.ones(1, 8, 3, 3), "convolution"),
        (ElasticLinear(Choice("w", (4, 8)), 2), torch.ones(1, 8), "linear layer"),
        (
            ElasticBatchNorm2d(Choice("w", (4, 8)), statistics="batch", affine=False),
            torch.ones(2, 8, 3, 3),
            "batch norm",
        ),
        (ElasticLayerNorm(Choice("w", (4, 8))), torch.ones(1, 8), "layer norm"),
    ],
)
def test_layers_that_disagree_on_a_width_are_told_so(layer: nn.Module, x: torch.Tensor, what: str) -> None:
    net = Supernet(layer)
    with pytest.raises(UsageError, match=f"An elastic {what} got 8 input channels .* has 4. Pass the same choice"):
        net(x, net.space.smallest())


@pytest.mark.parametrize("decision", [(0, 1), "mixture"])
def test_a_width_follows_no_subset_and_no_mixture(decision: object) -> None:
    net = Supernet(ElasticLinear(3, Choice("w", (4, 8))))
    given = Mixture(torch.ones(2)) if decision == "mixture" else decision
    kind = "mixture" if decision == "mixture" else "subset"
    with pytest.raises(UsageError, match=f"'w' was given a {kind} where one option is needed"):
        net(torch.ones(1, 3), Decisions(w=given))


FIXED = {
    "even": {"kernel_size": 4, "stride": 4},
    "rectangular": {"kernel_size": (3, 1), "stride": (2, 1)},
    "given": {"kernel_size": 4, "padding": 1},
}


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("law", LAWS)
def test_a_kernel_that_does_not_vary_may_have_any_shape(law: Law, groups: int, name: str) -> None:
    width = Choice("width", (4, 8))
    layer = ElasticConv2d(2, width, groups=groups, **FIXED[name])
    law(Supernet(layer), lambda arch: torch.randn(2, 2, 8, 8))
    assert layer.shapes()["weight"][2:] == ((3, 1) if name == "rectangular" else (4, 4))


def test_patches_are_cut_as_torch_cuts_them() -> None:
    width = Choice("width", (4, 8))
    net = Supernet(ElasticConv2d(3, width, 16, stride=16))
    assert net(torch.randn(1, 3, 32, 32), {"width": 4}).shape == (1, 4, 2, 2)
    assert net.extract(net.space.largest()).padding == (0, 0)
    assert measure.cost_model(net, (3, 32, 32)).macs(net.space.codes([net.space.largest()])) == [8 * 3 * 256 * 4]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda w: ElasticConv2d(3, w, stride=w), r"The stride of an elastic convolution is width; it does not vary"),
        (lambda w: ElasticConv2d(3, w, stride=0), "The stride of an elastic convolution is 0"),
        (lambda w: ElasticConv2d(3, w, (3, 0)), r"The kernel size of an elastic convolution is \(3, 0\)"),
        (
            lambda w: ElasticConv2d(3, w, Choice("k", (3, 5)), padding=1),
            "padding=1 was given beside the elastic kernel k",
        ),
        (lambda w: ElasticConv2d(3, w, padding=-1), "The padding of an elastic convolution is -1"),
    ],
)
def test_what_cannot_vary_is_said(make: Callable[[Choice], nn.Module], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make(Choice("width", (4, 8)))
