"""What a task knows of the words that a network writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Words"]


class Words(Protocol):
    """A vocabulary: tokens by number, three of which are no words. `data.Vocabulary` is one, of any `tokenizers` model.

    Its `repr` has to tell vocabularies apart: a training resumes only with the same.
    """

    @property
    def size(self) -> int:
        """V, the number of tokens."""
        ...

    @property
    def pad(self) -> int:
        """The token that fills short sequences up, and that no loss and no score counts."""
        ...

    @property
    def start(self) -> int:
        """The token that every sequence begins with."""
        ...

    @property
    def end(self) -> int:
        """The token that every sequence ends with."""
        ...

    def text(self, tokens: Sequence[int], /) -> str:
        """The text that tokens stand for, without those that are no words."""
        ...
