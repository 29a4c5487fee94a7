"""What a score promises."""

from __future__ import annotations

from supernet.measure.scores.score import Score, Subnet

__all__ = ["Score", "Subnet"]
