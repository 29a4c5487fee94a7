"""Where a method was published, and what its settings here rest on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from supernet.errors import UsageError

Provenance: TypeAlias = Literal["official code", "others' code", "reconstruction"]
"""What the settings of a method follow: the authors' released code; code of others that use the method; or the paper's
text, with what it leaves open filled in."""


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A publication.

    Args:
        name: Name of the method, space or searcher that it describes.
        title: Title of the paper.
        authors: Family names in the paper's order.
        venue: Conference or journal, such as `"ICCV"`.
        journal: Whether the venue is a journal.
        year: Year of the venue.
        arxiv: Number at arXiv, such as `"1907.01845"`; None: it is not there.
        url: Another address of the paper, where it is not at arXiv.
        provenance: What the settings of the method follow in this package.

    Raises:
        UsageError: no author, an arXiv number of another form, or an unknown provenance.

    >>> paper = Paper(
    ...     name="FairNAS",
    ...     title="FairNAS: Rethinking Evaluation Fairness of Weight Sharing Neural Architecture Search",
    ...     authors=("Chu", "Zhang", "Xu"),
    ...     venue="ICCV",
    ...     year=2021,
    ...     arxiv="1907.01845",
    ...     provenance="reconstruction",
    ... )
    >>> print(paper.bibtex())
    @inproceedings{chu2021fairnas,
      title = {{FairNAS: Rethinking Evaluation Fairness of Weight Sharing Neural Architecture Search}},
      author = {Chu and Zhang and Xu},
      booktitle = {ICCV},
      year = {2021},
      eprint = {1907.01845},
      archiveprefix = {arXiv}
    }
    """

    name: str
    title: str
    authors: tuple[str, ...]
    venue: str
    journal: bool = False
    year: int
    arxiv: str | None = None
    url: str | None = None
    provenance: Provenance

    def __post_init__(self) -> None:
        if not self.authors:
            raise UsageError(f"The paper {self.title!r} has no author; give their family names.")
        if self.arxiv is not None and not re.fullmatch(r"\d{4}\.\d{4,5}", self.arxiv):
            raise UsageError(f"The arXiv number of {self.name} is {self.arxiv!r}; give one such as '1907.01845'.")
        if self.provenance not in get_args(Provenance):
            raise UsageError(
                f"The provenance of {self.name} is one of {get_args(Provenance)}; got {self.provenance!r}."
            )

    @property
    def link(self) -> str | None:
        """Address of the paper."""
        return self.url if self.arxiv is None else f"https://arxiv.org/abs/{self.arxiv}"

    @property
    def key(self) -> str:
        """Key of the BibTeX entry: first author, year, name of the method."""
        parts = (self.authors[0], str(self.year), self.name)
        return "".join(re.sub(r"[^a-z0-9]", "", part.lower()) for part in parts)

    def bibtex(self) -> str:
        """The entry for a bibliography, by family names."""
        entries = {
            "title": f"{{{self.title}}}",
            "author": " and ".join(self.authors),
            "journal" if self.journal else "booktitle": self.venue,
            "year": str(self.year),
        }
        if self.arxiv is not None:
            entries |= {"eprint": self.arxiv, "archiveprefix": "arXiv"}
        elif self.url is not None:
            entries["url"] = self.url
        lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in entries.items())
        return f"@{'article' if self.journal else 'inproceedings'}{{{self.key},\n{lines}\n}}"
