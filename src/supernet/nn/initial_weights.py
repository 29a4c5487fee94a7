"""Weights from elsewhere as the beginning of a supernet."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from supernet.errors import RunError, UsageError
from supernet.nn.supernet import Supernet

Source: TypeAlias = Path | str | Mapping[str, Tensor]
"""A `.safetensors` file, or tensors by name."""

_PREFIXES = ("", "module.", "model.", "net.", "network.", "backbone.")


@dataclass(frozen=True)
class WarmStart:
    """What became of weights that a supernet was to begin with.

    Attributes:
        matched: Names of the supernet's tensors that were filled.
        missing: Names of those that were not: they keep their own initial values.
        unexpected: Names of what was given and has no place.
        reshaped: Names of those that were there in another size, with both shapes: neither was changed.
    """

    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]

    def __str__(self) -> str:
        told = f"{len(self.matched)} tensors were taken over"
        for what, names in (
            ("have no counterpart and keep their initial values", self.missing),
            ("found no place", self.unexpected),
        ):
            if names:
                told += f"; {len(names)} {what} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
        if self.reshaped:
            name, given, own = self.reshaped[0]
            told += f"; {len(self.reshaped)} have another size ({name}: {given} given, {own} here)"
        return told + "."


def warm_start(net: Supernet, source: Source) -> WarmStart:
    """Fill the weights of the largest subnet, which are the supernet's, with those of a network of the same names.

    Names are those of the module that the supernet was made of; a prefix that all given names share, such as `module.`
    or `model.`, is left out. The candidates of choice blocks have names of their own (`op.candidates.conv3x3.weight`).

    Args:
        net: The supernet; filled in place.
        source: A `.safetensors` file, or a state dict.

    Raises:
        UsageError: the file is missing or of another kind, or nothing in it fits.
        RunError: the file cannot be read, or holds values that are not finite.
    """
    given = _read(source)
    own = net.module.state_dict()
    best = max((_under(prefix, given) for prefix in _PREFIXES), key=lambda names: len(names.keys() & own.keys()))
    filled = {name: tensor for name, tensor in best.items() if name in own and tensor.shape == own[name].shape}
    reshaped = tuple(
        (name, tuple(best[name].shape), tuple(own[name].shape)) for name in own if name in best and name not in filled
    )
    if not filled:
        raise UsageError(
            f"None of the {len(given)} tensors given to begin with fits this network: they are called "
            f"{', '.join(list(given)[:3])}, …, and the network's {', '.join(list(own)[:3])}, …. Rename them."
        )
    for name, tensor in filled.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise RunError(
                f"The tensor {name!r} given to begin with holds values that are not finite. Look at its source."
            )
    with torch.no_grad():
        for name, tensor in filled.items():
            own[name].copy_(tensor)
    return WarmStart(
        matched=tuple(filled),
        missing=tuple(name for name in own if name not in best),
        unexpected=tuple(name for name in best if name not in own),
        reshaped=reshaped,
    )


def digest_of(source: Source) -> str:
    """Sixteen hexadecimal digits of the weights, to recognise them."""
    digest = hashlib.sha256()
    for name, tensor in sorted(_read(source).items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def _read(source: Source) -> Mapping[str, Tensor]:
    if isinstance(source, Mapping):
        return {str(name): value for name, value in source.items() if isinstance(value, Tensor)}
    import safetensors.torch

    path = Path(source)
    if not path.is_file():
        raise UsageError(f"There are no weights at {path}; give a .safetensors file, or a state dict.")
    if path.suffix != ".safetensors":
        raise UsageError(
            f"{path.name} is no .safetensors file, and others can run code when they are read. Load it yourself and "
            "give the state dict: init=torch.load(path, weights_only=True)."
        )
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise RunError(f"{path} cannot be read: {error}.") from error


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
