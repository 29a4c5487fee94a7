"""The pages on training and on the methods run as printed."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from supernet import methods

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("page", ["train.md", *(f"methods/{name}.md" for name in methods.__all__)])
def test_pages_run_as_printed(page: str) -> None:
    result = doctest.testfile(str(DOCS / page), module_relative=False)
    assert result.failed == 0
    assert result.attempted >= 2


def test_every_method_page_has_its_parts() -> None:
    for name in methods.__all__:
        text = (DOCS / "methods" / f"{name}.md").read_text()
        for part in ("**Rule.**", "## Default settings", "## Differences from the paper", "## Evidence", "--method"):
            assert part in text, f"{name} lacks {part}"
