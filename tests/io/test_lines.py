"""Files of lines: what a kill, a full disk or a damaged line leaves of them."""

from __future__ import annotations

import math
import os
from pathlib import Path

import msgspec
import pytest

from supernet.errors import RunError
from supernet.io.lines import LinesFile, keep_lines, read_lines


class Row(msgspec.Struct, frozen=True):
    step: int
    loss: float | None = None


def test_lines_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.jsonl"
    assert read_lines(path, Row).rows == ()
    with LinesFile(path) as file:
        assert not path.parent.exists()
        file.append(Row(1, 0.5))
        assert read_lines(path, Row).rows == [Row(1, 0.5)]
        file.append({"step": 2, "more": "é"})
    assert path.read_text() == '{"step": 1, "loss": 0.5}\n{"step": 2, "more": "é"}\n'
    assert read_lines(path, Row).rows == [Row(1, 0.5), Row(2)]
    LinesFile(None).append(Row(1))


def test_every_length_of_a_torn_line_is_left_out_and_cut(tmp_path: Path) -> None:
    path, whole = tmp_path / "a.jsonl", b'{"step": 1}\n{"step": 2}\n'
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        found = read_lines(path, Row)
        assert len(found.rows) == whole[:length].count(b"\n")
        assert found.torn == (length not in (0, 12, 24))
        assert path.read_bytes() == whole[:length]  # reading changes nothing
        with LinesFile(path) as file:
            file.append(Row(9))
        assert [row.step for row in read_lines(path, Row).rows] == [*[1, 2][: len(found.rows)], 9]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    for line, words in (
        (b'{"step": "a"}', r"a\.jsonl is damaged: line 2 step must be a whole number"),
        (b'{"loss": 1}', r"line 2 must be a table with 'step'"),
        (b"{", r"line 2: .*truncated"),
        (b'{"more": ' + b"[" * 100_000, "line 2: maximum recursion"),
        (b'{"step": "\xff"}', "line 2"),
    ):
        path.write_bytes(b'{"step": 1}\n' + line + b"\n")
        with pytest.raises(RunError, match=words):
            read_lines(path, Row)


def test_cutting_keeps_the_very_bytes_of_what_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    keep_lines(path, Row)
    assert not path.exists()
    path.write_bytes(b'{"step":1,  "x": 1}\n\n{"step": 5}\n{"step": 3}\n{"st')
    keep_lines(path, Row, lambda row: row.step <= 3)
    assert path.read_bytes() == b'{"step":1,  "x": 1}\n{"step": 3}\n'


def test_what_cannot_be_written_leaves_the_lines_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    with LinesFile(path, goes_on="resume the search") as file:
        file.append(Row(1))
        with pytest.raises(RunError, match="not finite"):
            file.append({"loss": math.nan})

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(RunError, match=r"No space left on device\. The lines before are safe; resume the search\."):
            file.append(Row(3))
    assert read_lines(path, Row).rows[0] == Row(1)
