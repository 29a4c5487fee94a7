"""The documentation site: where links lead, examples as code, what is in the navigation."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from stage import DOCS, ROOMS, ROOT, stage, with_links
from supernet import catalog


def test_links_out_of_the_documents_lead_to_pages_of_the_site(tmp_path: Path) -> None:
    text = "[a](../README.md#install) [b](../CONTRIBUTING.md) [c](judge.md#measures) [d](../examples/detection.py) [e](https://x.y)"
    found = with_links(text, DOCS / "own-data.md", tmp_path)
    assert found == (
        "[a](index.md#install) [b](contributing.md) [c](judge.md#measures) [d](files/examples/detection.py.md) [e](https://x.y)"
    )
    shown = (tmp_path / "files/examples/detection.py.md").read_text()
    assert (ROOT / "examples/detection.py").read_text() in shown
    assert with_links("[a](../own-data.md)", DOCS / "methods/spos.md", tmp_path) == "[a](../own-data.md)"
    with pytest.raises(FileNotFoundError, match=r"links to nowhere\.md"):
        with_links("[a](nowhere.md)", DOCS / "judge.md", tmp_path)


def test_examples_of_docstrings_become_code() -> None:
    pytest.importorskip("griffe", reason="the tools of the website are not installed: make docs")
    from doctests import fenced

    text = "Adds.\n\n>>> add(1, 2)\n3\n\nMore.\n\n    >>> add(\n    ...     2, 2)\n    4"
    adds = "Adds.\n\n\n```python\n>>> add(1, 2)\n3\n```\n\nMore."
    assert fenced(text) == f"{adds}\n\n\n    ```python\n    >>> add(\n    ...     2, 2)\n    4\n    ```"
    assert fenced("No example.") == "No example."


@pytest.mark.slow
def test_an_example_is_shown_with_what_it_prints(tmp_path: Path) -> None:
    asked: list[str] = []

    def printed(name: str) -> str:
        asked.append(name)
        return f"```\n{name} said this"

    pages = stage(tmp_path / "docs", printed)
    assert asked == sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
    for name in asked:
        page = (tmp_path / "docs/examples" / f"{name}.md").read_text()
        code, said = page.split("## What it prints")
        assert "```python\n" in code
        assert f"````text\n```\n{name} said this\n````" in said
    detection = (tmp_path / "docs/examples/detection.md").read_text()
    assert "```python\n>>> detection.main(out, scenes=40, steps=3, budget=4, alone=3)\n```" in detection
    assert "```console\n$ supernet run --data" in (tmp_path / "docs/examples/language_modelling.md").read_text()
    assert len(pages) > 150


def test_the_navigation_leads_somewhere_and_nothing_lacks_a_page() -> None:
    pages = re.findall(r"[:-] ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    made = {"examples/index.md", "spaces/index.md", "reference/index.md", "contributing.md"}
    assert len(pages) > 20
    assert [page for page in pages if page not in made and not (DOCS / page).is_file()] == []
    top = {page.name for page in DOCS.glob("*.md")}
    assert top - set(pages) == set(), "pages that no navigation leads to"
    assert [name for name in catalog.names("methods") if not (DOCS / "methods" / f"{name}.md").is_file()] == []
    for room in ROOMS:
        importlib.import_module(f"supernet.{room}")
    assert set(ROOMS) >= set(catalog.LAZY)
