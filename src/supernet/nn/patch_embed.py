"""Images cut into patches, each of which becomes a token."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.conv import ElasticConv2d
from supernet.nn.mutable import Mutable
from supernet.nn.sizes import check_size
from supernet.space import Choice, Expr
from supernet.space.conditions import Chosen, Conditions


class Patches(nn.Module):
    """The outputs of a convolution as tokens: (B, C, H, W) -> (B, H' · W', d).

    Args:
        projection: A convolution (B, C, H, W) -> (B, d, H', W').
    """

    def __init__(self, projection: nn.Module) -> None:
        super().__init__()
        self.projection = projection

    def forward(self, x: Tensor) -> Tensor:
        tokens: Tensor = self.projection(x).flatten(2).transpose(1, 2)
        return tokens


class PatchEmbed(nn.Module, Mutable):
    """Cuts images into patches of p × p pixels and projects each: (B, C, H, W) -> (B, H / p · W / p, c).

    Where the size of the patches is a choice, each size has a projection of its own, and the number of tokens depends
    on it.

    Args:
        in_channels: Number of channels of the images.
        width: Width c of the tokens, fixed or an expression.
        patch: Side p of a patch in pixels, a number or a choice.
        bias: Whether the projection adds a bias.

    Raises:
        UsageError: a size below 1, or a patch that is an expression of choices; while it runs, images that patches do
            not fill.
    """

    def __init__(self, in_channels: int, width: Expr | int, patch: Choice | int, *, bias: bool = True) -> None:
        super().__init__()
        if isinstance(patch, Expr) and not isinstance(patch, Choice):
            raise UsageError(f"The side of a patch is {patch}; give a number, or a Choice of numbers.")
        check_size("side of a patch", patch)
        self.patch = patch
        sides = cast("tuple[Any, ...]", patch.options if isinstance(patch, Choice) else (patch,))
        self.projections = nn.ModuleDict(
            {str(side): ElasticConv2d(in_channels, width, side, stride=side, padding=0, bias=bias) for side in sides}
        )

    def projection(self) -> nn.Module:
        """The convolution of the active size of patches."""
        return self.projections[str(self.selection.value(self.patch))]

    def forward(self, x: Tensor) -> Tensor:
        side = self.selection.value(self.patch)
        if x.shape[-2] % side or x.shape[-1] % side:
            raise UsageError(
                f"Images of {x.shape[-2]} × {x.shape[-1]} pixels cannot be cut into patches of {side} × {side}; choose "
                "sizes of patches that divide the sides of the images."
            )
        tokens: Tensor = self.projection()(x).flatten(2).transpose(1, 2)
        return tokens

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.patch,)

    def scales(self) -> tuple[Expr | int, ...]:
        return (self.patch,)

    def runs(self) -> dict[str, Conditions]:
        if not isinstance(self.patch, Choice):
            return {}
        return {f"projections.{side}": (Chosen(self.patch, (i,)),) for i, side in enumerate(self.patch.options)}

    def plain(self) -> nn.Module:
        """The projection of the chosen size; it is made plain by `Supernet.extract`."""
        return Patches(self.projection())

    def extra_repr(self) -> str:
        return f"patch={self.patch}"
