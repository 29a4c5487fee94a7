"""The class token comes first, for every image the same."""

from __future__ import annotations

import pytest
import torch

from supernet import Choice, Supernet
from supernet.nn import ClassToken
from supernet.nn.laws import LAWS, Law


@pytest.mark.parametrize("law", LAWS)
def test_class_tokens_keep_the_laws(law: Law) -> None:
    law(Supernet(ClassToken(Choice("width", (2, 4)))), lambda arch: torch.randn(2, 3, arch["width"]))


def test_it_begins_small() -> None:
    torch.manual_seed(0)
    assert 0.015 < float(ClassToken(Choice("width", (2, 500))).token.detach().std()) < 0.025


def test_it_comes_first() -> None:
    module, x = ClassToken(Choice("width", (2, 4))), torch.randn(3, 5, 2)
    found = Supernet(module)(x, {"width": 2})
    assert torch.equal(found[:, 0], module.token[:2].expand(3, 2))
    assert torch.equal(found[:, 1:], x)
