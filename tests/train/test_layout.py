"""Who may import whom inside `supernet.train`: imports that hide a circle are not needed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import supernet.train

FOLDER = Path(supernet.train.__file__).parent
FILES = sorted(FOLDER.rglob("*.py"))


def ours(node: ast.AST) -> list[str]:
    """Modules of this package that stand in import statements below a node."""
    return [
        found.module
        for found in ast.walk(node)
        if isinstance(found, ast.ImportFrom) and found.module and found.module.startswith("supernet")
    ]


def test_the_spine_is_small() -> None:
    assert len([file for file in FOLDER.glob("*.py") if file.name != "__init__.py"]) <= 20


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FOLDER)))
def test_imports_of_the_package_stand_at_the_top(file: Path) -> None:
    for node in ast.parse(file.read_text()).body:
        if not isinstance(node, ast.ImportFrom):
            assert not ours(node), f"{file.name}: {ours(node)} are imported in a function or for types alone"


@pytest.mark.parametrize("folder", [path for path in FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__"])
def test_protocols_come_first_and_know_no_rule(folder: Path) -> None:
    protocol = folder / "_protocol.py"
    if protocol.is_file():
        rules = [
            name for name in ours(ast.parse(protocol.read_text())) if name.startswith(f"supernet.train.{folder.name}.")
        ]
        assert not rules
