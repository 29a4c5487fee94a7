"""How differently the units of a network are on for different inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.measure.proxies._untrained import Untrained


@dataclass(frozen=True)
class NASWOT:
    """NASWOT: log |det K|, K[i, j] the number of rectifiers that the examples i and j put into the same state.

    [arXiv 2006.04647](https://arxiv.org/abs/2006.04647), eq. 2.
    """

    def __call__(self, subject: Untrained) -> float:
        """The logarithm; −∞ where two examples have the same pattern.

        Raises:
            UsageError: the network has no rectifier.
        """
        kernel: list[Tensor] = []

        def count(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
            on = (given[0].detach().flatten(1) > 0).double()
            kernel.append(on @ on.T + (1 - on) @ (1 - on).T)

        layers = [layer for layer in subject.module.modules() if isinstance(layer, nn.ReLU | nn.ReLU6)]
        handles = [layer.register_forward_pre_hook(count) for layer in layers]
        try:
            with torch.no_grad():
                subject.logits(subject.batches[0])
        finally:
            for handle in handles:
                handle.remove()
        if not kernel:
            raise UsageError("NASWOT counts rectifiers (nn.ReLU), and the network has none. Leave it out.")
        return float(np.linalg.slogdet(sum(kernel[1:], kernel[0]).cpu().numpy())[1])
