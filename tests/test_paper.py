"""Papers: what cannot be cited is refused."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from supernet import catalog
from supernet.errors import UsageError
from supernet.methods.single_path import one_shot, spos
from supernet.paper import Paper
from supernet.search.searchers import nsga2

PAPER: dict[str, Any] = {
    "name": "X",
    "title": "On X",
    "authors": ("Doe",),
    "venue": "ICML",
    "year": 2020,
    "provenance": "reconstruction",
}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"authors": ()}, "'On X' has no author"),
        ({"arxiv": "abs/2001.00001"}, "is 'abs/2001.00001'; give one such as"),
        ({"provenance": "memory"}, "is one of .* got 'memory'"),
    ],
)
def test_what_cannot_be_cited_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Paper(**PAPER | changed)


def test_a_journal_is_cited_as_one() -> None:
    entry = nsga2.PAPER.bibtex()
    assert entry.startswith("@article{deb2002nsgaii,")
    assert "  journal = {IEEE Transactions on Evolutionary Computation}," in entry
    assert "booktitle" not in entry
    assert spos.PAPER.bibtex().startswith("@inproceedings{guo2020spos,")


def test_a_paper_outside_arxiv_has_an_address() -> None:
    assert spos.PAPER.link == "https://arxiv.org/abs/1904.00420"
    assert one_shot.PAPER.link == "https://proceedings.mlr.press/v80/bender18a.html"
    assert "  url = {https://proceedings.mlr.press/v80/bender18a.html}" in one_shot.PAPER.bibtex()
    assert Paper(**PAPER).key == "doe2020x"
    assert Paper(**PAPER).link is None


def test_what_is_said_of_one_paper_in_several_places_agrees() -> None:
    said: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for entry in (entry for kind in catalog.KINDS for entry in catalog.own(kind)):
        for paper in entry.papers:
            if paper.arxiv is not None:
                told = (paper.title, paper.authors, paper.venue, paper.journal, paper.year)
                said[paper.arxiv][f"{entry.where} ({paper.name})"] = told
    assert max(map(len, said.values())) > 3, "no paper is written several times: what is compared here?"
    assert not {number: told for number, told in said.items() if len(set(told.values())) > 1}
