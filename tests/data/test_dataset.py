"""Datasets of one's own: order and randomness by position, structures, and what goes wrong."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from supernet.data import DatasetSplit, as_data, from_datasets
from supernet.errors import RunError, UsageError
from supernet.measure import Calibration
from supernet.measure.scores.recalibration import calibrated
from supernet.nn.batch import Batch
from supernet.tasks import Regression


class Noisy:
    """Ten examples, each with noise of all three generators."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        noise = [float(torch.rand(())), float(np.random.rand()), random.random()]  # noqa: NPY002
        return torch.tensor([float(index), *noise]), index % 2


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.tensors, other.tensors, strict=True))


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_stream_is_a_function_of_seed_and_position(workers: int) -> None:
    split = DatasetSplit(dataset=Noisy(), num_workers=workers)
    stream = split.stream(4, seed=3)
    first = [next(stream) for _ in range(5)]
    again = DatasetSplit(dataset=Noisy()).stream(4, seed=3, start=2)
    assert all(same(next(again), batch) for batch in first[2:])
    halves = [split.stream(2, seed=3, rank=rank, world=2) for rank in range(2)]
    for batch in first[:2]:
        assert torch.equal(torch.cat([next(half).x for half in halves]), batch.x)
    noise = torch.cat([batch.x[:, 1:] for batch in first])
    assert len(noise.unique()) == noise.numel()  # no example is drawn alike twice, in no epoch, by no generator
    assert not torch.equal(next(split.stream(4, seed=4)).x, first[0].x)


def test_evaluation_is_the_same_every_time_and_touches_no_generator() -> None:
    split = DatasetSplit(dataset=Noisy())
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index] # noqa: NPY002
    first, again = next(split.batches(4)), next(split.batches(4))
    assert same(first, again)
    assert first.x[:, 0].tolist() == [0, 1, 2, 3]
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (np.random.get_state()[1].tolist(), random.getstate())  # type: ignore[index] # noqa: NPY002


def test_plain_examples_are_read_for_evaluation_alone() -> None:
    x = torch.arange(6.0)[:, None]
    changed, plain = TensorDataset(x + 100, torch.zeros(6)), TensorDataset(x, torch.zeros(6))
    split = DatasetSplit(dataset=changed, plain=plain)
    assert next(split.batches(6)).x.max() == 5
    assert next(split.stream(6, seed=0)).x.min() == 100
    assert next(split.stream(6, seed=0, augment=False)).x.max() == 5
    with pytest.raises(UsageError, match="6 examples, and without random changes 5"):
        DatasetSplit(dataset=changed, plain=TensorDataset(x[:5], torch.zeros(5)))


class Fields:
    """Examples that are mappings."""

    def __init__(self, **changes: Any) -> None:
        self.changes = changes

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"ids": torch.full((3,), index), "mask": torch.ones(3), "label": index % 2, **self.changes}


def test_fields_are_told_apart_by_name() -> None:
    batch = next(DatasetSplit(dataset=Fields()).batches(4))
    assert isinstance(batch.x, dict)
    assert list(batch.x) == ["ids", "mask"]
    assert batch.labels.tolist() == [0, 1, 0, 1]
    assert batch.x["ids"].dtype == torch.int64  # token ids stay whole numbers
    one = next(DatasetSplit(dataset=Fields(), inputs="ids", targets=("label", "mask")).batches(4))
    assert isinstance(one.x, torch.Tensor)
    assert isinstance(one.y, dict)
    assert set(one.y) == {"label", "mask"}


