"""Classifiers behind stages, and what joins them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from supernet.nn.stages import Stages
from supernet.train.parts.stage_heads import StageHeads

STAGES = Stages(("a", "b"), (4, 8), (16, 3), 5, ())


def test_answers_are_weighted_by_a_softmax() -> None:
    heads = StageHeads(STAGES)
    with torch.no_grad():
        heads.ensemble.copy_(torch.tensor([0.0, 1.0, 2.0]))
    maps, logits = [torch.randn(3, 4, 16, 16), torch.randn(3, 8, 3, 3)], torch.randn(3, 5)
    found = heads.eval()(maps, logits)
    assert found.shape == (3, 3, 5)
    shares = torch.tensor([1.0, torch.e, torch.e**2]) / (1 + torch.e + torch.e**2)
    torch.testing.assert_close(found[2], shares[2] * logits)
    for number, value in enumerate(maps):
        torch.testing.assert_close(found[number], shares[number] * heads.heads[number](value))


def test_the_weights_begin_between_0_and_a_third_and_alone_learn() -> None:
    heads = StageHeads(STAGES)
    assert ((heads.ensemble > 0) & (heads.ensemble < 1 / 3)).all()
    assert [name for name, p in heads.named_parameters() if p.requires_grad] == ["ensemble"]
    assert all(p.requires_grad for p in StageHeads(STAGES, learn=True).parameters())


@pytest.mark.parametrize(("side", "pooled"), [(16, (16 - 6) // 2 + 1), (14, 5), (8, 2), (7, 2), (4, 2), (2, 2)])
def test_maps_are_pooled_as_in_the_official_code(side: int, pooled: int) -> None:
    """By windows of 6, and of 5 for those of 7 × 7 pixels, with stride 2; BatchNorms have no scale and shift."""
    head = StageHeads(Stages(("a",), (4,), (side,), 5, ())).heads[0]
    assert isinstance(head, nn.Sequential)
    assert head[1](torch.zeros(1, 4, side, side)).shape[2:] == (pooled, pooled)
    assert head(torch.zeros(2, 4, side, side)).shape == (2, 5)
    if side == 7:
        maps = torch.randn(2, 4, 7, 7)
        torch.testing.assert_close(head[1](maps), F.avg_pool2d(maps, 5, stride=2))
    assert not [layer for layer in head if isinstance(layer, nn.BatchNorm2d) and layer.affine]
    widths = [layer.out_channels for layer in head if isinstance(layer, nn.Conv2d)]
    assert widths == [128, 768]
