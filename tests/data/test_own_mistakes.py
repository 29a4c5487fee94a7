"""What people give for data of their own: labels of any width, counts for names, and what is no data."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from supernet.data import from_datasets
from supernet.data.own import as_data
from supernet.errors import UsageError
from supernet.nn.batch import Batch
from supernet.nn.output import Output
from supernet.tasks import Regression, Segmentation

X = torch.randn(60, 4)
Y = torch.arange(60) % 3


def labelled(y: torch.Tensor) -> TensorDataset:
    return TensorDataset(X, y)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.uint8])
def test_labels_of_any_width_are_class_indices(dtype: torch.dtype) -> None:
    wide, narrow = from_datasets(labelled(Y)), from_datasets(labelled(Y.to(dtype)))
    for split in ("train", "validation"):
        one, other = (next(getattr(data, split).batches(7)) for data in (wide, narrow))
        assert other.y.dtype == torch.int64
        assert torch.equal(one.y, other.y)
    narrow.task.check(Output(torch.zeros(7, 3)), next(narrow.train.batches(7)), data="mine", classes=3)


def test_labels_of_a_loader_and_masks_by_name_are_widened_too() -> None:
    loader: DataLoader[Any] = DataLoader(labelled(Y.int()), batch_size=5)
    assert next(from_datasets(loader, loader).train.batches(5)).labels.dtype == torch.int64
    masks: Any = [{"image": torch.rand(1, 4, 4), "target": {"mask": torch.ones(4, 4, dtype=torch.uint8)}}] * 10
    data = from_datasets(masks, task=Segmentation(), classes=2)
    batch: Batch = next(data.train.batches(2))
    assert isinstance(batch.y, dict)
    assert batch.y["mask"].dtype == torch.int64


def test_numbers_and_inputs_keep_their_type() -> None:
    data = from_datasets(TensorDataset(Y.int()[:, None], X), task=Regression(values=4))
    batch = next(data.train.batches(2))
    assert isinstance(batch.x, torch.Tensor)
    assert (batch.x.dtype, batch.labels.dtype) == (torch.int32, torch.float32)


def test_classes_may_be_their_number() -> None:
    assert from_datasets(labelled(Y), classes=3).classes == ("0", "1", "2")
    assert from_datasets(labelled(Y), labelled(Y), classes=5).num_classes == 5
    for wrong in (0, "abc"):
        with pytest.raises(UsageError, match=f"classes is {wrong!r}; give the names of all classes, or how many"):
            from_datasets(labelled(Y), classes=wrong)


@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (Y - 1, r"the label -1, but class indices count from 0"),
        (Y + 5, r"No image is of class '0': the labels are 5, 6, 7\. validation=0.2 takes some of every class"),
        (Y.float(), r"float32 of shape \(60,\); .* task=Regression\(\)"),
        (Y[:, None], r"int64 of shape \(60, 1\)"),
    ],
)
def test_labels_that_number_no_classes(y: torch.Tensor, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        from_datasets(labelled(y))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("digits", r"'digits', a name and not data\. Give what it names: supernet\.data\.load\('digits'\)"),
        (X, r"is Tensor, which does not say .* TensorDataset\(inputs, targets\)"),
        ((X, Y), r"is Tensor, which .* TensorDataset"),
        ((X.numpy(), Y.numpy()), r"is ndarray, which .* TensorDataset"),
        ({"train": (X, Y)}, r"is arrays, which .* TensorDataset"),
        ({"train": np.zeros((3, 2))}, r"is ndarray, which"),
    ],
)
def test_what_is_no_data(given: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        as_data(given)


def test_a_list_of_pairs_is_a_dataset() -> None:
    assert len(as_data(list(zip(X, Y.tolist(), strict=True))).train) == 48
