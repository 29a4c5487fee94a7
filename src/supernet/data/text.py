"""Texts as token sequences of one length: for the next token, and for a text in another language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from supernet.data.data import Data
from supernet.data.position import SPLIT, generator
from supernet.data.split import Split
from supernet.data.tensors import TensorSplit
from supernet.data.vocabulary import Vocabulary
from supernet.errors import UsageError
from supernet.tasks import LanguageModelling, Task, Translation

__all__ = ["causal_text", "text_pairs"]


def causal_text(
    texts: Sequence[str] | str,
    *,
    vocabulary: Vocabulary | int = 4096,
    length: int = 128,
    validation: float = 0.1,
    test: float = 0.1,
    name: str = "text",
    task: Task | None = None,
) -> Data:
    """Texts cut into blocks of T tokens, at each of which the next one is asked for.

    The texts follow on one another, each behind the end token. Validation and test are their last parts, in this order,
    so that no block of one split overlaps with one of another; a rest of fewer than T + 1 tokens is left out. Inputs
    are token ids ``(B, T)``, targets those one further, ``(B, T)``.

    Args:
        texts: The texts, or one.
        vocabulary: The tokens; or V, for byte pairs trained on the training part (`Vocabulary.byte_pairs`).
        length: T, tokens per example.
        validation: Share of the characters that architectures are compared on.
        test: Share of the characters that the result is reported on; 0: none.
        name: Name of the data in logs and reports.
        task: What is asked of networks; None: `LanguageModelling` of the vocabulary.

    Raises:
        UsageError: A share or the length is out of its range, or a part is shorter than one block.
        RunError: `tokenizers` is not installed.

    >>> data = causal_text("In the beginning was the Word, and the Word was with God. " * 40, length=8, vocabulary=259)
    >>> print(data)
    text: 232 train, 29 validation, 29 test examples of int64 (8,), LanguageModelling
    """
    texts = [texts] if isinstance(texts, str) else list(texts)
    if length < 1:
        raise UsageError(f"Blocks of {length} tokens were asked for; give 1 or more.")
    kept = 1 - _share("validation", validation) - _share("test", test, none=True)
    if kept <= 0:
        raise UsageError(
            f"validation={validation} and test={test} leave nothing to train on; give less than 1 together."
        )
    parts = _cut(texts, (kept, kept + validation))
    words = _trained(vocabulary, parts[0])

    def split(part: Sequence[str], what: str) -> Split | None:
        tokens = [token for text in part for token in (*words.tokens(text), words.end)]
        blocks = (len(tokens) - 1) // length
        if blocks < 1 and what == "test" and not test:
            return None
        if blocks < 1:
            raise UsageError(
                f"The {what} part of {name} has {len(tokens)} tokens, fewer than one block of {length} and the token "
                "behind it. Give more text, a larger share, or shorter blocks."
            )
        found = torch.tensor(tokens[: blocks * length + 1])
        return TensorSplit(x=found[:-1].view(blocks, length), y=found[1:].view(blocks, length))

    train, held, last = (split(part, what) for part, what in zip(parts, ("train", "validation", "test"), strict=True))
    assert train is not None
    assert held is not None
    return Data(
        name=name,
        train=train,
        validation=held,
        held_out=last,
        shape=train.shape,  # type: ignore[attr-defined]
        task=LanguageModelling(words.size, words=words) if task is None else task,
    )


def text_pairs(
    pairs: Sequence[tuple[str, str]],
    *,
    vocabulary: Vocabulary | int = 4096,
    length: int = 64,
    longer: Literal["drop", "cut", "refuse"] = "drop",
    validation: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    name: str = "pairs of texts",
    task: Task | None = None,
) -> Data:
    """Texts with their translations, as token sequences filled up to one length.

    Inputs are ``input_ids`` (the source and its end token), ``attention_mask`` (1 where it has tokens) and
    ``decoder_input_ids`` (the target behind the start token), targets the target and its end token; each ``(B, T)``,
    int64. Both languages share the vocabulary.

    Args:
        pairs: Texts and what they become.
        vocabulary: The tokens; or V, for byte pairs trained on both sides of the training part.
        length: T, tokens per sequence, end token included.
        longer: What becomes of pairs with a longer side: they are left out, cut, or an error.
        validation: Share of the pairs that architectures are compared on, drawn by the seed.
        test: Share of the pairs that the result is reported on; 0: none.
        seed: The seed that decides the splits.
        name: Name of the data in logs and reports.
        task: What is asked of networks; None: `Translation` into the vocabulary.

    Raises:
        UsageError: A share or the length is out of its range, a text is empty, or nothing is left of a split.
        RunError: `tokenizers` is not installed.

    >>> data = text_pairs([(f"one {n}", f"eins {n}") for n in range(100)], length=12, vocabulary=259)
    >>> len(data.train), list(next(data.train.batches(2)).x)
    (80, ['input_ids', 'attention_mask', 'decoder_input_ids'])
    """
    pairs = list(pairs)
    if length < 2:
        raise UsageError(f"Sequences of {length} tokens were asked for; give 2 or more, of which one is the end.")
    if longer not in ("drop", "cut", "refuse"):
        raise UsageError(f"longer={longer!r} is not known; pairs that are too long can be 'drop', 'cut' or 'refuse'.")
    for number, pair in enumerate(pairs):
        if len(pair) != 2 or not all(isinstance(text, str) and text.strip() for text in pair):
            raise UsageError(f"Pair {number} of {name} is {pair!r}; give two texts, neither of which is empty.")
    order = generator(seed, SPLIT).permutation(len(pairs))
    held = round(_share("validation", validation) * len(pairs))
    last = round(_share("test", test, none=True) * len(pairs))
    chosen = {
        "validation": order[last : last + held],
        "train": np.sort(order[last + held :]),
        "test": order[:last],
    }
    if not len(chosen["train"]) or not held:
        raise UsageError(
            f"{len(pairs)} pairs with validation={validation} and test={test} leave {len(chosen['train'])} to train "
            f"on and {held} to validate. Give more pairs, or other shares."
        )
    words = _trained(vocabulary, [text for n in chosen["train"] for text in pairs[n]])

    def split(what: str) -> TensorSplit:
        sides = [[_sequence(words, text) for text in pairs[n]] for n in chosen[what]]
        if longer == "drop":
            sides = [both for both in sides if max(map(len, both)) <= length]
        if longer == "refuse" and (most := max(len(side) for both in sides for side in both)) > length:
            raise UsageError(
                f"A text of {name} has {most} tokens with its end, and sequences {length}. Give length={most}, or say "
                "longer='drop' or 'cut'."
            )
        if not sides:
            raise UsageError(
                f"No pair of the {what} part of {name} fits into {length} tokens; give a larger length, or "
                "longer='cut'."
            )
        source, target = (_filled([both[side] for both in sides], length, words.pad) for side in (0, 1))
        before = target[:, :-1].masked_fill(target[:, :-1] == words.end, words.pad)
        begun = torch.cat([torch.full_like(target[:, :1], words.start), before], dim=1)
        mask = (source != words.pad).long()
        return TensorSplit(
            x={"input_ids": source, "attention_mask": mask, "decoder_input_ids": begun},
            y=target,
        )

    train = split("train")
    return Data(
        name=name,
        train=train,
        validation=split("validation"),
        held_out=split("test") if last else None,
        shape=train.shape,
        task=Translation(words) if task is None else task,
    )


def _sequence(words: Vocabulary, text: str) -> list[int]:
    return [*words.tokens(text), words.end]


def _filled(sequences: Sequence[Sequence[int]], length: int, pad: int) -> Tensor:
    """Sequences (N, T), cut or filled up."""
    return torch.tensor([[*tokens[:length], *[pad] * (length - len(tokens))] for tokens in sequences])


def _trained(vocabulary: Vocabulary | int, texts: Sequence[str]) -> Vocabulary:
    return Vocabulary.byte_pairs(texts, vocabulary) if isinstance(vocabulary, int) else vocabulary


def _cut(texts: Sequence[str], shares: tuple[float, float]) -> list[list[str]]:
    """Texts in three parts, at these shares of all characters."""
    total, parts, before = sum(map(len, texts)), list[list[str]]([[], [], []]), 0
    bounds = [0, *(round(share * total) for share in shares), total]
    for text in texts:
        for part, low, high in zip(parts, bounds, bounds[1:], strict=False):
            if piece := text[max(0, low - before) : max(0, high - before)]:
                part.append(piece)
        before += len(text)
    return parts


def _share(option: str, value: float, *, none: bool = False) -> float:
    if not (0 < value < 1 or (none and value == 0)):
        raise UsageError(f"{option}={value} is no share; give a fraction between 0 and 1{' or 0' if none else ''}.")
    return value
