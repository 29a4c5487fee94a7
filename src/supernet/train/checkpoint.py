"""Checkpoints: one safetensors file each, whole or not at all, and never unpickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from supernet._version import __version__
from supernet.errors import RunError, UsageError
from supernet.io.files import write_atomically

_FORMAT = 3
_TENSOR = "tensor:"
_WRITTEN_BY = {1: "0.1.0 before it counted forwards and backwards"}  # before a file named its version


def save(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and JSON-able facts into one file with a checksum; a tensor of several names is held once."""
    import safetensors.torch

    first: dict[tuple[Any, ...], str] = {}
    shared = {
        name: known for name, tensor in tensors.items() if (known := first.setdefault(_place(tensor), name)) != name
    }
    held = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items() if name not in shared}
    known_as = {"shared": shared} if shared else {}
    facts = json.dumps({"format": _FORMAT, "version": __version__, **known_as, **meta}, sort_keys=True)
    header = {"supernet": facts, "sha256": digest(held, facts)}
    write_atomically(path, safetensors.torch.save(held, metadata=header))


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save` wrote.

    Raises:
        UsageError: there is no such file.
        RunError: the file is truncated, altered, of another format, or not a checkpoint of this package.
    """
    import safetensors

    if not path.is_file():
        raise UsageError(f"There is no checkpoint at {path}; give a run directory that has been trained.")
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise RunError(_refusal(path, f"is damaged or not a safetensors file ({error})")) from error
    if "supernet" not in header or "sha256" not in header:
        raise RunError(_refusal(path, "was not written by this package"))
    facts = header["supernet"]
    if digest(tensors, facts) != header["sha256"]:
        raise RunError(_refusal(path, "does not match its checksum: some bytes have changed"))
    meta = json.loads(facts)
    if meta.get("format") != _FORMAT:
        writer = meta.get("version") or _WRITTEN_BY.get(meta.get("format"), "that is not known")
        raise RunError(
            _refusal(
                path,
                f"has format {meta.get('format')}, written by the version {writer}, "
                f"and this one, {__version__}, reads format {_FORMAT}",
            )
        )
    tensors |= {name: tensors[known] for name, known in meta.pop("shared", {}).items()}
    return tensors, meta


def packed(value: Any, place: str, tensors: dict[str, Tensor]) -> Any:
    """A value as JSON, whose tensors go to `tensors` under names that begin with `place`.

    Raises:
        RunError: it holds something that is neither.
    """
    if isinstance(value, Tensor):
        tensors[place] = value
        return {_TENSOR: place}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: packed(one, f"{place}/{key}", tensors) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [packed(one, f"{place}/{number}", tensors) for number, one in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise RunError(
        f"A checkpoint cannot hold a {type(value).__name__}, which the state of a data loader has at {place}. Make it "
        "of numbers, texts, lists, tables and tensors."
    )


def unpacked(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The inverse of `packed`; rows are lists."""
    if isinstance(value, Mapping):
        if set(value) == {_TENSOR}:
            return tensors[value[_TENSOR]]
        return {key: unpacked(one, tensors) for key, one in value.items()}
    return [unpacked(one, tensors) for one in value] if isinstance(value, list) else value


def _place(tensor: Tensor) -> tuple[Any, ...]:
    """What two names of one tensor have in common, and no two tensors."""
    if tensor.numel() == 0:
        return (id(tensor),)
    return (tensor.device, tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride())


def latest(directory: Path) -> Path | None:
    """The newest checkpoint in a directory, None if there is none."""
    found = sorted(directory.glob("step-*.safetensors"))
    return found[-1] if found else None


def keep_last(directory: Path, count: int) -> None:
    """Remove all but the newest `count` checkpoints, and what writers that were killed left behind."""
    for path in (*sorted(directory.glob("step-*.safetensors"))[:-count], *directory.glob(".step-*.tmp")):
        path.unlink(missing_ok=True)


def _refusal(path: Path, reason: str) -> str:
    return (
        f"The checkpoint {path} {reason}. It was not loaded. Delete it to go on from the checkpoint before it "
        "in the same directory, or train again."
    )


def digest(tensors: Mapping[str, Tensor], facts: str = "") -> str:
    """Hex SHA-256 of named tensors, wherever they are, and of a text."""
    found = hashlib.sha256(facts.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
