"""Sizes of recurrent language models, by variant, any of which may be given otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from supernet.errors import UsageError
from supernet.zoo.arguments import check_at_least_one
from supernet.zoo.recurrent.language_model import Drops, with_defaults


@dataclass(frozen=True)
class Sizes:
    """Width, number of nodes and BatchNorm of a cell, and what is dropped around it.

    The defaults are what the authors of DARTS and ENAS have alike in their large networks.
    """

    width: int
    nodes: int
    norm: bool
    word_dropout: float = 0.0
    embedding_dropout: float = 0.0
    input_dropout: float = 0.75
    hidden_dropout: float = 0.25
    output_dropout: float = 0.75

    @property
    def drops(self) -> Drops:
        """The probabilities of dropping.

        Raises:
            UsageError: one is not from 0 to below 1.
        """
        return Drops(
            self.word_dropout, self.embedding_dropout, self.input_dropout, self.hidden_dropout, self.output_dropout
        ).checked()


def sizes_of(variant: str, variants: Mapping[str, Sizes], **given: Any) -> Sizes:
    """The sizes of a variant, with those that are given and not None in their place.

    Raises:
        UsageError: there is no such variant, or a size is below 1.
    """
    if variant not in variants:
        raise UsageError(f"The variant {variant!r} does not exist; use one of {tuple(variants)}.")
    found = Sizes(**with_defaults(given, vars(variants[variant])))
    check_at_least_one(width=found.width, nodes=found.nodes)
    return found
