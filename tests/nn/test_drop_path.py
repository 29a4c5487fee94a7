"""Drop-path: what it drops, how often, and that it is gone outside training."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from supernet import OpChoice, Supernet
from supernet.errors import UsageError
from supernet.nn import DropPath


def net() -> Supernet:
    return Supernet(nn.Sequential(OpChoice("op", {"skip": nn.Identity()}), DropPath()))


def test_images_lose_the_branch_as_often_as_said_and_the_mean_stays() -> None:
    torch.manual_seed(0)
    whole, x = net().train(), torch.ones(4000, 2, 3)
    with whole.active({"op": "skip"}, settings={"drop_path": 0.2}):
        y = whole(x)
    values = y.flatten(1)
    assert (values == values[:, :1]).all()  # a whole image at a time
    assert set(values[:, 0].tolist()) == {0.0, 1.25}
    assert abs(y.mean().item() - 1) < 0.02  # about three standard deviations


def test_without_the_setting_and_outside_training_nothing_is_dropped() -> None:
    whole, x = net(), torch.randn(8, 2)
    assert torch.equal(whole.train()(x, {"op": "skip"}), x)
    with whole.eval().active({"op": "skip"}, settings={"drop_path": 0.9}):
        assert torch.equal(whole(x), x)
    assert isinstance(whole.train().extract(whole.space.smallest())[1], nn.Identity)


@pytest.mark.parametrize("p", [-0.1, 1, 2])
def test_what_is_no_probability_is_refused(p: float) -> None:
    whole = net()
    with (
        pytest.raises(UsageError, match=f"setting drop_path is {p}; give a probability from 0 to below 1"),
        whole.active({"op": "skip"}, settings={"drop_path": p}),
    ):
        whole(torch.ones(1))
