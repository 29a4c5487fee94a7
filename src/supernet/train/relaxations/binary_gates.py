"""Binary gates on two candidates, or on all (ProxylessNAS)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from supernet.errors import UsageError
from supernet.nn import Mixture
from supernet.train.relaxations._gumbel import perturbed
from supernet.train.relaxations._protocol import Given


@dataclass(frozen=True)
class BinaryGates:
    """Gates g of which one is open, drawn by p = softmax(α) (ProxylessNAS, §3.2).

    [arXiv 1812.00332](https://arxiv.org/abs/1812.00332). The gradient is ∂L/∂αᵢ = Σⱼ ∂L/∂gⱼ pⱼ (δᵢⱼ − pᵢ), eq. 4.

    Args:
        paths: `"two"`: two options are drawn by p without replacement, as if there were no others; p is their softmax,
            the gate opens one of them, both are computed, and their logits alone have a gradient. `"all"`: the gates
            are on all options, all of which are computed.
    """

    paths: Literal["two", "all"] = "two"

    def __post_init__(self) -> None:
        if self.paths not in ("two", "all"):
            raise UsageError(f"Binary gates are on 'two' paths or on 'all'; got {self.paths!r}.")

    def mixture(self, logits: Tensor, given: Given) -> Mixture:
        """One-hot weights over the options that are allowed."""
        run = given.allowed
        if self.paths == "two":
            # The largest of Gumbel-perturbed logits are a draw without replacement.
            open_to = len(logits) if run is None else len(run)
            run = tuple(perturbed(logits.detach(), given).topk(min(2, open_to)).indices.tolist())
        inside = list(range(len(logits)) if run is None else run)
        p = logits[inside].softmax(0)
        with given.seeded() as rng:
            opened = int(rng.choice(len(inside), p=_exactly_one(p)))
        gates = torch.zeros_like(p)
        gates[opened] = 1.0
        gates = gates + (p - p.detach())
        places = torch.tensor(inside, device=logits.device)
        return Mixture(torch.zeros_like(logits).index_put((places,), gates), run)

    def probabilities(self, logits: Tensor) -> Tensor:
        """softmax(logits)."""
        return logits.softmax(0)


def _exactly_one(p: Tensor) -> list[float]:
    """The probabilities as float64, which add up to 1 as NumPy wants it."""
    exact = p.detach().double().cpu()
    found: list[float] = (exact / exact.sum()).tolist()
    return found
