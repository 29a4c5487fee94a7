"""What is published runs: README commands and every Python block of the documents, page by page."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from command_line import supernet
from supernet import catalog, settings
from supernet.cli.app import app
from supernet.cli.asked import asked
from supernet.io.config import Config
from supernet.runs.naming import build_method

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Blocks with a >>> prompt are doctests and checked as such.
    code = [block for block in blocks(page, "python") if ">>>" not in block]
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(code), str(page), "exec"), {"__name__": "document"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


@pytest.mark.slow
def test_readme_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = [
        line
        for block in blocks(ROOT / "README.md", "console")
        for line in block.splitlines()
        if line.startswith("supernet")
    ]
    assert len(commands) >= 6
    for command in commands:
        done = supernet(*shlex.split(command, comments=True)[1:])
        assert done.code == 0, f"{command}\n{done.err}"
    assert (tmp_path / "runs/a/report.html").stat().st_size > 10_000


def commands(page: Path) -> list[str]:
    """The commands of a page: those indented, and those of blocks for a terminal."""
    text = page.read_text().replace("\\\n", " ")
    indented = re.findall(r"^    (supernet .*)$", text, re.MULTILINE)
    return indented + re.findall(
        r"^(?:\$ )?(supernet .*)$", "".join(blocks(page, "console")).replace("\\\n", " "), re.M
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_name_options_methods_and_spaces_that_there_are(page: Path) -> None:
    command_line = app()
    for command in commands(page):
        words = shlex.split(command.partition(" | ")[0].partition(" [")[0], comments=True)[1:]
        verb, bound, _ = command_line.parse_args(words, exit_on_error=False, print_error=False)
        assert list(bound.arguments) or verb.__name__ == "list_names", command
        if verb.__name__ == "retrain" and not bound.arguments.get("resume"):
            told = bound.arguments.get("options", {})
            assert ("arch" in told) != bound.arguments.get("best", False), f"{command}: which architecture?"
            assert "steps" in told, f"{command}: how long?"
        for name, value in [
            pair for given in bound.arguments.values() if isinstance(given, dict) for pair in given.items()
        ]:
            assert name != "arch" or value.endswith(".json") or "=" in value, f"{command}: {value} is no architecture"
        config = asked(Config(), built=bound.arguments.get("built", {}))
        if not catalog.is_own(config.space.name):  # else it is the reader's
            build_method(config.method.name, config.method.options)
            known = settings.parameters_of(catalog.load("spaces", config.space.name))
            assert {name.partition(".")[0] for name in config.space.options} <= {*known}, command


def test_every_method_and_space_has_a_page() -> None:
    from supernet import methods, zoo

    for name in methods.__all__:
        assert (ROOT / "docs/methods" / f"{name}.md").is_file(), name
    page = (ROOT / "docs/zoo.md").read_text()
    assert not [name for name in zoo.__all__ if name not in page]


def test_every_method_page_has_its_parts() -> None:
    from supernet import methods

    for name in methods.__all__:
        text = (ROOT / "docs/methods" / f"{name}.md").read_text()
        for part in ("**Rule.**", "## Default settings", "## Differences from the paper", "## Evidence", "--method"):
            assert part in text, f"{name} lacks {part}"
