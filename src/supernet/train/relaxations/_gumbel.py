"""The noise by which logits are sampled from."""

from __future__ import annotations

import torch
from torch import Tensor

from supernet.train.relaxations._protocol import Given


def perturbed(logits: Tensor, given: Given) -> Tensor:
    """log p + G over the options that are allowed (O,), −∞ for others, with G = −log(−log U) drawn for each option.

    The largest entry is option i with the probability p_i (Gumbel-max). Noise is drawn in float64 on the CPU, and a
    draw of 0 from the exponential distribution counts as the smallest positive number, so that it is always finite.
    """
    with given.seeded():
        waits = torch.empty(len(logits), dtype=torch.float64).exponential_()
    noise = -waits.clamp_min(torch.finfo(torch.float64).tiny).log()
    return given.masked(logits).log_softmax(0) + noise.to(logits)
