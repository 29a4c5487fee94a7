"""One normalisation for every value of a key, such as the number of active paths."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable
from supernet.nn.norm import Statistics, batch_norm
from supernet.space import Expr
from supernet.space.conditions import Chosen, Conditions


class NormBank(nn.Module, Mutable):
    """A BatchNorm for every value of a key: (B, C, H, W) -> (B, C, H, W).

    Sums of one and of four paths have other means and variances, which no one BatchNorm fits; the shadow batch norm of
    MixPath ([arXiv 2001.05887](https://arxiv.org/abs/2001.05887), §3.3) keeps one for each number of active paths. The
    BatchNorm of the active value alone runs, with statistics, scale and shift of its own.

    Args:
        width: Width C.
        key: The expression whose value picks the BatchNorm, made of one choice: `kernels.map(len)`.
        affine: Whether they learn scale and shift.
        statistics: What they use outside training, see `Statistics`.

    Raises:
        UsageError: the key is no expression, or depends on several choices.

    >>> from supernet import Choice, Supernet
    >>> paths = Choice("paths", (("a",), ("b",), ("a", "b")))
    >>> sorted(NormBank(8, paths.map(len)).banks)
    ['1', '2']
    """

    def __init__(
        self, width: int, key: Expr, *, affine: bool = True, statistics: Statistics = "calibrate", momentum: float = 0.1
    ) -> None:
        super().__init__()
        choices = key.choices() if isinstance(key, Expr) else ()
        if len(choices) != 1:
            raise UsageError(
                f"The key of a bank of norms is {key!r}, which depends on {len(choices)} choices. Give an expression "
                "of one, such as kernels.map(len)."
            )
        self.key, (self.choice,) = key, choices
        self._values = tuple(str(key.evaluate({self.choice: option}.__getitem__)) for option in self.choice.options)
        norm = {
            value: batch_norm(width, affine=affine, statistics=statistics, momentum=momentum)
            for value in sorted(set(self._values))
        }
        self.banks = nn.ModuleDict(norm)

    def _active(self) -> nn.Module:
        return self.banks[self._values[self.choice.position(self.selection.option(self.choice))]]

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self._active()(x))

    def depends_on(self) -> tuple[Expr, ...]:
        return (self.key,)

    def runs(self) -> dict[str, Conditions]:
        return {
            f"banks.{value}": (Chosen(self.choice, tuple(i for i, v in enumerate(self._values) if v == value)),)
            for value in self.banks
        }

    def plain(self) -> nn.Module:
        """The BatchNorm of the active value; `Supernet.extract` makes it plain."""
        return self._active()

    def extra_repr(self) -> str:
        return f"{self.key}"
