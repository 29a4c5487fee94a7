"""The sum of the gradients."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sum:
    """Add the gradients of all paths (FairNAS, algorithm 1; OFA, AttentiveNAS in code).

    FairNAS: [arXiv 1907.01845](https://arxiv.org/abs/1907.01845); OFA:
    [arXiv 1908.09791](https://arxiv.org/abs/1908.09791); AttentiveNAS: [arXiv 2011.09011](https://arxiv.org/abs/2011.09011).
    """

    def weight(self, paths: int) -> float:
        return 1.0
