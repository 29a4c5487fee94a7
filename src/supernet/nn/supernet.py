"""The supernet: any module that contains choices, and the space they span."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.extraction import plain_module
from supernet.nn.mutable import Mutable
from supernet.nn.selection import Decisions, Selection, as_decisions
from supernet.space import Arch, Expr, Space


class Supernet(nn.Module):
    """One over-parameterised network that holds every architecture of a space.

    Reads the choices off the module tree. Stays an ordinary `nn.Module`: `state_dict`, `to`, `train` and
    optimisers work as ever.

    Args:
        module: A module with at least one choice inside. It is used, not copied.

    Raises:
        UsageError: no choice inside, or two different choices of the same name.

    >>> import torch
    >>> from supernet import Choice, ElasticConv2d
    >>> width = Choice("width", (4, 8))
    >>> net = Supernet(nn.Sequential(ElasticConv2d(3, width), ElasticConv2d(width, 2)))
    >>> net.space.size
    2
    >>> net(torch.ones(1, 3, 6, 6), net.space.smallest()).shape
    torch.Size([1, 2, 6, 6])
    >>> net.extract(net.space.smallest())
    Sequential(
      (0): Conv2d(3, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
      (1): Conv2d(4, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    )
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        sizes = [size for m in module.modules() if isinstance(m, Mutable) for size in m.depends_on()]
        if not any(isinstance(size, Expr) for size in sizes):
            raise UsageError(
                f"The model {type(module).__name__} contains no choice. Put an OpChoice, an elastic layer or an "
                "ElasticDepth with a Choice inside it, or take a network from supernet.zoo."
            )
        self.module = module
        self.space = Space([size for size in sizes if isinstance(size, Expr)])
        self.selection = Selection()
        for m in module.modules():
            if isinstance(m, Mutable):
                m.selection = self.selection

    @contextmanager
    def active(self, target: Arch | Decisions) -> Iterator[None]:
        """Make an architecture (or decisions by choice name) the active one, and restore what was active.

        Raises:
            UsageError: the architecture belongs to another space.
        """
        before = self.selection.exchange(self._decisions(target))
        try:
            yield
        finally:
            self.selection.exchange(before)

    def _decisions(self, target: Arch | Decisions) -> Decisions:
        if isinstance(target, Arch) and target.space.fingerprint != self.space.fingerprint:
            raise UsageError(
                f"The architecture belongs to the space {target.space.fingerprint}, but this supernet spans "
                f"{self.space.fingerprint}. Take architectures from net.space."
            )
        return as_decisions(target)

    def forward(self, x: Tensor, target: Arch | Decisions | None = None) -> Tensor:
        """Run one architecture: (B, C, H, W) -> the module's output, for images logits (B, K).

        Args:
            x: Input batch.
            target: The architecture or decisions; default: whatever `active` has set.
        """
        if target is None:
            return cast(Tensor, self.module(x))
        with self.active(target):
            return cast(Tensor, self.module(x))

    def extract(self, arch: Arch) -> nn.Module:
        """The subnet as plain torch modules with copied weights, in the mode (train or eval) of the supernet.

        Raises:
            UsageError: the architecture belongs to another space.
        """
        with self.active(arch):
            return plain_module(self.module)
