"""Logits that begin around another number than 0."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from supernet import OpChoice, Supernet
from supernet.errors import UsageError
from supernet.train import LogitPerOption, LogitsAround, Setting


def test_they_are_those_around_0_moved() -> None:
    blocks = [OpChoice(f"b{i}", {f"o{k}": nn.Identity() for k in range(8)}) for i in range(100)]
    setting = Setting(Supernet(nn.Sequential(*blocks)), 3, {})
    logits = torch.stack(list(LogitsAround(mean=2.0, scale=0.05)(setting).logits)).detach()
    around_0 = torch.stack(list(LogitPerOption(0.05)(setting).logits)).detach()
    torch.testing.assert_close(logits - 2, around_0, atol=1e-6, rtol=0)
    assert logits.mean().item() == pytest.approx(2.0, abs=0.01)
    assert logits.std().item() == pytest.approx(0.05, rel=0.1)


def test_numbers_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="mean of the initial logits is nan"):
        LogitsAround(math.nan)
    with pytest.raises(UsageError, match="standard deviation of the initial logits"):
        LogitsAround(0.0, -1.0)
