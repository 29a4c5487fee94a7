"""Where a method, a space or a searcher comes from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from supernet.errors import UsageError

Provenance: TypeAlias = Literal["official code", "paper", "reconstruction"]
"""What the settings rest on: the released code, the paper's text, or our own reading where neither says it."""


@dataclass(frozen=True)
class Paper:
    """A publication, as the constant `PAPER` of the module that implements it.

    The catalogue reads it from the source without importing the module, so its arguments are literals.

    Args:
        name: Short name, as the field uses it.
        title: Full title.
        authors: All authors in BibTeX's form, joined by " and ".
        venue: Conference or journal, such as `"ICCV"`.
        year: Year of the publication there.
        arxiv: Number at arxiv.org; empty: it is not there.
        provenance: What the implementation's settings rest on, see `Provenance`.

    Raises:
        UsageError: an unknown provenance, or a number that is not arXiv's.

    >>> paper = Paper("SPOS", "Single Path One-Shot", "Zichao Guo and Jian Sun", "ECCV", 2020, "1904.00420", "paper")
    >>> paper.link
    'https://arxiv.org/abs/1904.00420'
    """

    name: str
    title: str
    authors: str
    venue: str
    year: int
    arxiv: str = ""
    provenance: Provenance = "paper"

    def __post_init__(self) -> None:
        if self.provenance not in get_args(Provenance):
            raise UsageError(
                f"The provenance of {self.name} is {self.provenance!r}; it is one of {', '.join(get_args(Provenance))}."
            )
        if self.arxiv and not re.fullmatch(r"\d{4}\.\d{4,5}", self.arxiv):
            raise UsageError(f"The arXiv number of {self.name} is {self.arxiv!r}; write it like 1904.00420.")

    @property
    def link(self) -> str:
        """The address of its page at arXiv; empty where it has none."""
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else ""

    def bibtex(self) -> str:
        """The entry for a bibliography.

        >>> print(Paper("X", "A title", "A. B. and C. D.", "ICML", 2021, "2101.00001").bibtex())
        @inproceedings{x2021,
          title = {{A title}},
          author = {A. B. and C. D.},
          booktitle = {ICML},
          year = {2021},
          eprint = {2101.00001},
          archiveprefix = {arXiv},
        }
        """
        journal = self.venue.startswith(("IEEE T", "J", "arXiv"))
        fields = {
            "title": f"{{{self.title}}}",
            "author": self.authors,
            "journal" if journal else "booktitle": self.venue,
            "year": str(self.year),
        }
        if self.arxiv:
            fields |= {"eprint": self.arxiv, "archiveprefix": "arXiv"}
        key = re.sub(r"\W|_", "", self.name).lower()
        lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
        return f"@{'article' if journal else 'inproceedings'}{{{key}{self.year},\n{lines}}}"
