"""The weakest share of the options of each choice goes, of those that are still allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from small_nets import executor, images, step
from supernet import OpChoice, Supernet
from supernet.errors import RunError, UsageError
from supernet.space.restriction import Restriction
from supernet.train import Context, DropWeakest, KeepStrongest
from supernet.train.parametrisations.option_logits import OptionLogits


def context(count: int = 7) -> tuple[Context, OptionLogits]:
    options = {f"o{number}": nn.Conv2d(1, 1, 1) for number in range(count)}
    net = Supernet(nn.Sequential(OpChoice("op", options), nn.Flatten()))
    logits = OptionLogits(net)
    now: Any = replace(step(net, parts={"architecture": logits}), restriction=Restriction(net.space))
    return Context(now, executor(net, images())), logits


def give(logits: OptionLogits, values: list[float]) -> None:
    with torch.no_grad():
        logits.logits[0].copy_(torch.tensor(values))


def test_two_of_five_go_and_then_one_of_the_three_that_are_left() -> None:
    here, logits = context(5)
    give(logits, [3.0, 1.0, 2.0, 5.0, 1.5])
    sizes = []
    for _ in range(4):
        DropWeakest(share=0.4)(here)
        sizes.append(list(here.restriction.space.allowed("op")))
    assert sizes == [
        ["o0", "o2", "o3"],
        ["o0", "o3"],
        ["o0", "o3"],
        ["o0", "o3"],
    ]


def test_of_equal_ones_the_last_go_and_one_is_always_left() -> None:
    here, logits = context(4)
    give(logits, [1.0, 1.0, 1.0, 1.0])
    DropWeakest(share=0.5)(here)
    assert list(here.restriction.space.allowed("op")) == ["o0", "o1"]
    DropWeakest(share=0.99)(here)
    assert list(here.restriction.space.allowed("op")) == ["o0"]


def test_what_was_forbidden_before_does_not_count() -> None:
    here, logits = context(6)
    give(logits, [9.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    here.restriction.allow("op", ["o1", "o2", "o3", "o4", "o5"])
    DropWeakest()(here)
    assert list(here.restriction.space.allowed("op")) == ["o3", "o4", "o5"]


def test_shares_and_logits_that_cannot_be_are_refused() -> None:
    for share in (-0.1, 1.0, float("nan")):
        with pytest.raises(UsageError, match="The share of options that are dropped"):
            DropWeakest(share=share)
    here, logits = context(2)
    give(logits, [float("nan"), 0.0])
    with pytest.raises(RunError, match=r"logits of 'op' are \[nan, 0.0\] after step \d+, so none is weakest\. Lower"):
        DropWeakest()(here)
    with pytest.raises(RunError, match=r"so none is strongest\. Lower the learning rate of the architecture"):
        KeepStrongest(1)(here)
