"""Loaders of one's own: what they train on, what they say about resuming, and what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from supernet import Choice, ElasticLinear, Supernet, fit
from supernet.data import LoaderSplit, from_datasets
from supernet.errors import RunError, UsageError
from supernet.methods import spos
from supernet.train import Recipe

X, Y = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 2


def loader(batch_size: int = 8, *, shuffle: bool = True, **options: Any) -> DataLoader[Any]:
    return DataLoader(TensorDataset(X, Y), batch_size=batch_size, shuffle=shuffle, **options)


def net() -> Supernet:
    torch.manual_seed(0)
    width = Choice("width", (4, 8))
    return Supernet(nn.Sequential(ElasticLinear(3, width), nn.Dropout(0.5), ElasticLinear(width, 2)))


def recipe() -> Recipe:
    return spos(label_smoothing=0.0).with_weights(lr=0.05, per=None)


def test_an_epoch_holds_every_example_once_and_the_seed_decides_its_order() -> None:
    split = LoaderSplit(loader=loader())
    stream = split.stream(8, seed=0)
    epochs = [torch.cat([next(stream).tensors[0] for _ in range(5)]) for _ in range(2)]
    for epoch in epochs:
        assert torch.equal(epoch[:, 0].sort().values, X[:, 0].sort().values)
    assert not torch.equal(*epochs)
    again = LoaderSplit(loader=loader()).stream(8, seed=0)
    assert torch.equal(next(again).tensors[0], epochs[0][:8])
    assert not torch.equal(next(LoaderSplit(loader=loader()).stream(8, seed=1)).tensors[0], epochs[0][:8])


def test_a_smaller_last_batch_is_left_out_of_training_and_not_of_evaluation() -> None:
    split = LoaderSplit(loader=loader(12, shuffle=False))
    stream = split.stream(12, seed=0)
    assert [next(stream).size for _ in range(4)] == [12] * 4
    assert [batch.size for batch in split.batches(100)] == [12, 12, 12, 4]
    assert [batch.size for batch in split.batches(5, limit=21)] == [5, 5, 2, 5, 4]
    assert [batch.size for batch in LoaderSplit(loader=loader(13)).batches(100)] == [13, 13, 14]  # none of one example


def test_a_training_by_a_plain_loader_refuses_to_resume(tmp_path: Path) -> None:
    data = from_datasets(loader(), loader(shuffle=False), classes=("a", "b"))
    options: dict[str, Any] = {"steps": 12, "batch_size": 8, "out": tmp_path / "r", "progress": False}
    fit(net(), recipe(), data, stop_after=7, **options)
    with pytest.raises(UsageError, match=r"cannot be started at batch 7.*StatefulDataLoader"):
        fit(net(), recipe(), from_datasets(loader(), loader(shuffle=False), classes=("a", "b")), resume=True, **options)


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("own", [False, True])
def test_a_stateful_loader_resumes_bit_for_bit(tmp_path: Path, workers: int, own: bool) -> None:
    from torchdata.stateful_dataloader import StatefulDataLoader

    def data() -> Any:
        torch.manual_seed(1)  # torchdata draws the order of a loader without a generator when it is built
        generator = torch.Generator().manual_seed(5) if own else None
        dataset = TensorDataset(X, Y)
        train = StatefulDataLoader(dataset, batch_size=8, shuffle=True, generator=generator, num_workers=workers)
        return from_datasets(train, loader(shuffle=False), classes=("a", "b"))

    options: dict[str, Any] = {"steps": 23, "batch_size": 8, "progress": False}  # four epochs and three steps
    whole, first, resumed = net(), net(), net()
    fit(whole, recipe(), data(), **options)
    fit(first, recipe(), data(), out=tmp_path, stop_after=12, **options)
    fit(resumed, recipe(), data(), out=tmp_path, resume=True, **options)
    for one, other in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other)


class Endless(IterableDataset[Any]):
    def __init__(self, stop: int, error: bool = False) -> None:
        self.left, self.error = stop, error

    def __iter__(self) -> Iterator[Any]:
        while self.left:
            self.left -= 1
            yield torch.zeros(3), 0
        if self.error:
            raise ValueError("the disk is gone")


@pytest.mark.parametrize(
    ("source", "batch_size", "message"),
    [
        (DataLoader(Endless(16), batch_size=8), 8, r"ended after 2 batches and yields no more\."),
        (DataLoader(Endless(16, error=True), batch_size=8), 8, r"raised ValueError: the disk is gone"),
        (loader(8), 16, r"batches of 8 examples, and the training asks for 16\. Train with batch_size=8"),
        (loader(16), 8, r"batches of 16 examples, and the training asks for 8"),
    ],
)
def test_a_loader_that_ends_raises_or_has_other_batches(source: Any, batch_size: int, message: str) -> None:
    stream = LoaderSplit(loader=source, length=40).stream(batch_size, seed=0)
    with pytest.raises((RunError, UsageError), match=message):
        list(islice(stream, 9))


def test_what_a_loader_cannot_do_is_said() -> None:
    with pytest.raises(UsageError, match="does not know how many examples it has"):
        LoaderSplit(loader=DataLoader(Endless(3)))
    split = LoaderSplit(loader=loader())
    with pytest.raises(UsageError, match="each of 2 processes the same batches"):
        split.stream(8, seed=0, world=2)
    with pytest.raises(UsageError, match="give the dataset in place of a loader"):
        split.head(3)
    with pytest.raises(UsageError, match=r"collate is a matter of the loader"):
        from_datasets(loader(), loader(), classes=("a", "b"), collate=list)
