"""Seeding torch: the same draws as by `torch.manual_seed`, without what that keeps for an accelerator."""

from __future__ import annotations

import pytest
import torch

from supernet.train.processes.seeds import seed_torch, seeded


def test_draws_are_those_of_torch_s_own_seed() -> None:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(2**62 + 7)
        expected = torch.rand(3)
        seed_torch(2**62 + 7)
        assert torch.equal(torch.rand(3), expected)
        before = torch.get_rng_state()
        with seeded(1, 2):
            first = torch.rand(3)
        with seeded(1, 2):
            assert torch.equal(torch.rand(3), first)
        assert torch.equal(torch.get_rng_state(), before)


def test_an_accelerator_is_seeded_where_one_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    monkeypatch.setattr(torch, "manual_seed", seeds.append)
    if not torch.cuda.is_initialized():
        seed_torch(3)
        assert seeds == []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with torch.random.fork_rng(devices=()):
        seed_torch(4)
    assert seeds == [4]
