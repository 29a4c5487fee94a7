"""AutoFormer's spaces: the published parameters and counts, entanglement, and the laws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from supernet import measure, zoo
from supernet.errors import UsageError
from supernet.nn.laws import LAWS, Law
from supernet.zoo import autoformer_arch
from transformer_by_hand import logits, products
from zoo_networks import archs_of, computes_the_same_in_onnx


def small(**options: Any) -> Any:
    sizes = {"num_classes": 5, "in_channels": 3, "image_size": 8, "widths": (8, 12), "depths": (1, 2), "heads": (1, 2)}
    return zoo.autoformer(variant="tiny", **{**sizes, "head_dim": 4, "patch": 4, **options})


@pytest.mark.parametrize("law", LAWS)
def test_the_space_keeps_the_laws(law: Law) -> None:
    torch.manual_seed(1)
    law(small(dropout=0.1), lambda arch: torch.randn(2, 3, 8, 8))


@pytest.mark.parametrize(
    ("name", "millions", "options"),
    [("t", 5.867944, {"ratios": (3, 3.5, 4)}), ("s", 22.891432, {}), ("b", 53.691688, {})],
)
def test_published_architectures_have_their_parameters(name: Any, millions: float, options: dict[str, Any]) -> None:
    """The README has 5.8 M (cut off), 22.9 M and 53.7 M."""
    net = zoo.autoformer(variant=name, **options)
    arch = autoformer_arch(net.space, name)
    assert measure.params(net, arch) == round(millions * 1e6)


@pytest.mark.parametrize(
    ("variant", "widest", "size", "full"),
    [
        ("t", (192, 216, 240, 256), 3 * sum(4**depth for depth in (12, 13, 14)), 11_669_224),
        ("s", (320, 384, 448), 77_103_263_459_313, 34_790_440),
        ("b", (528, 576, 624, 640), 10_108_977_168_384, 80_160_360),
    ],
)
def test_spaces_count_and_the_super_network_weighs_what_is_published(
    variant: Any, widest: tuple[int, ...], size: int, full: int
) -> None:
    assert zoo.autoformer(variant=variant).space.size == size
    net = zoo.autoformer(variant=variant, widths=widest)  # the released networks are wider than their widest subnet
    assert measure.params(net, net.space.largest()) == full


def macs_by_formula(arch: Any, *, tokens: int, patch: int, channels: int, head_dim: int, classes: int) -> int:
    """Patches; per layer queries, keys, values, projection and MLP, and two products of tokens each with its relative
    twin; the classifier once."""
    width = arch["width"]
    total = (tokens - 1) * channels * patch**2 * width + width * classes
    for layer in range(1, arch["depth"] + 1):
        inner, hidden = arch[f"layer{layer}.heads"] * head_dim, int(width * arch[f"layer{layer}.ratio"])
        total += tokens * (4 * inner * width + 2 * width * hidden) + 4 * tokens**2 * inner
    return total


@pytest.mark.slow
def test_macs_are_those_of_the_formula() -> None:
    net = zoo.autoformer(variant="t", image_size=32, patch=16)
    for arch in (net.space.smallest(), net.space.largest(), *net.space.wrap(net.space.population(_rng(), 4))):
        expected = macs_by_formula(arch, tokens=5, patch=16, channels=3, head_dim=64, classes=1000)
        assert measure.macs(net, arch) == expected
    tiny = small()
    for arch in archs_of(tiny, 10):
        expected = macs_by_formula(arch, tokens=5, patch=4, channels=3, head_dim=4, classes=5)
        assert measure.macs(tiny, arch) == expected == measure.count_macs(tiny.extract(arch), (3, 8, 8))
        assert measure.params(tiny, arch) == sum(p.numel() for p in tiny.extract(arch).parameters())


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_weights_are_entangled() -> None:
    """The smallest subnet's weights are the first entries of the largest's."""
    net = small()
    large, little = (net.extract(arch).state_dict() for arch in (net.space.largest(), net.space.smallest()))
    shared = [name for name in little if name in large and not name.endswith(("rows", "columns"))]
    assert len(shared) > 15
    for name in shared:
        prefix = tuple(map(slice, little[name].shape))
        assert torch.equal(large[name][prefix], little[name]), name
    assert large["blocks.0.attend.1.qkv.weight"].shape == (3 * 2 * 4, 12)


def test_it_computes_the_network_of_the_official_code() -> None:
    """Rows of queries, keys and values take turns; keys and values have relative positions of their own."""
    torch.manual_seed(0)
    net = small().eval()
    assert {module.eps for module in net.modules() if isinstance(module, torch.nn.LayerNorm)} == {1e-5}

    def attend(module: Any, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (
            (x @ module.qkv.weight[part::3].T + module.qkv.bias[part::3]).unflatten(-1, (-1, 4)) for part in range(3)
        )
        tables = [getattr(module.attend.parts, f"relative_{which}") for which in ("keys", "values")]
        keys, values = (t.vertical[t.rows][:, :, None] + t.horizontal[t.columns][:, :, None] for t in tables)
        return module.project(products(q, k, v, keys, values))  # type: ignore[no-any-return]

    x = torch.randn(2, 3, 8, 8)
    for arch in archs_of(net, 4):
        expected = logits(net.extract(arch), x, attend=attend, pooling="mean")
        torch.testing.assert_close(net(x, arch), expected, rtol=1e-4, atol=1e-6)


def test_features_drop_behind_the_embedding_attention_and_both_layers_of_the_mlp() -> None:
    net = small(dropout=0.2)

    def kinds(part: Any) -> list[str]:
        return [type(module).__name__ for module in part]

    assert kinds(net.module.embed)[-1] == "ElasticDropout"
    for block in net.module.blocks:
        assert kinds(block.attend) == ["ElasticLayerNorm", "ElasticAttention", "ElasticDropout", "DropPath"]
        middle = ["ElasticLinear", "GELU", "ElasticDropout", "ElasticLinear", "ElasticDropout"]
        assert kinds(block.mix) == ["ElasticLayerNorm", *middle, "DropPath"]


def test_a_hidden_width_is_rounded_down() -> None:
    net = small(widths=(7, 9), ratios=(1.5,), depths=(1,))
    for width, hidden in ((7, 10), (9, 13)):
        arch = next(arch for arch in net.space.enumerate() if arch["width"] == width)
        assert net.extract(arch).blocks[0].mix[1].out_features == hidden


def test_depth_leaves_out_the_last_layers() -> None:
    net = small()
    options = {**net.space.largest().options(), "depth": 1}
    for name in ("layer2.heads", "layer2.ratio"):
        options.pop(name)
    arch = net.space.arch(options)
    assert len(net.extract(arch).blocks) == 1
    assert net.space.size == 2 * ((2 * 2) + (2 * 2) ** 2)


def test_the_classifier_reads_the_mean_or_the_class_token() -> None:
    torch.manual_seed(0)
    for pooling in ("mean", "token"):
        net = small(pooling=pooling).eval()
        arch, x = net.space.largest(), torch.randn(2, 3, 8, 8)
        module = net.module
        with net.active(arch):
            tokens = module.norm(module.blocks(module.embed(x)))
            read = tokens[:, 1:].mean(1) if pooling == "mean" else tokens[:, 0]
            torch.testing.assert_close(net(x), module.head(read))


def test_without_relative_positions_there_are_none() -> None:
    with_them, without = small(), small(relative=False)
    arch = with_them.space.largest()
    gap = measure.params(with_them, arch) - measure.params(without, without.space.largest())
    assert gap == 2 * 4 * (2 * 14 + 2) * 4  # layers × (keys, values) × (vertical, horizontal) × 30 vectors of 4


def test_linear_layers_begin_small() -> None:
    net = small(widths=(64, 96))
    for layer in net.modules():
        if isinstance(layer, torch.nn.Linear):
            assert 0.015 < float(layer.weight.detach().std()) < 0.025
            assert not layer.bias.any()


@pytest.mark.slow
def test_a_subnet_computes_the_same_in_onnx(tmp_path: Path) -> None:
    net = small()
    computes_the_same_in_onnx(net, net.space.largest(), tmp_path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"variant": "l"}, "variant 'l' does not exist"),
        ({"patch": 3}, "Patches of 3 × 3"),
        ({"widths": ()}, "widths are"),
        ({"heads": (1, 1)}, "each once"),
        ({"ratios": (0,)}, "positive numbers"),
        ({"depths": (0, 1)}, "whole number of at least 1"),
        ({"pooling": "max"}, "pooling 'max'"),
        ({"dropout": 1.0}, "dropout is 1.0"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        zoo.autoformer(**{"variant": "tiny", "image_size": 8, **options})


def test_t_is_not_in_its_own_space() -> None:
    with pytest.raises(UsageError, match=r"ratios=\(3, 3.5, 4\)"):
        autoformer_arch(zoo.autoformer().space, "t")
    with pytest.raises(UsageError, match="no published AutoFormer"):
        autoformer_arch(zoo.autoformer().space, "xl")  # type: ignore[arg-type]
