"""What local workers share: one copy, which none of them changes for another, in a file that nobody finds."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from supernet.errors import RunError
from supernet.workers import local


class Number:
    """A file descriptor on its way, as `multiprocessing` hands it over."""

    def __init__(self, number: int) -> None:
        self._number = number

    def detach(self) -> int:
        return os.dup(self._number)


def test_a_write_is_seen_by_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with local._unnamed(bytearray(b"weights")) as file:
        assert not list(tmp_path.iterdir()), "the file has a name"
        first, second = (local._opened(Number(file.fileno())) for _ in range(2))
        first[:4] = b"shif"
        assert bytes(first) == b"shifhts"
        assert bytes(second) == bytes(local._opened(Number(file.fileno()))) == b"weights"


def test_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, content: bytes) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            pass

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    with pytest.raises(RunError, match=r"2 MB that the workers share .* No space left.*TMPDIR, or use workers=1"):
        local._unnamed(bytearray(2 * 2**20))
