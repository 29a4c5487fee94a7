"""Architectures as users write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from small_nets import operations_net
from supernet.errors import UsageError
from supernet.runs.arch_argument import arch_text, read_arch


def test_every_spelling_is_the_same_architecture(tmp_path: Path) -> None:
    net = operations_net()
    for arch in net.space.enumerate():
        texts = [arch_text(arch), json.dumps(arch.to_json())]
        texts.append(" , ".join(f"{name} = {option}" for name, option in arch.options().items()))
        (tmp_path / "a.json").write_text(texts[0])
        assert {read_arch(net, text) for text in (*texts, str(tmp_path / "a.json"))} == {arch}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("conv3", "'choice=option,choice=option'; got 'conv3'"),
        ("block0=conv9,block1=skip", "'block0' has no option 'conv9'; it allows conv3, conv1, skip"),
        ("block0=skip", "block1"),
        ('{"block0": ' + "[" * 100_000, "not valid JSON"),
        ('{"block0"', "not valid JSON"),
        ("x" * 10_000, "got 'xxxx"),
    ],
)
def test_what_is_none_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_arch(operations_net(), text)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"block0": "\xff"}')
    with pytest.raises(UsageError, match=r"a\.json cannot be read"):
        read_arch(operations_net(), str(tmp_path / "a.json"))
