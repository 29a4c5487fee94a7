"""A model of texts around one recurrent cell: vectors of tokens, the cell along them, logits by the same vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.nn import Field, Inputs
from supernet.nn.diagram import Diagram
from supernet.nn.turns import Turn
from supernet.space import Arch
from supernet.zoo.arguments import check_at_least_one, check_dropout


class Drops(NamedTuple):
    """Probabilities of dropping, each time the same features all along a sequence.

    Attributes:
        words: Of a word, wherever it stands in the text.
        embedding: Of a feature of all vectors of tokens.
        inputs: Of a feature of what enters the cell.
        hidden: Of a feature of the states that matrices of the cell take.
        output: Of a feature of what leaves the cell.
    """

    words: float
    embedding: float
    inputs: float
    hidden: float
    output: float

    def checked(self) -> Drops:
        """The same, if all are from 0 to below 1."""
        for probability in self:
            check_dropout(probability)
        return self


class LanguageModel(nn.Module):
    """Token ids (B, T) -> logits of the next token (B, T, V), by a recurrent cell that begins with zeros.

    The logits are the products of what leaves the cell with the vectors of the tokens, plus a bias where there is one.

    Args:
        cell: Vectors (B, T, D) -> states (B, T, D); it has `turns` and a `diagram`.
        tokens: V.
        width: D.
        length: T.
        drops: What is dropped in training.
        bias: Whether the logits have a bias.
        spread: Vectors of tokens begin uniform in ± this.
    """

    def __init__(
        self, cell: nn.Module, *, tokens: int, width: int, length: int, drops: Drops, bias: bool, spread: float
    ) -> None:
        super().__init__()
        self.tokens, self.length = tokens, length
        self.embedding = nn.Embedding(tokens, width)
        self.drop_words, self.drop_embedding = _dropout(drops.words), _dropout(drops.embedding)
        self.cell, self.drop_output = cell, _dropout(drops.output)
        self.head = nn.Linear(width, tokens, bias=bias)
        self.head.weight = self.embedding.weight
        nn.init.uniform_(self.embedding.weight, -spread, spread)
        if bias:
            nn.init.zeros_(self.head.bias)

    def forward(self, input_ids: Tensor) -> Tensor:
        given: object = input_ids
        if isinstance(given, Tensor) and given.shape[1:] != (self.length,):  # not while it is traced
            raise UsageError(
                f"The texts are {tuple(given.shape)}, but the network was built for blocks of {self.length} "
                "tokens, along which its cell is unrolled. Build it with length=… as long as the blocks of the data."
            )
        x = self.embedding(input_ids)
        if self.drop_words is not None:
            kept = self.drop_words(x.new_ones(x.shape[0], self.tokens))
            x = x * kept.gather(1, input_ids).unsqueeze(-1)
        states = self.cell(_along(x, self.drop_embedding))
        logits: Tensor = self.head(_along(states, self.drop_output))
        return logits

    def turns(self) -> tuple[Turn, ...]:
        """Node by node, see the cell."""
        cell: Any = self.cell
        found: tuple[Turn, ...] = cell.turns()
        return found

    def diagram(self, arch: Arch) -> Diagram:
        """The cell of an architecture."""
        cell: Any = self.cell
        found: Diagram = cell.diagram(arch)
        return found


def _dropout(probability: float) -> nn.Dropout | None:
    return nn.Dropout(probability) if probability else None


def _along(x: Tensor, dropout: nn.Module | None) -> Tensor:
    """A sequence (B, T, D) whose features are dropped all along."""
    return x if dropout is None else x * dropout(torch.ones_like(x[:, :1]))


def mask_like(x: Tensor, dropout: nn.Module | None) -> Tensor | None:
    """What states (B, D) are multiplied by at every place of a sequence; None: nothing is dropped."""
    return None if dropout is None else dropout(torch.ones_like(x))


def masked(x: Tensor, mask: Tensor | None) -> Tensor:
    """The same with features dropped."""
    return x if mask is None else x * mask


def text_inputs(length: int | None, input_shape: Inputs | None, otherwise: int) -> Inputs:
    """Blocks of T token ids, as long as `length` or the data say.

    Raises:
        UsageError: the data are no token ids alone, or `length` contradicts them.
    """
    if input_shape is None:
        found = otherwise if length is None else length
        check_at_least_one(length=found)
        return Inputs((Field("", (found,), "int64"),))
    fields = input_shape.fields if isinstance(input_shape, Inputs) else ()
    if len(fields) != 1 or fields[0].dtype != "int64" or len(fields[0].shape) != 1:
        raise UsageError(
            f"A recurrent cell reads blocks of token ids alone, int64 (T,), but the inputs are {input_shape}. Give it "
            "data such as data.causal_text(…)."
        )
    (given,) = fields[0].shape
    if length not in (None, given):
        raise UsageError(f"length={length}, but the blocks of the data have {given} tokens; leave length out.")
    return Inputs((Field("", (given,), "int64"),))


def with_defaults(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are given, and the variant's own where they are None."""
    return {name: defaults[name] if value is None else value for name, value in given.items()}
