"""Packing: what arrives is what was sent, where torch would lay it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from supernet.errors import UsageError
from supernet.workers import Work
from supernet.workers.work import begun


def same(given: Any) -> Any:
    return given


def travelled(given: Any) -> Any:
    return begun(memoryview(Work(same, given).packed()))


def test_tensors_keep_values_types_and_layout() -> None:
    last = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    given = {
        "last": last,
        "half": torch.randn(5).to(torch.bfloat16),
        "empty": torch.empty(0, 3),
        "flags": torch.tensor([True, False]),
        "array": np.arange(7.0),
        "weights": torch.nn.Parameter(torch.randn(3, 5)),
    }
    found = travelled(given)
    for name, value in given.items():
        assert type(found[name]) is type(value)
        assert found[name].dtype == value.dtype
        assert (torch.as_tensor(found[name]) == torch.as_tensor(value)).all()
        assert found[name].shape == value.shape
    assert found["last"].stride() == last.stride()
    assert found["weights"].requires_grad


def test_what_shares_memory_still_does_and_the_sender_does_not() -> None:
    whole = torch.zeros(6)
    found = travelled([whole, whole[2:4]])
    found[0][2] = 5.0
    assert found[1].tolist() == [5.0, 0.0]
    assert whole.tolist() == [0.0] * 6
    assert found[1].storage_offset() == 2


def test_large_memory_is_laid_aside_once_and_aligned() -> None:
    """A copy within the stream would be twice as long, and unaligned memory may be computed on otherwise."""
    weights = torch.ones(10_000)
    packed = Work(same, [weights, weights.view(100, 100), np.ones(3)]).packed()
    assert 40_000 < len(packed) < 42_000
    base = torch.empty(len(packed), dtype=torch.uint8)
    base[:] = torch.frombuffer(packed, dtype=torch.uint8)
    first, second, _ = begun(memoryview(base.numpy()))
    odd = Work(same, [torch.ones(size) for size in (3, 5, 9, 1)]).packed()
    room = torch.empty(len(odd), dtype=torch.uint8)
    room[:] = torch.frombuffer(odd, dtype=torch.uint8)
    assert all((tensor.data_ptr() - room.data_ptr()) % 64 == 0 for tensor in begun(memoryview(room.numpy())))
    assert first.data_ptr() == second.data_ptr()
    assert base.data_ptr() < first.data_ptr() < base.data_ptr() + len(packed), "the tensor is no copy"


def test_what_cannot_be_sent() -> None:
    with pytest.raises(UsageError, match=r"cannot be sent to another process.*or use workers=1"):
        Work(same, lambda: None).packed()
