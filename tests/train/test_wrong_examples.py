"""A training that stumbles over an example of a later batch names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from supernet import Choice, ElasticLinear, Supernet, data, fit
from supernet.errors import UsageError
from supernet.methods import spos
from supernet.tasks import Classification, Regression
from supernet.train import adam

N = 64
Example = tuple[Any, Any]


class Numbers(Dataset[Example]):
    """Six numbers each, and what a function makes of them."""

    def __init__(self, example: Callable[[int, Tensor], Example]) -> None:
        self.example = example

    def __len__(self) -> int:
        return N

    def __getitem__(self, n: int) -> Example:
        return self.example(n, torch.randn(6, generator=torch.Generator().manual_seed(n)))


def trained(given: data.Data, **options: Any) -> None:
    width = Choice("width", (8, 16))
    net = Supernet(nn.Sequential(ElasticLinear(6, width), nn.ReLU(), ElasticLinear(width, 2)))
    settings = {"steps": N // 8, "batch_size": 8, "accelerator": "cpu", "progress": False, "log_every": 1}
    fit(net, spos(weights=adam(1e-3)), given, **settings | options)


def labelled(wrong: int, label: int = 7) -> data.Data:
    return data.from_datasets(
        Numbers(lambda n, x: (x, label if n == wrong else 0)),
        Numbers(lambda n, x: (x, n % 2)),
        task=Classification(),
        classes=("a", "b"),
        name="mine",
    )


def measured(example: Callable[[int, Tensor], Example], **options: Any) -> data.Data:
    return data.from_datasets(Numbers(example), task=Regression(values=2), name="mine", **options)


@pytest.mark.parametrize("micro_batch", [None, 3])
@pytest.mark.parametrize("label", [7, -1])
def test_a_label_outside_the_range_is_named_with_its_example_and_nothing_is_lost(
    label: int, micro_batch: int | None, tmp_path: Path
) -> None:
    says = rf"^The targets of mine have the label {label}, .* It is example 55 of mine \(train\)\.$"
    with pytest.raises(UsageError, match=says):
        trained(labelled(55, label), out=tmp_path, checkpoint_every=2, micro_batch=micro_batch)
    lines = len((tmp_path / "train.jsonl").read_text().splitlines())
    assert lines >= 2, "the example is not in the first batches"
    assert list(tmp_path.rglob(f"step-*{lines // 2 * 2}.safetensors")), "the last checkpoint is kept"


def test_examples_are_counted_as_the_dataset_counts_them_also_where_some_are_held_out() -> None:
    lost = {11, 30, 50}
    given = measured(lambda n, x: (x, x[:2] * (torch.nan if n in lost else 1.0)), validation=0.3)
    with pytest.raises(UsageError, match=r"^The targets of mine hold .* of mine \(train\)\.$") as caught:
        trained(given)
    told = str(caught.value).rpartition("example")[2]
    assert {int(word.strip(",")) for word in told.split() if word.strip(",").isdigit()} <= lost
    assert any(str(n) in told for n in lost)


def test_inputs_that_are_no_numbers_are_told_from_a_learning_rate_that_is_too_high() -> None:
    def example(n: int, x: Tensor) -> Example:
        return {"series": x * torch.nan if n == 55 else x, "target": x[:2]}

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            width = Choice("width", (8, 16))
            self.inside = nn.Sequential(ElasticLinear(6, width), ElasticLinear(width, 2))

        def forward(self, series: Tensor) -> Tensor:
            answer: Tensor = self.inside(series)
            return answer

    says = r"inputs of mine hold 6 values that are NaN or infinite, of 48 .* It is example 55 of mine \(train\)"
    given = data.from_datasets(Numbers(example), Numbers(example), task=Regression(values=2), name="mine")
    with pytest.raises(UsageError, match=says):
        fit(Supernet(Named()), spos(weights=adam(1e-3)), given, steps=8, batch_size=8, progress=False)


def test_where_all_are_wrong_or_the_loader_does_not_count_no_example_is_named() -> None:
    with pytest.raises(UsageError, match=r"hold 4 values that are NaN .* give their targets a value\.$"):
        trained(measured(lambda n, x: (x, x[:2] * torch.nan), validation=0.25))
    loader = DataLoader(Numbers(lambda n, x: (x, x[:2] * (torch.nan if n == 50 else 1.0))), batch_size=8)
    validation = Numbers(lambda n, x: (x, x[:2]))
    with pytest.raises(UsageError, match=r"hold 2 values that are NaN .* give their targets a value\.$"):
        trained(data.from_datasets(loader, validation, task=Regression(values=2), name="mine"))
