"""MixPath's S1: counts, published widths, shadow batch norm by the number of kernels."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from supernet import Choice, Supernet, deploy, measure, zoo
from supernet.errors import UsageError
from supernet.nn import Decisions, EdgeWeights, NormBank
from supernet.nn.laws import LAWS, Law
from supernet.zoo.macro.mixpath import MixedBlock


def tiny(**options: Any) -> Supernet:
    settings = {"layers": 3, "width_multiplier": 0.1, "head_width": 8, "num_classes": 3, "image_size": 6}
    return zoo.mixpath(**settings | options)


@pytest.mark.parametrize(("paths", "per_layer"), [(1, 8), (2, 20), (3, 28), (4, 30)])
def test_the_space_has_the_published_sizes(paths: int, per_layer: int) -> None:
    net = tiny(paths=paths, layers=12)
    assert net.space.size == per_layer**12
    assert len(net.space) == 24
    kernels = net.space.choices[net.space.column("layer7.kernels")]
    assert max(len(option) for option in kernels.options) == paths  # type: ignore[arg-type]
    assert 2 * len(kernels) == per_layer


def test_widths_strides_and_parameters_are_the_published_ones() -> None:
    with torch.device("meta"):
        net = zoo.mixpath()
    blocks = [block for block in net.modules() if isinstance(block, MixedBlock)]
    assert len(blocks) == 24
    pairs = [(block.width_in, block.width_out, block.stride) for block in blocks[::2]]
    channels = [32, 48, 48, 96, 96, 96, 192, 192, 192, 256, 256, 320, 320]
    assert pairs == [(a, b, 2 if i in (2, 5) else 1) for i, (a, b) in enumerate(itertools.pairwise(channels))]
    total = 3 * 32 * 9 + 2 * 32 + 320 * 1280 + 2 * 1280 + 1280 * 10 + 10
    for width_in, width_out in itertools.pairwise(channels):
        for rate in (3, 6):
            hidden = rate * width_in
            expand, project = width_in * hidden + 2 * hidden, hidden * width_out
            total += expand + sum(k * k * hidden + 2 * hidden for k in (3, 5, 7, 9)) + project + 4 * 2 * width_out
    assert sum(p.numel() for p in net.parameters()) == total


def test_the_released_initialisation() -> None:
    torch.manual_seed(0)
    net = zoo.mixpath(width_multiplier=0.5, layers=4)
    convs = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d) and layer.weight.numel() > 3000]
    for conv in convs:
        deviation = math.sqrt(2 / (conv.kernel_size[0] ** 2 * conv.out_channels))
        assert float(conv.weight.detach().std()) == pytest.approx(deviation, rel=0.08)
    head = next(layer for layer in net.modules() if isinstance(layer, nn.Linear))
    assert float(head.weight.detach().abs().max()) == pytest.approx(1 / math.sqrt(10), rel=0.01)
    assert not head.bias.any()


def test_the_norm_is_that_of_the_number_of_kernels() -> None:
    net = tiny()
    ran: list[tuple[int, str]] = []
    blocks = [block for block in net.modules() if isinstance(block, MixedBlock)]
    for number, block in enumerate(blocks):
        for name, norm in cast(NormBank, block.norm).banks.items():
            norm.register_forward_hook(lambda *_, told=(number, name): ran.append(told))
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(20):
        arch = net.space.sample(rng)
        ran.clear()
        net(torch.randn(2, 3, 6, 6), arch)
        expected = [
            (2 * layer + (0 if arch[f"layer{layer + 1}.rate"] == 3 else 1), str(len(arch[f"layer{layer + 1}.kernels"])))  # type: ignore[arg-type]
            for layer in range(3)
        ]
        assert ran == expected
        seen |= set(ran)
    assert {name for _, name in seen} == {"1", "2", "3", "4"}


def test_with_one_path_the_bank_is_a_batch_norm() -> None:
    kernels = Choice("kernels", ((3,), (5,)))
    bank = NormBank(4, kernels.map(len), statistics="track")
    net = Supernet(nn.Sequential(bank))
    plain = nn.BatchNorm2d(4)
    x = 3 + 2 * torch.randn(8, 4, 5, 5)
    assert torch.equal(net(x, {"kernels": (5,)}), plain(x))
    (norm,) = bank.banks.values()
    assert torch.equal(norm.running_var, plain.running_var)  # type: ignore[arg-type]


def of_kernels(*, alike: bool) -> tuple[Supernet, Choice]:
    """One layer; kernels whose features are equal, or independent of each other."""
    net = zoo.mixpath(rates=(3,), layers=1, width_multiplier=0.5, head_width=8, num_classes=3, image_size=8)
    (block,) = (block for block in net.modules() if isinstance(block, MixedBlock))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for member in block.mixed.members.values():
            conv = cast(Any, member)[0]
            side = conv.kernel_size[0]
            conv.weight.zero_()
            conv.weight[:, 0, side // 2, side // 2] = 1.0
            if not alike:
                conv.weight.copy_(torch.randn(conv.weight.shape, generator=generator))
    return net, net.space.choices[net.space.column("layer1.kernels")]


def moments(net: Supernet, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance that the shadow batch norm of a number of kernels has seen."""
    (bank,) = (bank for bank in net.modules() if isinstance(bank, NormBank))
    norm = cast(nn.BatchNorm2d, bank.banks[str(size)])
    norm.momentum = 1.0
    net.train()
    x = torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        net(x, {"layer1.rate": 3, "layer1.kernels": (3, 5, 7, 9)[:size]})
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean.clone(), norm.running_var.clone()


