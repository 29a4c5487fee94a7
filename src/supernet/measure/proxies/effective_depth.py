"""The number of layers that the output depends on."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.measure.proxies._untrained import Untrained


@dataclass(frozen=True)
class EffectiveDepth:
    """Effective depth: the number of convolutions and linear layers that the output depends on.

    Those are the ones whose weights have a gradient that is not zero: what no way leads to, or leads from, does not
    count, such as the operations of a cell behind an edge without one.
    """

    def __call__(self, subject: Untrained) -> float:
        """The number of layers."""
        found = subject.gradients(subject.logits(subject.batches[0]).square().sum())
        return float(sum(bool(gradient.any()) for gradient in found.values()))
