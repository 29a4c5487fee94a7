"""The images of a split under labels of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import tee
from typing import Any, Self

import torch

from supernet.data.indexed import OfOneSplit
from supernet.data.position import Position
from supernet.nn.batch import Batch


class Relabelled(OfOneSplit):
    """Mixin of a frozen dataclass that is made of one split, `split`, and has `labels` of its own for its images.

    The label of an image is a function of its number, so that the first images of a split keep theirs in its head.
    """

    def at(self, places: Iterable[Position], *, seed: int, augment: Any) -> Iterator[Batch]:
        """The images at given places; see :meth:`Indexed.at`."""
        ahead, here = tee(places)  # workers that decode files read places before their batches are asked for
        images = self.split.at(ahead, seed=seed, augment=augment)
        return (Batch(b.x, torch.from_numpy(self.labels[p.indices])) for b, p in zip(images, here, strict=True))

    def head(self, n: int) -> Self:
        """The first ``n`` images, with the labels they have here."""
        changed: Any = replace(self, split=self.split.head(n))  # type: ignore[type-var]
        return changed  # type: ignore[no-any-return]
