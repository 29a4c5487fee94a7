"""How much of a block's input comes out of it unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch

from supernet.data import Batch
from supernet.errors import UsageError
from supernet.measure.proxies._untrained import Untrained
from supernet.measure.proxies.blocks import features
from supernet.nn.batch import mapped


@dataclass(frozen=True)
class Shortcut:
    """Shortcuts: minus the distance of the mean diagonal of a block's Jacobian to 1, averaged over the blocks.

    Random weights have no sign that they prefer, so what is left of the diagonal is what no weight multiplies: 1 for
    each identity shortcut, and 1/k² for an average pooling of k × k. One shortcut lets gradients pass a deep network
    unchanged ([arXiv 1603.05027](https://arxiv.org/abs/1603.05027), eq. 5), without one they vanish, with two they grow
    from block to block. No paper has this score. Features of blocks that follow each other in the same shape
    (`blocks_of`) are compared on noise; the diagonal is E[s · Jᵀs] / d of random signs s (Hutchinson), over all d
    numbers of a feature. −∞ where no two features are alike in shape.

    Args:
        images: Number of examples; fewer where a batch has fewer.
    """

    images: int = 4

    def __call__(self, subject: Untrained) -> float:
        """The score, at most 0.

        Raises:
            UsageError: fewer than two blocks have features of an axis of channels.
        """
        batch = subject.batches[0]
        few = Batch(mapped(batch.x, lambda x: x[: self.images]), mapped(batch.y, lambda y: y[: self.images]))
        with features(subject.module) as found:
            subject.logits(subject.noise(few))
        if len(found) < 2:
            raise UsageError(
                f"Shortcuts lead through blocks, and this network has {len(found)} blocks whose output has channels. "
                "Leave this score out, or build the network as lists of blocks."
            )
        shares = []
        for before, after in pairwise(found):
            if before.shape != after.shape:
                continue
            shares.append(-1.0)
            if before.requires_grad and after.requires_grad:
                signs = torch.randint(0, 2, after.shape, generator=subject.generator).to(after) * 2 - 1
                [back] = torch.autograd.grad(after, before, signs, retain_graph=True, allow_unused=True)
                if back is not None:
                    shares[-1] = -abs(1 - float((signs * back).mean()))
        return sum(shares) / len(shares) if shares else -float("inf")
