"""Checkpoints are whole or refused, and name themselves."""

from __future__ import annotations

import errno
import json
import os
import random
import struct
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

import supernet
from supernet.errors import RunError, UsageError
from supernet.train import checkpoint

TENSORS = {
    "weight": torch.arange(12, dtype=torch.float32).view(3, 4),
    "half": torch.ones(5, dtype=torch.bfloat16),
    "count": torch.tensor(7),
    "none": torch.empty(0, 3),
    "flags": torch.tensor([True, False]),
}


@pytest.fixture(name="path")
def make_path(tmp_path: Path) -> Path:
    path = tmp_path / "step-000000001.safetensors"
    checkpoint.save(path, TENSORS, {"step": 1, "note": "ünï"})
    return path


def test_tensors_and_facts_come_back_bitwise(path: Path) -> None:
    tensors, meta = checkpoint.load(path)
    assert meta == {"format": 3, "version": supernet.__version__, "step": 1, "note": "ünï"}
    assert set(tensors) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)


def test_layout_and_shared_memory_do_not_matter(tmp_path: Path) -> None:
    image = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    checkpoint.save(tmp_path / "a", {"one": image, "same": image, "part": image[:, 1]}, {})
    tensors, _ = checkpoint.load(tmp_path / "a")
    assert torch.equal(tensors["one"], image)
    assert torch.equal(tensors["same"], image)
    assert torch.equal(tensors["part"], image[:, 1])


def test_a_tensor_of_several_names_is_held_once(tmp_path: Path) -> None:
    tied = nn.ModuleDict({"embedding": nn.Linear(64, 64, bias=False), "head": nn.Linear(64, 64, bias=False)})
    tied["head"].weight = tied["embedding"].weight
    checkpoint.save(tmp_path / "tied", tied.state_dict(), {"step": 3})
    checkpoint.save(tmp_path / "apart", {k: v.clone() for k, v in tied.state_dict().items()}, {"step": 3})
    assert (tmp_path / "tied").stat().st_size < 0.6 * (tmp_path / "apart").stat().st_size
    (tensors, meta), (apart, _) = checkpoint.load(tmp_path / "tied"), checkpoint.load(tmp_path / "apart")
    assert list(meta) == ["format", "step", "version"]
    assert set(tensors) == set(apart)
    assert all(torch.equal(tensors[name], apart[name]) for name in apart)
    checkpoint.save(tmp_path / "empty", {"a": torch.zeros(0), "b": torch.zeros(0)}, {})
    assert set(checkpoint.load(tmp_path / "empty")[0]) == {"a", "b"}


def refusal(path: Path) -> str:
    with pytest.raises(RunError) as caught:
        checkpoint.load(path)
    message = str(caught.value)
    assert str(path) in message
    assert "was not loaded" in message
    return message


@pytest.mark.parametrize("kept", [0, 4, 100, -40, -1])
def test_a_truncated_file_is_refused(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    assert "damaged" in refusal(path)


def test_a_flipped_bit_anywhere_is_refused(path: Path) -> None:
    """Every byte of header and metadata, and of the tensors, with one bit of it flipped at a time."""
    content = path.read_bytes()
    header = 8 + struct.unpack("<Q", content[:8])[0]
    assert 8 < header < len(content)
    rng = random.Random(0)
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(damaged))
        refusal(path)


def test_appended_bytes_are_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")
    refusal(path)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "step-000000001.safetensors"
    safetensors.torch.save_file(TENSORS, path)
    assert "was not written by this package" in refusal(path)
    torch.save(TENSORS, path)
    assert "not a safetensors file" in refusal(path)


def test_another_format_is_refused(path: Path) -> None:
    for given, writer in (
        ({"format": 99, "version": "7.3"}, "has format 99, written by the version 7.3, and this one"),
        ({"format": 1}, "has format 1, written by the version 0.1.0 before it counted forwards and backwards"),
    ):
        facts = json.dumps(given)
        header = {"supernet": facts, "sha256": checkpoint.digest(TENSORS, facts)}
        path.write_bytes(safetensors.torch.save(TENSORS, metadata=header))
        assert writer in refusal(path)


def test_a_missing_file_is_a_wrong_request(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no checkpoint at .*absent"):
        checkpoint.load(tmp_path / "absent")


def test_a_full_disk_leaves_what_was_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"could not be written: No space left on device.*then resume"):
        checkpoint.save(path, {"weight": torch.zeros(3)}, {"step": 2})
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name], "a temporary file stayed behind"


def test_the_newest_are_kept_and_leftovers_of_killed_writers_removed(tmp_path: Path) -> None:
    for step in (5, 10, 900, 1000):
        checkpoint.save(tmp_path / f"step-{step:09d}.safetensors", {}, {"step": step})
    (tmp_path / ".step-000001000.safetensors.4711.tmp").write_bytes(b"half of one")
    (tmp_path / "notes.txt").write_text("mine")
    checkpoint.keep_last(tmp_path, 2)
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["notes.txt", "step-000000900.safetensors", "step-000001000.safetensors"]
    newest = checkpoint.latest(tmp_path)
    assert newest is not None
    assert checkpoint.load(newest)[1]["step"] == 1000
    assert checkpoint.latest(tmp_path / "absent") is None
