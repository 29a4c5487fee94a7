"""ViTAS's spaces: the published costs, private weights, identities that come last, and the laws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from supernet import measure, zoo
from supernet.errors import UsageError
from supernet.nn.laws import LAWS, Law
from supernet.zoo import vitas_arch, vitas_flops
from transformer_by_hand import logits, products
from zoo_networks import archs_of, computes_the_same_in_onnx


def small(**options: Any) -> Any:
    sizes = {"num_classes": 5, "in_channels": 3, "image_size": 8, "patches": (4, 8), "depths": (1, 2)}
    return zoo.vitas(variant="tiny", **{**sizes, "tenths": (2, 4), **options})


@pytest.mark.parametrize("law", LAWS)
def test_the_space_keeps_the_laws(law: Law) -> None:
    torch.manual_seed(1)
    law(small(), lambda arch: torch.randn(2, 3, 8, 8))


@pytest.fixture(scope="module")
def published() -> Any:
    return zoo.vitas()


@pytest.mark.parametrize(
    ("name", "flops", "layers", "width"),
    [
        ("a", 858_652_480, 7, 154),  # README: 858 M
        ("b", 990_624_768, 8, 192),  # 1.0 G
        ("c", 1_303_042_496, 12, 230),  # 1.3 G
        ("e", 2_706_797_632, 11, 346),  # 2.7 G
    ],
)
def test_published_architectures_have_their_flops(
    published: Any, name: str, flops: int, layers: int, width: int
) -> None:
    arch = vitas_arch(published.space, name)
    assert vitas_flops(arch) == flops
    assert (arch["depth"], arch["width"], arch["patch"]) == (layers, width, 16)


@pytest.mark.slow
def test_f_is_in_the_space_of_base() -> None:
    net = zoo.vitas(variant="base")
    arch = vitas_arch(net.space, "f")
    assert vitas_flops(arch) == 4_930_994_656  # README: 4.9 G
    assert all(arch[f"layer{number}.heads"] == 16 for number in range(1, 14))
    with pytest.raises(UsageError, match="variant='base'"):
        vitas_arch(small().space, "f")


def test_the_space_counts_every_depth_once(published: Any) -> None:
    """Three patches, ten embeddings; per layer four numbers of heads, ten widths of attention and ten of the MLP."""
    assert published.space.size == 3 * 10 * sum(400**depth for depth in range(1, 17))


def test_identities_come_last(published: Any) -> None:
    """Genes that differ in where identities stand, and in what those carry, are one architecture."""
    layers = 16
    heads, ratios = ["4"] * layers, ["7"] * (2 * layers)
    heads[2], heads[9] = "1", "3"
    ratios[4:6], ratios[18:20] = ["0", "1"], ["2", "3"]
    first = vitas_arch(published.space, " ".join(["1", *heads, "0", "0", "3", *ratios]))
    heads[2], heads[9], heads[0], heads[1] = "4", "4", "1", "3"
    ratios[:4] = ["0", "1", "2", "3"]
    second = vitas_arch(published.space, " ".join(["1", *heads, "0", "0", "3", *ratios]))
    assert first == second
    assert (first["depth"], first["layer1.heads"], first["layer2.heads"]) == (2, 6, 16)
    assert (first["layer2.attention"], first["layer2.hidden"]) == (3 * 48, 4 * 144)


def macs_by_formula(arch: Any, *, side: int, classes: int) -> int:
    """What is computed: the class token counts among the tokens, and the classifier once."""
    width, patch = arch["width"], arch["patch"]
    patches = (side // patch) ** 2
    total = patches * 3 * patch**2 * width + width * classes
    for layer in range(1, arch["depth"] + 1):
        inner, hidden = arch[f"layer{layer}.attention"], arch[f"layer{layer}.hidden"]
        total += (patches + 1) * (4 * inner * width + 2 * width * hidden) + 2 * (patches + 1) ** 2 * inner
    return total


def test_costs_are_the_counted_ones_and_those_of_the_formula() -> None:
    net = small()
    for arch in archs_of(net, 6):
        subnet = net.extract(arch)
        expected = macs_by_formula(arch, side=8, classes=5)
        assert measure.macs(net, arch) == expected == measure.count_macs(subnet, (3, 8, 8))
        assert measure.params(net, arch) == sum(p.numel() for p in subnet.parameters())


def test_class_tokens_and_queries_are_private() -> None:
    """A gradient through one patch size and number of heads reaches nothing that belongs to others."""
    net = small()
    options = {**net.space.largest().options(), "patch": 4, "layer1.heads": 1, "layer2.heads": 1}
    net(torch.randn(2, 3, 8, 8), net.space.arch(options)).square().sum().backward()
    reached = {name for name, p in net.module.named_parameters() if p.grad is not None}
    assert any("embed.1.candidates.4" in name for name in reached)
    assert not any("embed.1.candidates.8" in name or "projections.8" in name for name in reached)
    assert any("query_key.candidates.1" in name for name in reached)
    assert not any("query_key.candidates.2" in name for name in reached)
    shared = small(private=False)
    assert not any("candidates" in name for name, _ in shared.module.named_parameters())
    assert measure.params(shared, shared.space.smallest()) > 0


def test_heads_divide_one_width() -> None:
    """More heads are narrower ones: the costs stay."""
    net = small()
    options = net.space.largest().options()
    costs = {measure.macs(net, net.space.arch({**options, "layer1.heads": heads})) for heads in (1, 2)}
    assert len(costs) == 1


def test_it_follows_slices() -> None:
    torch.manual_seed(0)
    net = small().eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(std=0.3)
    x, arch = torch.randn(2, 3, 8, 8), net.space.smallest()
    outputs = []
    for place in (0.0, -1.0, 0.7):
        with net.active(arch, settings={"slice": place}):
            outputs.append(net(x))
    assert all((outputs[0] - other).abs().max() > 0.01 for other in outputs[1:])
    largest = []
    for place in (0.0, -1.0, 0.7):
        with net.active({**net.space.largest().options(), "width": 16}, settings={"slice": place}):
            largest.append(net(x))
    assert torch.equal(largest[0], largest[1])
    assert torch.equal(largest[0], largest[2])


@pytest.mark.slow
def test_a_subnet_computes_the_same_in_onnx(tmp_path: Path) -> None:
    net = small()
    computes_the_same_in_onnx(net, net.space.largest(), tmp_path)


def test_it_computes_the_network_of_the_released_code() -> None:
    torch.manual_seed(0)
    net = small().eval()
    small_numbers = [module.eps for module in net.modules() if isinstance(module, torch.nn.LayerNorm)]
    assert small_numbers == [1e-6] * 4 + [1e-5]

    for arch in archs_of(net, 6):
        numbers = iter([arch[f"layer{number}.heads"] for number in range(1, arch["depth"] + 1)])

        def attend(module: Any, x: torch.Tensor) -> torch.Tensor:
            count = next(numbers)  # noqa: B023
            both = module.query_key
            q, k = ((x @ both.weight[part::2].T + both.bias[part::2]).unflatten(-1, (count, -1)) for part in range(2))
            return module.project(products(q, k, module.value(x).unflatten(-1, (count, -1))))  # type: ignore[no-any-return]

        x = torch.randn(2, 3, 8, 8)
        expected = logits(net.extract(arch), x, attend=attend, pooling="token", eps=1e-6)
        torch.testing.assert_close(net(x, arch), expected, rtol=1e-4, atol=1e-6)


def test_class_tokens_and_positions_begin_at_zero_and_drop_path_rises() -> None:
    net = small(depths=(1, 3))
    tables = [p for name, p in net.module.named_parameters() if name.endswith((".token", ".positions"))]
    assert len(tables) == 4
    assert not any(table.any() for table in tables)
    shares = [module.share for module in net.modules() if type(module).__name__ == "DropPath"]
    assert shares == pytest.approx([0, 0, 0.5, 0.5, 1, 1])


def test_sampled_architectures_run() -> None:
    net = zoo.vitas(variant="tiny", num_classes=3, in_channels=1, image_size=8)
    codes = net.space.population(np.random.default_rng(0), 5)
    for arch in net.space.wrap(codes):
        assert net(torch.zeros(2, 1, 8, 8), arch).shape == (2, 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"variant": "huge"}, "variant 'huge' does not exist"),
        ({"patches": (3,)}, "Patches of 3 × 3"),
        ({"tenths": (0,)}, "whole number of at least 1"),
        ({"tenths": (11,)}, "from 1 to 10"),
        ({"heads": (3,)}, "do not divide the width"),
        ({"depths": ()}, "depths are"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        zoo.vitas(**{"variant": "tiny", "image_size": 8, **options})


@pytest.mark.parametrize("genes", ["d", "1 2 3", "", "1 -1 0 0 0 0 0"])
def test_what_is_no_gene_is_refused(genes: str) -> None:
    with pytest.raises(UsageError, match="nor genes"):
        vitas_arch(small().space, genes)
