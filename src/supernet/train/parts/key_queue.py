"""A queue of the latest keys, which a contrastive loss tells the right one from (MoCo)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet.errors import UsageError
from supernet.train.part import Setting


class KeyQueue(nn.Module):
    """The latest keys (size, width), rows of length one; the oldest give way to new ones.

    MoCo ([arXiv 1911.05722](https://arxiv.org/abs/1911.05722), §3.2). It begins with random directions.

    Args:
        size: The number of keys.
        width: The number of entries of a key.
    """

    keys: Tensor
    place: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("keys", F.normalize(torch.randn(size, width), dim=1))
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))

    def require_whole_batches(self, batch_size: int, *, option: str = "queue") -> None:
        """Refuse batches that do not fill the queue a whole number of times.

        Args:
            batch_size: The number of keys that are put in at once, over all processes.
            option: The option of the method that sets the size.

        Raises:
            UsageError: the queue is smaller than a batch, or no multiple of it.
        """
        size = len(self.keys)
        if size < batch_size or size % batch_size:
            fitting = max(batch_size, round(size / batch_size) * batch_size)
            raise UsageError(
                f"The queue holds {size} keys, and every step puts in a batch of {batch_size}: it has to hold a whole "
                f"number of batches. Give it {fitting} (-M {option}={fitting}), or choose another batch size."
            )

    @torch.no_grad()
    def push(self, keys: Tensor) -> None:
        """Put keys (B, width) in the place of the oldest B."""
        self.require_whole_batches(len(keys))
        first = int(self.place)
        self.keys[first : first + len(keys)] = keys
        self.place.fill_((first + len(keys)) % len(self.keys))


@dataclass(frozen=True, kw_only=True)
class QueueOfKeys:
    """Builds a `KeyQueue`.

    Args:
        size: The number of keys; a multiple of the batch size over all processes.
        width: The number of entries of a key.

    Raises:
        UsageError: a number below 1.
    """

    size: int = 49_152
    width: int = 128

    def __post_init__(self) -> None:
        if self.size < 1 or self.width < 1:
            raise UsageError(f"A queue holds keys of 1 entry or more; got size={self.size} and width={self.width}.")

    def __call__(self, setting: Setting) -> KeyQueue:
        """The module."""
        return KeyQueue(self.size, self.width).to(next(setting.net.parameters()).device)
