"""A queue of keys is first in, first out, and takes whole batches."""

from __future__ import annotations

import pytest
import torch

from small_nets import operations_net
from supernet.errors import UsageError
from supernet.train import QueueOfKeys, Setting
from supernet.train.parts.key_queue import KeyQueue


def test_the_oldest_give_way() -> None:
    queue = KeyQueue(6, 1)
    torch.testing.assert_close(queue.keys.abs(), torch.ones(6, 1))
    for n in range(5):
        queue.push(torch.tensor([[2.0 * n], [2.0 * n + 1]]))
    assert queue.keys.flatten().tolist() == [6, 7, 8, 9, 4, 5]
    assert int(queue.place) == 4


def test_it_begins_with_directions_of_length_one() -> None:
    queue = QueueOfKeys(size=32, width=5)(Setting(operations_net(), 0, {}))
    torch.testing.assert_close(queue.keys.norm(dim=1), torch.ones(32))
    assert queue.keys.shape == (32, 5)
    assert not list(queue.parameters())


@pytest.mark.parametrize(("size", "batch", "fitting"), [(4, 8, 8), (20, 8, 16), (23, 8, 24)])
def test_a_queue_that_is_no_multiple_of_a_batch_is_refused(size: int, batch: int, fitting: int) -> None:
    with pytest.raises(UsageError, match=f"holds {size} keys, .* batch of {batch}: .* Give it {fitting} "):
        KeyQueue(size, 2).push(torch.zeros(batch, 2))


def test_sizes_are_positive() -> None:
    with pytest.raises(UsageError, match="size=0"):
        QueueOfKeys(size=0)
