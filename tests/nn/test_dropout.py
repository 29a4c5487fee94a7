"""Dropout in proportion to the width."""

from __future__ import annotations

import pytest
import torch

from supernet import Choice, Supernet
from supernet.errors import UsageError
from supernet.nn import ElasticDropout
from supernet.nn.laws import LAWS, Law


@pytest.mark.parametrize("law", LAWS)
def test_dropout_keeps_the_laws(law: Law) -> None:
    law(Supernet(ElasticDropout(0.4, Choice("width", (2, 4)))), lambda arch: torch.randn(2, 3, arch["width"]))


@pytest.mark.parametrize(("width", "share"), [(4, 0.2), (8, 0.4)])
def test_its_probability_is_that_of_the_full_width_times_the_ratio(width: int, share: float) -> None:
    torch.manual_seed(0)
    net = Supernet(ElasticDropout(0.4, Choice("width", (4, 8)))).train()
    dropped = net(torch.ones(20_000, width), {"width": width})
    assert float((dropped == 0).float().mean()) == pytest.approx(share, abs=0.01)
    assert net.extract({"width": width}).p == pytest.approx(share)  # type: ignore[arg-type]
    assert torch.equal(net.eval()(torch.ones(4, width), {"width": width}), torch.ones(4, width))


def test_a_probability_of_one_is_refused() -> None:
    with pytest.raises(UsageError, match="below 1"):
        ElasticDropout(1.0, 4)