def test_m_equal_features_have_m_times_the_mean_and_m_squared_times_the_variance() -> None:
    """MixPath, §3.2: features of near cosine similarity, so that statistics grow with m and one norm fits none."""
    net, _ = of_kernels(alike=True)
    mean, var = moments(net, 1)
    for size in (2, 3, 4):
        found = moments(net, size)
        torch.testing.assert_close(found[0], size * mean, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found[1], size**2 * var, rtol=1e-3, atol=1e-5)


def test_features_that_differ_have_less_than_m_squared_times_the_variance() -> None:
    net, _ = of_kernels(alike=False)
    _, var = moments(net, 1)
    _, four = moments(net, 4)
    assert 1.5 < float(four.mean() / var.mean()) < 12


def test_without_shadow_one_norm_serves_all() -> None:
    net = tiny(shadow=False)
    assert not any(isinstance(layer, NormBank) for layer in net.modules())
    whole, shadowed = (sum(p.numel() for p in n.parameters()) for n in (net, tiny()))
    blocks = [block for block in net.modules() if isinstance(block, MixedBlock)]
    assert shadowed - whole == sum(3 * 2 * block.width_out for block in blocks)


def test_statistics_are_recalibrated_where_they_run() -> None:
    net = tiny()
    arch = net.space.arch({name: 3 if "rate" in name else (3, 9) for name in net.space.names})
    images = torch.randn(16, 3, 6, 6)

    class Images:
        def batches(self, *_: object, **__: object) -> list[Any]:
            return [(images, torch.zeros(16))]

    bank = next(layer for layer in net.modules() if isinstance(layer, NormBank))
    with torch.no_grad():
        net.train()(images, arch)
    changed = {name for name, norm in bank.banks.items() if cast(Any, norm).running_mean.any()}
    assert changed == {"2"}


@pytest.mark.slow
def test_a_subnet_computes_the_same_in_onnx(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = tiny(paths=2)
    arch = net.space.sample(np.random.default_rng(3))
    with torch.no_grad():
        for _ in range(3):
            net.train()(torch.randn(8, 3, 6, 6), arch)
    net.eval()
    assert not any("supernet" in type(module).__module__ for module in net.extract(arch).modules())
    deploy.export(net, arch, tmp_path / "net.onnx", input_shape=(3, 6, 6))
    x = torch.randn(2, 3, 6, 6)
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    (found,) = session.run(["logits"], {"images": x.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(found, net(x, arch).numpy(), atol=1e-5)


def test_costs_grow_with_every_kernel() -> None:
    net = tiny()
    base = dict.fromkeys(net.space.names, (3,)) | {name: 3 for name in net.space.names if "rate" in name}
    hidden = 3 * next(block for block in net.modules() if isinstance(block, MixedBlock)).width_in
    before = net.space.arch(base)
    after = net.space.arch({**base, "layer1.kernels": (3, 9)})
    assert measure.macs(net, after) - measure.macs(net, before) == hidden * 81 * 36
    assert measure.params(net, after) - measure.params(net, before) == hidden * 81 + 2 * hidden


@pytest.mark.parametrize("law", LAWS)
def test_the_bank_keeps_the_laws(law: Law) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            paths = Choice("paths", ((1,), (2,), (1, 2)))
            self.bank, self.head = NormBank(3, paths.map(len), statistics="track"), nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.head(self.bank(x).mean((2, 3)))
            return out

    law(Supernet(Net()), lambda arch: torch.randn(4, 3, 5, 5))


def test_what_cannot_be_is_refused() -> None:
    for wrong in (
        {"paths": 5},
        {"kernels": (3, 4)},
        {"kernels": (3, 3)},
        {"layers": 13},
        {"rates": ()},
        {"initialisation": "zeros"},
        {"paths": 0},
    ):
        with pytest.raises(UsageError):
            tiny(**wrong)
    first, second = Choice("a", ((1,), (2,))), Choice("b", ((1,), (2,)))
    for key in (3, first.map(len) + second.map(len)):
        with pytest.raises(UsageError, match="depends on"):
            NormBank(4, key)  # type: ignore[arg-type]


def test_a_drawing_names_the_kernels() -> None:
    net = tiny()
    arch = net.space.arch({name: 6 if "rate" in name else (3, 7) for name in net.space.names})
    drawn = cast(Any, net.module).diagram(arch)
    assert sum("MB6 k3+7" in node.label for node in drawn.nodes) == 3


def test_sets_that_a_norm_asks_for_cannot_be_weighed() -> None:
    assert tiny().nodes == {}
    assert set(tiny(shadow=False).nodes) == {f"layer{number}.kernels" for number in (1, 2, 3)}
    weights = EdgeWeights(torch.ones(4))
    with pytest.raises(UsageError), tiny().active(Decisions({"layer1.kernels": weights})):
        pass
