"""Linear layers and embeddings whose width follows choices; the active slice of the weight is a prefix by default."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn.mutable import Mutable, Shape, copy_into
from supernet.nn.sizes import check_size, check_width
from supernet.nn.slices import SLICE, active_slice
from supernet.space import Expr, largest_value


class ElasticLinear(nn.Linear, Mutable):
    """A linear layer with elastic width: (…, c_in) -> (…, c_out), both prefixes of the full weight.

    The setting `slice` takes other entries than the first, see `supernet.nn.slices`.

    Args:
        in_features: Input width, fixed or an expression.
        out_features: Output width, fixed or an expression.
        bias: Whether to add a bias.
        unit: Outputs that belong together, such as the 3 of a query, key and value: no slice begins between them.

    Raises:
        UsageError: a width below 1.
    """

    settings = (SLICE,)

    def __init__(self, in_features: Expr | int, out_features: Expr | int, *, bias: bool = True, unit: int = 1) -> None:
        check_size("input width", in_features)
        check_size("output width", out_features)
        nn.Linear.__init__(self, largest_value(in_features), largest_value(out_features), bias=bias)
        self.width_in, self.width_out, self.unit = in_features, out_features, unit

    def active_weight(self) -> Tensor:
        """The slice (c_out, c_in) of the weight that the active architecture uses."""
        c_in, c_out = self.selection.value(self.width_in), self.selection.value(self.width_out)
        return active_slice(self.selection, self.weight, c_out, c_in, unit=self.unit)

    def active_bias(self) -> Tensor | None:
        """The slice (c_out,) of the bias that the active architecture uses."""
        bias: Tensor | None = self.bias
        if bias is None:
            return None
        return active_slice(self.selection, bias, self.selection.value(self.width_out), unit=self.unit)

    def forward(self, input: Tensor) -> Tensor:
        weight = self.active_weight()
        check_width(input.shape[-1], weight.shape[1], "linear layer")
        return F.linear(input, weight, self.active_bias())

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width_in, self.width_out)

    def shapes(self) -> dict[str, Shape]:
        return {"weight": (self.width_out, self.width_in), "bias": (self.width_out,)}

    def plain(self) -> nn.Module:
        weight, bias = self.active_weight(), self.active_bias()
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
        return copy_into(layer, weight=weight, bias=bias)

    def extra_repr(self) -> str:
        return f"{self.width_in}, {self.width_out}, bias={self.bias is not None}"


class ElasticEmbedding(nn.Embedding, Mutable):
    """An embedding with elastic width: indices (…) -> (…, c), a prefix of every vector.

    Args:
        num_embeddings: Number of indices, such as the size of a vocabulary.
        embedding_dim: Width, fixed or an expression.
        padding_idx: Index whose vector is zero and has no gradient; None: there is none.

    Raises:
        UsageError: a size below 1; while it runs on a CPU, an index that it does not have.
    """

    settings = (SLICE,)

    def __init__(self, num_embeddings: int, embedding_dim: Expr | int, *, padding_idx: int | None = None) -> None:
        check_size("number of embeddings", num_embeddings)
        check_size("width", embedding_dim)
        nn.Embedding.__init__(self, num_embeddings, largest_value(embedding_dim), padding_idx=padding_idx)
        self.width = embedding_dim

    def _slice(self) -> Tensor:
        return active_slice(self.selection, self.weight, self.num_embeddings, self.selection.value(self.width))

    def forward(self, input: Tensor) -> Tensor:
        try:
            return F.embedding(input, self._slice(), self.padding_idx)
        except IndexError:  # costs nothing where indices fit; a GPU stops in its own way
            wrong = int(input.max() if input.max() >= self.num_embeddings else input.min())
            raise UsageError(
                f"An embedding of {self.num_embeddings} vectors was given the index {wrong}; they go from 0 to "
                f"{self.num_embeddings - 1}. Build the network for the vocabulary of the data."
            ) from None

    def depends_on(self) -> tuple[Expr | int, ...]:
        return (self.width,)

    def shapes(self) -> dict[str, Shape]:
        return {"weight": (self.num_embeddings, self.width)}

    def plain(self) -> nn.Module:
        weight = self._slice()
        layer = nn.Embedding(weight.shape[0], weight.shape[1], padding_idx=self.padding_idx, device="meta")
        return copy_into(layer, weight=weight)

    def extra_repr(self) -> str:
        return f"{self.num_embeddings}, {self.width}"
