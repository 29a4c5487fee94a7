"""Draws of torch that are the same on every process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    pass


@contextmanager
def seeded(*seed: int) -> Iterator[None]:
    """Draws from torch's generator inside are a function of the seed, the same on every process; it is put back after.

    What prepares a training stands in it: an adaptation that initialises weights, the beginning of a phase.
    """
    with torch.random.fork_rng(devices=()):
        seed_torch(int(np.random.default_rng(seed).integers(2**63)))
        yield


def seed_torch(seed: int) -> None:
    """Seed the generators of torch that are in use, as `torch.manual_seed` does.

    While no accelerator is in use, that function keeps the seed and a stack trace for one that may come, which takes
    longer than many a step of a small network.
    """
    in_use: tuple[Any, ...] = (torch.cuda.is_initialized, torch.xpu.is_initialized, torch.backends.mps.is_available)
    if any(asked() for asked in in_use):
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)
