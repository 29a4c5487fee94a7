"""The tokens of texts, by a model of the package `tokenizers`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from supernet.errors import UsageError, require

_PAD, _START, _END = "[pad]", "[start]", "[end]"
_ALPHABET = 256


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by number, and back to text; a `tasks.Words`.

    `byte_pairs` trains one. Any other model of `tokenizers`, such as one that was published, is one by
    ``Vocabulary(tokenizer.to_str(), pad=…, start=…, end=…)``.

    Attributes:
        tokenizer: The model as JSON (`tokenizers.Tokenizer.to_str`).
        pad: The token that fills short sequences up.
        start: The token that a sequence begins with.
        end: The token that a sequence ends with.

    Raises:
        UsageError: The JSON is no tokenizer's, two of the three tokens are one, or the model has no token of this
            number.
        RunError: `tokenizers` is not installed.

    >>> words = Vocabulary.byte_pairs(["In the beginning", "was the Word"], size=270)
    >>> words.text(words.tokens("In the Word")), words.size
    ('In the Word', 270)
    """

    tokenizer: str = field(repr=False)
    pad: int
    start: int
    end: int
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha256(self.tokenizer.encode()).hexdigest()[:16])
        marks = {"pad": self.pad, "start": self.start, "end": self.end}
        if len({self.pad, self.end}) < 2 or len({self.pad, self.start}) < 2:
            raise UsageError(f"Padding needs a token of its own, but {marks} were given.")
        for name, token in marks.items():
            if not 0 <= token < self.size:
                raise UsageError(f"{name}={token} is no token of this vocabulary; they go from 0 to {self.size - 1}.")

    @classmethod
    def byte_pairs(cls, texts: Iterable[str], size: int) -> Vocabulary:
        """Byte-pair encoding of the bytes of texts (Sennrich et al., ACL 2016), which knows every text there is.

        The same texts give the same vocabulary. The tokens 0, 1 and 2 are padding, start and end.

        Args:
            texts: What pairs are counted in; those of the training split, never others.
            size: V, the largest number of tokens; at least 259, that of bytes and marks.

        Raises:
            UsageError: The size is too small.
            RunError: `tokenizers` is not installed.
        """
        if size < _ALPHABET + 3:
            raise UsageError(
                f"A vocabulary of {size} tokens has no room for the {_ALPHABET} bytes and 3 marks; give "
                f"{_ALPHABET + 3} or more."
            )
        require("tokenizers", "verses", "A vocabulary")
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        model = Tokenizer(models.BPE())
        model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        model.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=[_PAD, _START, _END],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        model.train_from_iterator(texts, trainer)
        return cls(model.to_str(), pad=0, start=1, end=2)

    @cached_property
    def size(self) -> int:
        """V, the number of tokens."""
        return int(self._model.get_vocab_size())

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text, without start and end."""
        return list(self._model.encode(text, add_special_tokens=False).ids)

    def text(self, tokens: Sequence[int], /) -> str:
        """The text of tokens: up to the end token, without padding and start."""
        kept: list[int] = []
        for token in tokens:
            if token == self.end:
                break
            if token not in (self.pad, self.start):
                kept.append(token)
        return str(self._model.decode(kept))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_model"}

    @cached_property
    def _model(self) -> Any:
        require("tokenizers", "verses", "A vocabulary")
        from tokenizers import Tokenizer

        try:
            model = Tokenizer.from_str(self.tokenizer)
        except Exception as error:
            raise UsageError(
                f"The tokenizer of a vocabulary is no JSON of tokenizers.Tokenizer.to_str(): {error}."
            ) from error
        model.encode_special_tokens = True  # what looks like a mark in a text is text
        return model
