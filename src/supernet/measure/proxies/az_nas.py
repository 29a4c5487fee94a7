"""Expressivity, progressivity, trainability and complexity of a row of blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from supernet.errors import UsageError
from supernet.measure.proxies._untrained import Untrained
from supernet.measure.proxies.blocks import features
from supernet.rank.checks import Floats
from supernet.rank.joined import joined_ranks


@dataclass(frozen=True)
class AZNAS:
    """AZ-NAS: four parts of a network on noise, joined by the sum of the logarithms of their ranks.

    [arXiv 2403.19232](https://arxiv.org/abs/2403.19232). Of the features of its blocks (`blocks_of`), as they come:
    expressivity is the sum of the entropies of their principal components' shares of variance (eq. 3); progressivity
    the smallest rise of that entropy from block to block (eq. 5); trainability the mean of 2 − σ − 1/σ, σ the spectral
    norm of a block's Jacobian as random signs sent backwards estimate it (eqs. 7–9); complexity its
    multiply-accumulates. The score is eq. 11.
    """

    def __call__(self, subject: Untrained) -> Mapping[str, float]:
        """The four parts; −∞ for one that is not a number.

        Raises:
            UsageError: fewer than two blocks have features of an axis of channels.
        """
        with features(subject.module) as found:
            subject.logits(subject.noise(subject.batches[0]))
        if len(found) < 2:
            raise UsageError(
                f"AZ-NAS compares the features of blocks, and this network has {len(found)} blocks whose output has "
                "channels. Leave it out, or build the network as lists of blocks."
            )
        return {"complexity": subject.macs, **parts_of_features(found, subject.generator)}

    def joined(self, parts: Mapping[str, Floats]) -> Floats:
        """The sum of the logarithms of the ranks."""
        return joined_ranks(parts)


def parts_of_features(found: Sequence[Tensor], generator: torch.Generator) -> dict[str, float]:
    """Expressivity, progressivity and trainability of features, each computed from the one before."""
    entropies = [entropy(each) for each in found]
    steps = [trainability(before, after, generator) for before, after in pairwise(found)]
    told = {
        "expressivity": sum(entropies),
        "progressivity": min(after - before for before, after in pairwise(entropies)),
        "trainability": sum(steps) / len(steps),
    }
    return {name: value if not math.isnan(value) else -math.inf for name, value in told.items()}


def entropy(feature: Tensor) -> float:
    """The entropy in nats of the shares of variance of a feature's principal components."""
    rows = _rows(feature.detach())
    rows = rows - rows.mean(0)
    values = torch.linalg.eigvalsh(rows.T @ rows / len(rows))
    shares = values.clamp(min=0) / values.sum()
    return float(-(shares * torch.log(shares + 1e-8)).sum())


def trainability(before: Tensor, after: Tensor, generator: torch.Generator) -> float:
    """2 − σ − 1/σ of the step from one feature to the next; −∞ where the step does nothing, or there is none."""
    if not (before.requires_grad and after.requires_grad):
        return -math.inf
    signs = torch.randint(0, 2, after.shape, generator=generator).to(after) * 2 - 1
    [back] = torch.autograd.grad(after, before, signs, retain_graph=True, allow_unused=True)
    if back is None or (back.shape == signs.shape and bool((back == signs).all())):
        return -math.inf
    if signs.ndim == 4 and back.shape[2:] != signs.shape[2:]:
        back = F.pixel_unshuffle(back, back.shape[2] // signs.shape[2])
    there, here = _rows(signs), _rows(back)
    if len(there) != len(here):
        raise UsageError(
            f"AZ-NAS follows features from block to block, and {tuple(before.shape)} becomes {tuple(after.shape)}, "
            "whose sides do not divide. Leave it out for this network."
        )
    sigma = float(torch.linalg.matrix_norm(here.T @ there / len(there), ord=2))
    return 2 - sigma - 1 / (sigma + 1e-6)


def _rows(feature: Tensor) -> Tensor:
    """Every place of every example (N, C): images have their channels second, tokens last."""
    last = feature.movedim(1, -1) if feature.ndim == 4 else feature
    return last.reshape(-1, last.shape[-1])