@pytest.mark.parametrize(
    ("dataset", "options", "message"),
    [
        (Fields(), {"targets": "class"}, r"no field 'class'; they have ids, mask, label"),
        (Fields(), {"inputs": ("ids", "other")}, r"no field 'other'"),
        (Fields(label="dog"), {}, r"the field 'label' is a list of 4 \(str, str, str, str\) and not a tensor"),
        ([(1.0, 2, 3)] * 4, {}, r"a list of 3 .*An example is a pair"),
        ([{"image": 1.0, "class": 2}] * 4, {}, r"none of them is called label.*targets='…'"),
        ([(torch.zeros(2), 0)] * 4, {"targets": "y"}, r"pairs, which have no fields to name"),
    ],
)
def test_another_structure_is_a_sentence_that_names_the_field(dataset: Any, options: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        next(DatasetSplit(dataset=dataset, **options).batches(4))


class Broken(Noisy):
    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        if index == 7:
            raise ValueError("no such file")
        return (torch.zeros(index), 0) if index > 3 else (torch.zeros(3), 0)


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_an_example_that_cannot_be_read_is_named(workers: int) -> None:
    split = DatasetSplit(dataset=Broken(), num_workers=workers, name="mine")
    with pytest.raises(RunError, match=r"Example 7 of mine \(Broken\) cannot be read: ValueError: no such file"):
        list(split.batches(8))
    with pytest.raises(RunError, match=r"The examples 0, 1, 2, … of mine cannot be made one batch: .*give collate=\."):
        next(split.batches(6))


def test_what_is_no_dataset_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be asked for by number"):
        DatasetSplit(dataset=iter([1]), name="mine")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="is empty"):
        DatasetSplit(dataset=[], name="mine")


def test_data_of_datasets() -> None:
    x, y = torch.randn(60, 1, 4, 4), torch.arange(60) % 3
    whole = from_datasets(TensorDataset(x, y), validation=0.5, seed=1, name="mine")
    assert (len(whole.train), len(whole.validation), whole.num_classes, whole.shape) == (30, 30, 3, (1, 4, 4))
    held = torch.cat([batch.x for batch in whole.validation.batches(8)])
    kept = torch.cat([batch.x for batch in whole.train.batches(8)])
    assert torch.equal(torch.cat([kept, held]).flatten(1).sort(0).values, x.flatten(1).sort(0).values)
    counts = torch.cat([batch.labels for batch in whole.validation.batches(8)]).bincount()
    assert counts.tolist() == [10, 10, 10]  # in proportion
    assert from_datasets(TensorDataset(x, y), validation=0.5, seed=1).fingerprint() == whole.fingerprint()
    assert from_datasets(TensorDataset(x, y), validation=0.5, seed=2).fingerprint() != whole.fingerprint()
    with pytest.raises(UsageError, match="has no test examples"):
        _ = whole.test


def test_what_fit_takes_is_data() -> None:
    one = TensorDataset(torch.randn(20, 2), torch.arange(20) % 2)
    two = TensorDataset(torch.randn(6, 2), torch.zeros(6).long())
    assert len(as_data(one).validation) == 4
    assert len(as_data((one, two)).validation) == 6
    named = as_data({"train": one, "valid": two, "test": two, "client/1": two})
    assert (len(named.validation), len(named.test), len(named.split("client/1"))) == (6, 6, 6)
    with pytest.raises(UsageError, match="none is called train"):
        as_data({"training": one})


def test_the_first_examples_are_like_the_others_also_where_a_dataset_is_sorted() -> None:
    labels = torch.arange(1200) // 400
    kinds = TensorDataset(torch.randn(1200, 1, 4, 4) + labels.view(-1, 1, 1, 1) * 10.0, labels)
    found = from_datasets(kinds, kinds, kinds, more={"target": kinds})
    splits = {"train": found.train, "validation": found.validation, "test": found.test, "target": found.split("target")}
    order = {name: next(split.batches(1200)).y for name, split in splits.items()}
    for y in order.values():
        assert y[:300].bincount().min() > 60, "every class, about a hundred times each"
        assert y.bincount().tolist() == [400, 400, 400], "and each example once"
    assert not torch.equal(order["train"], order["validation"])
    assert torch.equal(order["train"], next(from_datasets(kinds, kinds).train.batches(1200)).y), "the seed decides"
    net = nn.Sequential(nn.BatchNorm2d(1, affine=False), nn.Flatten(), nn.Linear(16, 3))
    with calibrated(net, None, found, Calibration(images=300)):
        (norm, *_) = net
        assert isinstance(norm.running_mean, torch.Tensor)
        assert float(norm.running_mean) == pytest.approx(10.0, abs=1.0), "that of all classes, which is 10"
    numbers = TensorDataset(torch.arange(100.0).view(-1, 1), torch.arange(100.0).view(-1, 1))
    held = from_datasets(numbers, 0.5, task=Regression(values=1)).train
    assert 30 < float(next(held.batches(20)).y.mean()) < 70
    as_given = DatasetSplit(dataset=numbers)
    assert from_datasets(as_given, as_given, task=Regression(values=1)).train is as_given
