"""What a network answers to some examples, for people to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from supernet.nn.batch import Batch
from supernet.nn.output import Output
from supernet.tasks._protocol import Network

__all__ = ["Box", "Sample", "Shows"]


class Box(NamedTuple):
    """A box in an image: left, top, right and bottom in pixels, a class index, and how sure the network is (0 … 1)."""

    left: float
    top: float
    right: float
    bottom: float
    label: int
    score: float | None = None


@dataclass(frozen=True)
class Sample:
    """One example: what was given, what was asked, what the network says. What a task has not is left out.

    Attributes:
        texts: Texts by what they are, such as `"source"`, `"reference"` and `"written"`.
        image: The image that was given (C, H, W).
        masks: Masks of class indices (H, W) by what they are, such as `"truth"` and `"network"`.
        boxes: Boxes in the image by what they are.
        ignored: The class index of pixels of masks that do not count.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    image: Tensor | None = None
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    boxes: Mapping[str, Sequence[Box]] = field(default_factory=dict)
    ignored: int | None = None


@runtime_checkable
class Shows(Protocol):
    """A `Task` that can show its answers: a segmentation its masks, a translation its sentences."""

    def show(self, output: Output, batch: Batch, network: Network) -> list[Sample]:
        """The examples of a batch with what a network says of them.

        Args:
            output: What the network returned for the batch.
            batch: Some examples.
            network: The network, for what is written word by word.
        """
        ...
