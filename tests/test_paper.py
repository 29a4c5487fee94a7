"""Papers: what cannot be cited is refused."""

from __future__ import annotations

from typing import Any

import pytest

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
