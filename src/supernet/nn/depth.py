"""Elastic depth and elastic resolution."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, fx, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable
from supernet.nn.sizes import check_size
from supernet.space import Expr
from supernet.space.conditions import Conditions, Deeper


class ElasticDepth(nn.Sequential, Mutable):
    """A stage that runs its first d blocks (OFA, §3.2): (B, C, H, W) -> (B, C', H', W').

    The choices inside block i should carry `when=depth > i`, so that architectures differing only in blocks
    that do not run count as one.

    Args:
        depth: Number of blocks to run, an expression with values 0 … len(blocks).
        blocks: The blocks, of which the first `depth` run; each takes what the one before it returns.
        context: Number of further inputs of the stage, which every block is given as they are, such as the memory of
            an encoder and a mask.

    Raises:
        UsageError: the depth can be negative or exceed the number of blocks, or `context` is negative.
    """

    def __init__(self, depth: Expr | int, blocks: Iterable[nn.Module], *, context: int = 0) -> None:
        nn.Sequential.__init__(self, *blocks)
        possible = check_size("depth", depth, minimum=0)
        if possible[-1] > len(self):
            raise UsageError(
                f"The depth {depth} takes values from {possible[0]} to {possible[-1]}, but the stage has "
                f"{len(self)} blocks; depths lie between 0 and the number of blocks."
            )
        if context < 0:
            raise UsageError(f"A stage cannot have {context} further inputs; give 0 or more.")
        self.depth, self.context = depth, context

    def forward(self, input: Tensor, *context: Any) -> Tensor:
        if len(context) != self.context:
            raise UsageError(
                f"A stage of {len(self)} blocks was given {len(context)} further inputs, and expects {self.context}; "
                "say their number when it is made, as in ElasticDepth(depth, blocks, context=1)."
            )
        for block in self.running():
            input = block(input, *context)
        return input

    def running(self) -> list[nn.Module]:
        """The blocks that the active architecture runs."""
        return list(self)[: self.selection.value(self.depth)]

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.depth,)

    def runs(self) -> dict[str, Conditions]:
        return {name: (Deeper(self.depth, int(name)),) for name in self._modules}

    def plain(self) -> nn.Module:
        """The blocks that run; their own layers are made plain by `Supernet.extract`."""
        running = self.running()
        if not self.context:
            return nn.Sequential(*running)
        graph = fx.Graph()
        x, *context = (graph.placeholder(name) for name in ("x", *(f"context{n}" for n in range(self.context))))
        for number in range(len(running)):
            x = graph.call_module(str(number), (x, *context))
        graph.output(x)
        return fx.GraphModule({str(number): block for number, block in enumerate(running)}, graph)


class ElasticResolution(nn.Module, Mutable):
    """Resizes the input to the resolution the architecture asks for: (B, C, H, W) -> (B, C, r, r).

    Args:
        size: Side r in pixels, an expression.
        mode: Interpolation, `"bilinear"` or `"bicubic"`.
        native: Side of the images themselves, where it is known: an extracted subnet of that resolution then has
            nothing to resize.

    Raises:
        UsageError: an unknown mode, or a size below 1.
    """

    def __init__(self, size: Expr | int, *, mode: str = "bilinear", native: int | None = None) -> None:
        super().__init__()
        if mode not in ("bilinear", "bicubic"):
            raise UsageError(f"The interpolation {mode!r} is not supported; use 'bilinear' or 'bicubic'.")
        check_size("resolution", size)
        self.size, self.mode, self.native = size, mode, native

    def forward(self, x: Tensor) -> Tensor:
        r = self.selection.value(self.size)
        if x.shape[-2:] == (r, r):
            return x
        return F.interpolate(x, size=(r, r), mode=self.mode, align_corners=False)

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.size,)

    def scales(self) -> tuple[Expr | int, ...]:
        return (self.size,)

    def plain(self) -> nn.Module:
        r = self.selection.value(self.size)
        if r == self.native:
            return nn.Identity()
        return nn.Upsample(size=(r, r), mode=self.mode, align_corners=False)

    def extra_repr(self) -> str:
        return f"{self.size}, mode={self.mode}"
