"""A frozen linear layer with a low-rank update whose rank is a choice."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable, Shape, absorbing, copy_into
from supernet.space import Expr, largest_value


class LoraLinear(nn.Linear, Mutable):
    """W x + b + (α / r) B A x with a frozen W, and A (r, c_in), B (c_out, r): (…, c_in) -> (…, c_out).

    LoRA: Hu et al., [arXiv 2106.09685](https://arxiv.org/abs/2106.09685), §4.1. A rank is a prefix of the rows of A and
    the columns of B, so that one training serves them all (DyLoRA: Valipour et al.,
    [arXiv 2210.07558](https://arxiv.org/abs/2210.07558)). B begins as zeros: at first the layer is the one that it was
    made from. Extracted it is a plain linear layer into which the update is worked.

    Args:
        linear: The layer whose weights are kept, frozen.
        rank: The rank r, 0 for no update: fixed or an expression.
        alpha: The numerator α of the scale, as in peft: `lora_alpha`.
        dropout: Share of the entries of x that the update does not see in training.

    Raises:
        UsageError: a rank below 0, none above 0, or larger than the layer; a dropout outside [0, 1).
    """

    def __init__(self, linear: nn.Linear, rank: Expr | int, *, alpha: float = 16.0, dropout: float = 0.0) -> None:
        c_out, c_in = linear.weight.shape
        ranks = rank.possible() if isinstance(rank, Expr) else (rank,)
        if min(ranks) < 0 or not 0 < max(ranks) <= min(c_in, c_out):
            raise UsageError(
                f"The ranks {', '.join(map(str, ranks))} do not fit a layer of {c_out} x {c_in}; give 0 or more, at "
                f"most {min(c_in, c_out)}, and at least one above 0."
            )
        if not 0 <= dropout < 1:
            raise UsageError(f"The dropout is {dropout}; give a share from 0 to below 1.")
        nn.Linear.__init__(self, c_in, c_out, bias=linear.bias is not None, device="meta")
        self.weight, self.bias = linear.weight, linear.bias
        for own in (self.weight, self.bias):
            if own is not None:
                own.requires_grad_(False)
        largest = largest_value(rank)
        self.lora_A = nn.Parameter(self.weight.new_empty(largest, c_in))
        self.lora_B = nn.Parameter(self.weight.new_zeros(c_out, largest))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.rank, self.alpha = rank, alpha
        self.dropout = nn.Dropout(dropout)

    def active_update(self) -> tuple[Tensor, Tensor]:
        """A (r, c_in) and B (c_out, r) of the active rank."""
        r = self.selection.value(self.rank)
        return self.lora_A[:r], self.lora_B[:, :r]

    def forward(self, input: Tensor) -> Tensor:
        base = F.linear(input, self.weight, self.bias)
        down, up = self.active_update()
        if len(down) == 0 or not absorbing():
            return base
        return base + F.linear(F.linear(self.dropout(input), down), up) * (self.alpha / len(down))

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.rank,)

    def shapes(self) -> dict[str, Shape]:
        c_out, c_in = self.weight.shape
        own: dict[str, Shape] = {"weight": (c_out, c_in), "lora_A": (self.rank, c_in), "lora_B": (c_out, self.rank)}
        return own if self.bias is None else own | {"bias": (c_out,)}

    def absorbed(self) -> frozenset[str]:
        """A and B."""
        return frozenset(("lora_A", "lora_B"))

    def runs(self) -> dict[str, tuple[()]]:
        return {"dropout": ()}

    def plain(self) -> nn.Module:
        down, up = self.active_update()
        c_out, c_in = self.weight.shape
        weight = self.weight if len(down) == 0 else self.weight + up @ down * (self.alpha / len(down))
        layer = nn.Linear(c_in, c_out, bias=self.bias is not None, device="meta")
        return copy_into(layer, weight=weight.detach(), bias=self.bias)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, rank={self.rank}, alpha={self.alpha:g}"
