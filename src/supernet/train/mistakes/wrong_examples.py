"""Which examples of a batch it is that the task refuses, so that whoever made the data finds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from supernet.data.derived.part import Part
from supernet.data.indexed import ReadByNumber
from supernet.data.position import Indices, positions
from supernet.data.split import Split
from supernet.errors import UsageError
from supernet.nn.batch import Batch
from supernet.nn.output import Output

_NAMED = 3


def refused(check: Callable[[Output, Batch], None], output: Output, batch: Batch) -> list[int]:
    """The rows that a check refuses by themselves; none where it refuses all of the batch: no example is to blame."""
    found = []
    for row in range(batch.size):
        cut = slice(row, row + 1)
        try:
            check(_part(output, cut), batch.part(cut))
        except UsageError:
            found.append(row)
    return found if len(found) < batch.size else []


def check_inputs(batch: Batch, *, data: str) -> None:
    """Refuse inputs that are NaN or infinite.

    Raises:
        UsageError: Some are; names the field.
    """
    for name, tensor in ({"": batch.x} if isinstance(batch.x, torch.Tensor) else batch.x).items():
        lost = int((~torch.isfinite(tensor)).sum())
        if lost:
            field = f"field {name!r} of the inputs" if name else "inputs"
            raise UsageError(
                f"The {field} of {data} {'holds' if name else 'hold'} {lost:,} values that are NaN or infinite, of "
                f"{tensor.numel():,} that were looked at. Leave such examples out, or give them a value."
            )


def numbers(split: Split, batch_size: int, *, seed: int, t: int, rank: int, world: int) -> tuple[Split, Indices] | None:
    """The numbers of the examples in batch t of a stream, and the split that counts them so; None: it has none."""
    kind: Any = type(split)
    if not isinstance(split, ReadByNumber) or kind.stream is not ReadByNumber.stream:
        return None
    walk = positions(len(split), batch_size, seed=seed, start=t, rank=rank, world=world)
    counted: Split = split
    found = next(walk).indices
    while isinstance(counted, Part):
        found, counted = counted.indices[found], counted.split
    return counted, found


def sentence(rows: list[int], known: tuple[Split, Indices] | None) -> str:
    """Such as "It is example 50 of mine (train).", where rows were found whose numbers are known."""
    if not rows or known is None:
        return ""
    split, found = known
    told = ", ".join(str(found[row]) for row in rows[:_NAMED]) + (", …" if len(rows) > _NAMED else "")
    word = "It is example" if len(rows) == 1 else "They are examples"
    return f" {word} {told} of {getattr(split, 'name', 'the training data')}."


def _part(output: Output, cut: slice) -> Output:
    heads = {name: head[cut] for name, head in output.heads.items()}
    return Output(output.logits[cut], tuple(aux[cut] for aux in output.aux), heads)
