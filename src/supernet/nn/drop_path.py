"""Drop-path: an image now and then goes without a branch of the network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable


class DropPath(_DropoutNd, Mutable):
    """Zeroes a branch for some of the images (Larsson et al., arXiv 1605.07648): (B, …) -> (B, …), the same shape.

    In training each image loses the branch with the probability of the setting `drop_path`, 0 unless
    `net.active(arch, settings={"drop_path": 0.2})` says otherwise, and what remains is divided by 1 − that. In
    evaluation, and in extracted subnets, nothing is dropped.

    Args:
        share: The share of the setting that is the probability here, such as less in earlier layers.

    Raises:
        UsageError: while it runs, a setting that is not from 0 to below 1.
    """

    settings = ("drop_path",)

    def __init__(self, share: float = 1.0) -> None:
        super().__init__(p=0.0)
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        given = self.selection.setting("drop_path", 0.0)
        if not 0 <= given < 1:
            raise UsageError(f"The setting drop_path is {given}; give a probability from 0 to below 1.")
        p = given * self.share
        if p == 0 or not self.training:
            return x
        kept = torch.empty(len(x), *[1] * (x.ndim - 1), dtype=x.dtype, device=x.device).bernoulli_(1 - p)
        return x * (kept / (1 - p))

    def depends_on(self) -> tuple[int, ...]:
        return ()

    def plain(self) -> nn.Module:
        return nn.Identity()

    def extra_repr(self) -> str:
        return "p=the setting drop_path" + (f" * {self.share:g}" if self.share != 1 else "")
