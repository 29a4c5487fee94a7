"""What surrounds the operation on an edge of DARTS's cells: partial channels, drop-path, an auxiliary skip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import DropPath, Mutable, OpChoice
from supernet.nn.channels import Channels
from supernet.nn.members import is_silent
from supernet.space.conditions import Conditions, Never
from supernet.zoo.cells.cell_ops import FactorizedReduce


class Edge(nn.Module):
    """An edge: its operation, drop-path, and in DARTS- a skip beside them: (B, C, H, W) -> (B, C, H', W').

    Drop-path spares an operation that is decided to be the identity, as in the authors' final training.

    Args:
        op: The choice of operations, or `PartialChannels` around it.
        aux_skip: The skip connection beside the operations, or None.
    """

    def __init__(self, op: nn.Module, aux_skip: nn.Module | None = None) -> None:
        super().__init__()
        self.op, self.drop_path = op, DropPath()
        self.aux_skip = None if aux_skip is None else AuxiliarySkip(aux_skip)

    @property
    def silent(self) -> bool:
        """Whether it contributes nothing to its node."""
        return is_silent(self.op) and (self.aux_skip is None or bool(self.aux_skip.idle))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.op(x)
        if not self._is_identity():
            out = self.drop_path(out)
        return out if self.aux_skip is None else cast(Tensor, self.aux_skip(x, out))

    def _is_identity(self) -> bool:
        op: nn.Module = self.op
        if isinstance(op, OpChoice):
            decision = op.selection.decision(op.choice)
            return isinstance(decision, int) and isinstance(op.candidate(decision), nn.Identity)
        return isinstance(op, nn.Identity)


class PartialChannels(nn.Module):
    """An operation on the first C/K channels, while the others pass by (PC-DARTS, arXiv 1907.05737, eq. 3).

    (B, C, H, W) -> (B, C, ⌈H/stride⌉, ⌈W/stride⌉). The others are halved by 2 × 2 max pooling where the operation has
    stride 2. Afterwards channels are shuffled in K groups, so that the next edge meets others first.

    Args:
        op: Makes what runs on a number of channels.
        channels: Width C, a multiple of K.
        partial: K, at least 2.
        stride: Stride of the operation.
        name: The name of the C/K channels, by which a training may make them more; None: they stay as they are.
    """

    def __init__(
        self,
        op: Callable[[int], nn.Module],
        channels: int,
        partial: int,
        *,
        stride: int,
        name: str | None = None,
    ) -> None:
        super().__init__()
        width = channels // partial
        self.channels, self.width = channels, width if name is None else Channels(name, width)
        self.op = op(self.width)
        # Of even sides, which the published networks have, ceil_mode changes nothing.
        self.others = nn.Identity() if stride == 1 else nn.MaxPool2d(2, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        width = int(self.width)
        out: Tensor = self.op(x[:, :width].contiguous())
        joined = torch.cat([out, self.others(x[:, width:])], dim=1)
        return F.channel_shuffle(joined, self.channels // width)

    def widenings(self, partial: int) -> Mapping[str, tuple[int, int] | tuple[str, str]]:
        """What operations on C/K channels are made of, by the names of the dimensions.

        Args:
            partial: K, less than it is now.

        Returns:
            Of each dimension the present and the new width; of one that joins two others their names.

        Raises:
            UsageError: K does not divide the channels, or is not less, or the channels have no name.
        """
        before, width = self.width, self.channels // partial
        if self.channels % partial or width <= before or not isinstance(before, Channels):
            raise UsageError(
                f"Operations run on {int(before)} of {self.channels} channels and were to run on 1/{partial} of them. "
                "Give a smaller divisor of the channels than the present one, in a space such as zoo.darts(partial=6)."
            )
        found: dict[str, tuple[int, int] | tuple[str, str]] = {before.name: (int(before), width)}
        for reduce in self.op.modules():
            if isinstance(reduce, FactorizedReduce):
                even, odd, joined = (f"{before.name}.{part}" for part in ("even", "odd", "joined"))
                found |= {even: (before // 2, width // 2), odd: (before - before // 2, width - width // 2)}
                found |= {joined: (even, odd)}
        return found


class AuxiliarySkip(nn.Module, Mutable):
    """Adds a skip connection of the weight that the setting `aux_skip` says (DARTS-, arXiv 2009.01027, eq. 6).

    The setting is 0 unless `net.active(arch, settings={"aux_skip": 0.5})` says otherwise: evaluation, costs and
    extracted subnets are without it.

    Args:
        skip: The skip connection.
    """

    settings = ("aux_skip",)

    def __init__(self, skip: nn.Module) -> None:
        super().__init__()
        self.skip = skip

    @property
    def idle(self) -> bool:
        """Whether the weight is 0."""
        return bool(self.selection.setting("aux_skip", 0.0) == 0)

    def forward(self, x: Tensor, out: Tensor) -> Tensor:
        """`out` and the weighted skip of `x`."""
        if self.idle:
            return out
        return out + self.selection.setting("aux_skip", 0.0) * cast(Tensor, self.skip(x))

    def depends_on(self) -> tuple[int, ...]:
        return ()

    def runs(self) -> dict[str, Conditions]:
        return {"skip": (Never(),)}

    def plain(self) -> nn.Module:
        return _WithoutSkip()


class _WithoutSkip(nn.Module):
    idle = True

    def forward(self, x: Tensor, out: Tensor) -> Tensor:
        return out
