"""Patches: against nn.Conv2d, and the costs of what follows them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from supernet import Choice, ElasticLinear, Supernet, measure
from supernet.errors import UsageError
from supernet.nn import ElasticAttention, PatchEmbed
from supernet.nn.laws import LAWS, Law


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("patch", ["fixed", "chosen"])
def test_patches_keep_the_laws(patch: str, law: Law) -> None:
    side = 2 if patch == "fixed" else Choice("patch", (2, 4))
    law(Supernet(PatchEmbed(3, Choice("width", (2, 4)), side)), lambda arch: torch.randn(2, 3, 8, 4))


def test_tokens_go_row_by_row() -> None:
    module, x = PatchEmbed(1, Choice("width", (2, 4)), 2), torch.randn(1, 1, 4, 6)
    found = Supernet(module)(x, {"width": 2})
    (conv,) = module.projections.values()
    assert found.shape == (1, 6, 2)
    for place in range(6):
        row, column = divmod(place, 3)
        patch = x[0, 0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        expected = (conv.weight[:2, 0] * patch).sum((1, 2)) + conv.bias[:2]  # type: ignore[index,operator]
        torch.testing.assert_close(found[0, place], expected)


def test_the_number_of_tokens_follows_the_patch_and_so_do_the_costs() -> None:
    """Each later layer multiplies once per token, and attention once per pair of tokens."""
    width, patch, heads = Choice("width", (4, 6)), Choice("patch", (2, 4)), Choice("heads", (1, 2))
    net = Supernet(
        nn.Sequential(PatchEmbed(3, width, patch), ElasticAttention(width, heads, 3), ElasticLinear(width, 5)),
        input_shape=(3, 8, 8),
    )
    for arch in net.space.enumerate():
        c, p, inner = arch["width"], arch["patch"], 3 * arch["heads"]
        tokens = (8 // p) ** 2
        per_token = 3 * p * p * c + 3 * c * inner + inner * c + c * 5
        assert measure.macs(net, arch) == tokens * per_token + tokens**2 * 2 * inner
        assert measure.macs(net, arch) == measure.count_macs(net.extract(arch), (3, 8, 8))
        assert measure.params(net, arch) == sum(parameter.numel() for parameter in net.extract(arch).parameters())


def test_patches_fill_the_image() -> None:
    with pytest.raises(UsageError, match="patches of 4 × 4"):
        Supernet(PatchEmbed(3, Choice("width", (2, 4)), 4))(torch.zeros(1, 3, 8, 6), {"width": 2})
    with pytest.raises(UsageError, match="a Choice of numbers"):
        PatchEmbed(3, 4, Choice("patch", (2, 4)) * 2)  # type: ignore[arg-type]
