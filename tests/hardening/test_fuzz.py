"""Some damaged files; `make fuzz` tries five hundred."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from command_line import supernet
from hardening.fuzz import case, prepared, tried, verbs

pytestmark = pytest.mark.slow  # whole verbs


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("original"))


def test_undamaged_files_are_read(original: Path, tmp_path: Path) -> None:
    """Else the damaged ones would be refused for another reason."""

    folder = Path(shutil.copytree(original, tmp_path / "all"))
    for file, verb in verbs(folder):
        assert (folder / file).is_file()
        done = supernet(*verb)
        assert done.code == 0, (file, verb, done.err)


@pytest.mark.parametrize("number", range(1000, 1040))
def test_a_damaged_file_is_read_or_refused_in_a_sentence(number: int, original: Path, tmp_path: Path) -> None:
    one = case(number, 7, original, tmp_path / "case")
    _, wrong = tried(one)
    assert wrong is None, f"{one}: {wrong}"
