from pathlib import Path

import pytest
from torch import nn

from supernet import OpChoice, Supernet
from supernet.errors import UsageError
from supernet.runs.arch_argument import read_arch


def test_an_architecture_is_read_from_a_file_and_from_a_text(tmp_path: Path) -> None:
    net = Supernet(OpChoice("op", {"a": nn.Identity(), "b": nn.ReLU()}))
    (tmp_path / "best").write_text("op=b\n")
    (tmp_path / "best.json").write_text('{"op": "b"}')
    for text in ("op=b", str(tmp_path / "best"), str(tmp_path / "best.json")):
        assert read_arch(net, text) == net.space.arch({"op": "b"})
    (tmp_path / "bad").write_bytes(b"\xff\xfe")
    for text, said in (
        (str(tmp_path / "bad"), "UTF-8"),
        (str(tmp_path / "none"), "none of an architecture is not there"),
        (str(tmp_path), "is a directory"),
    ):
        with pytest.raises(UsageError, match=said):
            read_arch(net, text)
    with pytest.raises(UsageError, match="is not an architecture"):
        read_arch(net, "x" * 10_000)
