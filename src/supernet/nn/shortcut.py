"""A shortcut around a block of any width and stride."""

from __future__ import annotations

from torch import Tensor, nn

from supernet.nn.conv import ElasticConv2d
from supernet.nn.mutable import Mutable
from supernet.nn.sizes import check_size
from supernet.space import Expr
from supernet.space.conditions import Conditions, Differ


class ElasticShortcut(nn.Module, Mutable):
    """The way around a block (BigNAS, §3.1): (B, c_in, H, W) -> (B, c_out, ⌈H/s⌉, ⌈W/s⌉).

    At a stride s above 1 the means of s × s pixels; then, while the active widths differ, a 1 × 1 convolution without
    bias and without norm. What neither asks for passes as it is. At the lower and right edge of a map whose side s
    does not divide, the mean is that of the pixels that are there.

    Args:
        width_in: Input width c_in, fixed or an expression.
        width_out: Output width c_out, fixed or an expression.
        stride: Stride s of the block.

    Raises:
        UsageError: a size below 1.
    """

    pool: nn.AvgPool2d | None
    conv: ElasticConv2d | None

    def __init__(self, width_in: Expr | int, width_out: Expr | int, *, stride: int = 1) -> None:
        super().__init__()
        check_size("input width", width_in)
        check_size("output width", width_out)
        check_size("stride", stride)
        self.width_in, self.width_out = width_in, width_out
        self.pool = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False) if stride > 1 else None
        self.conv = None if width_in is width_out else ElasticConv2d(width_in, width_out, 1, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        for layer in self._needed():
            input = layer(input)
        return input

    def _needed(self) -> list[nn.Module]:
        """What stands on the way under the active architecture."""
        value = self.selection.value
        differ = value(self.width_in) != value(self.width_out)
        return [layer for layer in (self.pool, self.conv if differ else None) if layer is not None]

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width_in, self.width_out)

    def runs(self) -> dict[str, Conditions]:
        return {} if self.conv is None else {"conv": (Differ(self.width_in, self.width_out),)}

    def plain(self) -> nn.Module:
        """What stands on the way; its own layers are made plain by `Supernet.extract`."""
        needed = self._needed()
        return needed[0] if len(needed) == 1 else nn.Sequential(*needed) if needed else nn.Identity()
