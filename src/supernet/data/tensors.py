"""A split whose examples are held in memory as tensors, one or several by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from supernet.data.digest import digest
from supernet.data.indexed import ReadByNumber
from supernet.data.position import Indices, Position
from supernet.data.split import check_head
from supernet.errors import UsageError
from supernet.nn.batch import Batch, Fields, mapped, shapes
from supernet.nn.input_shape import InputShape, shape_of


@dataclass(frozen=True, eq=False, kw_only=True)
class TensorSplit(ReadByNumber):
    """Inputs and targets in memory, which nothing random is done to; a :class:`~supernet.data.Split`.

    Attributes:
        x: Inputs: a tensor ``(N, …)``, or tensors by the names of the network's arguments.
        y: Targets: a tensor ``(N, …)``, or tensors by name.

    Raises:
        UsageError: The tensors are of different lengths, or empty.

    >>> split = TensorSplit(x={"input_ids": torch.arange(12).view(4, 3)}, y=torch.arange(4))
    >>> len(split), next(split.batches(2)).y.tolist()
    (4, [0, 1])
    """

    x: Fields = field(repr=False)
    y: Fields = field(repr=False)

    def __post_init__(self) -> None:
        lengths = {len(tensor) for _, tensor in self._named()}
        if len(lengths) != 1 or 0 in lengths:
            raise UsageError(
                f"The inputs are {shapes(self.x)} and the targets {shapes(self.y)}; the first dimension of each counts "
                "the same examples, one or more."
            )

    def __len__(self) -> int:
        return Batch(self.x, self.y).size

    @property
    def labels(self) -> Indices:
        """The targets ``(N,)``, where they are class indices.

        Raises:
            UsageError: They are something else.
        """
        if isinstance(self.y, Tensor) and self.y.ndim == 1 and self.y.dtype == torch.int64:
            found: Indices = self.y.numpy()
            return found
        raise UsageError(f"Class indices, int64 (N,), are needed here, but the targets are {shapes(self.y)}.")

    @property
    def shape(self) -> InputShape:
        """The shape of one input."""
        return shape_of(self.x)

    @property
    def augment(self) -> None:
        """Nothing."""
        return

    def at(self, places: Iterable[Position], *, seed: int, augment: Any) -> Iterator[Batch]:
        """The examples at given places; see :meth:`Indexed.at`."""
        for place in places:
            numbers = torch.from_numpy(np.asarray(place.indices))
            yield Batch(*(mapped(fields, lambda t, n=numbers: t.index_select(0, n)) for fields in (self.x, self.y)))  # type: ignore[misc]

    def head(self, n: int) -> TensorSplit:
        """The first ``n`` examples; shares their memory."""
        check_head(n, len(self))
        return replace(self, x=mapped(self.x, lambda t: t[:n]), y=mapped(self.y, lambda t: t[:n]))

    def fingerprint(self) -> str:
        """Digest of every tensor and its name."""
        return digest(
            self, [(f"{name} {tensor.dtype} {tuple(tensor.shape)}", tensor) for name, tensor in self._named()]
        )

    def _named(self) -> Iterator[tuple[str, Tensor]]:
        for side, fields in (("x", self.x), ("y", self.y)):
            for name, tensor in (fields if isinstance(fields, Mapping) else {"": fields}).items():
                yield f"{side}.{name}", tensor
