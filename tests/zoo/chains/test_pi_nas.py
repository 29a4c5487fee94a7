"""The space of Π-NAS: costs of the published architectures, the formula of split attention."""

from __future__ import annotations

import pytest
import torch

from supernet import Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.nn import batch_norm
from supernet.zoo.chains.pi_nas import PUBLISHED, TINY
from supernet.zoo.chains.split_attention import SplitAttention
from zoo_networks import archs_of, costs_are_the_counted_ones


@pytest.fixture(scope="module")
def net() -> Supernet:
    return zoo.pi_nas()


def tiny() -> Supernet:
    return zoo.pi_nas(num_classes=5, in_channels=1, image_size=8, zero_gamma=False, **TINY)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "macs", "params"),
    [
        (PUBLISHED["cls"], 5_332_293_584, 27_046_278),  # the released code's, counted; published 5.38 G, 27.1 M
        (PUBLISHED["trans"], 5_253_644_608, 27_039_016),
        ("1" * 16, 5_371_160_576, 27_483_240),  # ResNeSt-50: published 5.39 G, 27.5 M
        ("0" * 16, 5_369_909_248, 26_217_896),
    ],
)
def test_costs(net: Supernet, text: str, macs: int, params: int) -> None:
    arch = zoo.pi_nas_arch(net.space, text)
    assert (measure.macs(net, arch), measure.params(net, arch)) == (macs, params)


def test_the_space_has_16_choices_of_four(net: Supernet) -> None:
    assert net.space.size == 4**16 == 4_294_967_296
    assert net.space.names == tuple(f"layer{n}" for n in range(1, 17))
    blocks = net.module.diagram(net.space.largest()).nodes
    assert [(node.label, node.detail) for node in blocks[:6]] == [
        ("input", "224×224"),
        ("conv 3×3", "3→32, 112×112"),
        ("conv 3×3", "32→32, 112×112"),
        ("conv 3×3", "32→64, 112×112"),
        ("max pool 3×3", "64→64, 56×56"),
        ("2s2x40d", "64→256, 56×56"),
    ]
    assert blocks[-2].detail == "2048→2048, 7×7"


def test_costs_of_the_tiny_one_are_those_of_counting() -> None:
    small = tiny()
    assert small.space.size == 4**5
    costs_are_the_counted_ones(small, archs_of(small, 6))


@pytest.mark.parametrize(("radix", "cardinality"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_split_attention_is_its_formula(radix: int, cardinality: int) -> None:
    """Weights per channel: softmax over the splits, or a sigmoid of one; scores stand by group, then by split."""
    torch.manual_seed(0)
    layer = SplitAttention(8, radix=radix, cardinality=cardinality, norm=batch_norm).eval()
    x = torch.randn(3, 8, 4, 4)
    made = layer.splits(x)
    splits = [made[:, 8 * r : 8 * (r + 1)] for r in range(radix)]
    scores = layer.attention(sum(splits))[:, :, 0, 0]
    assert scores.shape == (3, 8 * radix)
    out = torch.zeros_like(x)
    per_group = 8 // cardinality
    for channel in range(8):
        group, inner = divmod(channel, per_group)
        by_split = torch.stack([scores[:, (group * radix + r) * per_group + inner] for r in range(radix)])
        weights = by_split.softmax(0) if radix > 1 else by_split.sigmoid()
        for r in range(radix):
            out[:, channel] += weights[r][:, None, None] * splits[r][:, channel]
    torch.testing.assert_close(layer(x), out)


def test_candidates_share_the_shortcut_and_begin_as_it(net: Supernet) -> None:
    small = zoo.pi_nas(num_classes=5, image_size=8, **TINY).eval()
    x = torch.randn(2, 3, 8, 8)
    outputs = [small(x, arch) for arch in archs_of(small, 5)]
    for other in outputs[1:]:
        torch.testing.assert_close(other, outputs[0])


def test_strings_lead_back(net: Supernet) -> None:
    arch = zoo.pi_nas_arch(net.space, "3 0 1 3 2 3 1 2 0 3 2 1 3 0 3 2")
    assert zoo.pi_nas_string(arch) == PUBLISHED["cls"]
    assert arch["layer1"] == "2s2x40d"
    for text in ("3" * 15, "4" * 16, "", "x" * 16):
        with pytest.raises(UsageError, match="16 digits from 0 to 3"):
            zoo.pi_nas_arch(net.space, text)
    with pytest.raises(UsageError, match=r"zoo\.pi_nas"):
        zoo.pi_nas_string(zoo.nasbench_macro(channels=4, head_channels=8).space.smallest())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_classes": 0}, "num_classes is 0"),
        ({"width_multiplier": 0}, "width multiplier"),
        ({"strides": (2, 2)}, "give 6 of 1 or 2"),
        ({"statistics": "ema"}, "'ema'"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        zoo.pi_nas(**options)  # type: ignore[arg-type]
