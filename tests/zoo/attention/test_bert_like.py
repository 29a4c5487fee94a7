"""The text encoder: costs by formula, hidden tokens count for nothing, subnets compute the same, and it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from supernet import Supernet, data, fit, measure, zoo
from supernet.errors import UsageError
from supernet.methods import magic_at
from supernet.nn import Field, Inputs
from supernet.train import adam
from zoo_networks import count_params

OPTIONS = ("MHSA", "FFN", "SEP3", "SEP5", "SEP7")
T, C = 8, 16


def small(**options: Any) -> Supernet:
    torch.manual_seed(0)
    return zoo.bert_like(**{"vocabulary": 50, "length": T, "layers": 3, "width": C, "heads": 2, **options})


def texts(count: int = 4, *, shown: int = T, seed: int = 0) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    mask = torch.ones(count, T, dtype=torch.int64)
    mask[:, shown:] = 0
    return {"input_ids": torch.randint(50, (count, T), generator=rng), "attention_mask": mask}


def test_the_space_has_five_operations_in_each_of_24_layers() -> None:
    net = small(layers=24)
    assert net.space.size == 5**24
    assert net.space.choices[0].options == OPTIONS
    assert net.space.smallest()["layer1"] == "SEP3"
    assert net.space.largest()["layer1"] == "FFN"


def weights(option: str) -> int:
    """Of an operation with its norm, by hand."""
    linear = C * C + C
    inner = {"MHSA": 4 * linear, "FFN": 2 * 4 * C * C + 5 * C}.get(option)
    return 2 * C + (linear + C * int(option[3:]) + C if inner is None else inner)


def multiplications(option: str) -> int:
    inner = {"MHSA": 4 * C * C * T + 2 * T * T * C, "FFN": 8 * C * C * T}.get(option)
    return T * C * (C + int(option[3:])) if inner is None else inner


@pytest.mark.parametrize("option", OPTIONS)
def test_costs_are_those_of_the_formulas(option: str) -> None:
    net = small()
    arch = net.space.arch(dict.fromkeys(net.space.names, option))
    around = 50 * C + T * C + 2 * C + 2 * C + 2
    assert measure.params(net, arch) == around + 3 * weights(option)
    assert count_params(net.extract(arch)) == around + 3 * weights(option)
    assert measure.macs(net, arch) == 3 * multiplications(option) + 2 * C


@pytest.mark.parametrize("option", OPTIONS)
def test_hidden_tokens_change_nothing(option: str) -> None:
    net = small(dropout=0.0).eval()
    arch = net.space.arch(dict.fromkeys(net.space.names, option))
    one, other = texts(shown=5), texts(shown=5)
    other["input_ids"][:, 5:] = 7
    assert not torch.equal(one["input_ids"], other["input_ids"])
    with torch.no_grad(), net.active(arch):
        assert torch.equal(net(**one), net(**other))
        assert not torch.allclose(net(**one), net(**texts(shown=T)))


def test_subnets_compute_what_the_supernet_computes() -> None:
    net, rng = small(dropout=0.0).eval(), np.random.default_rng(0)
    for _ in range(6):
        arch = net.space.sample(rng)
        with torch.no_grad(), net.active(arch):
            expected = net(**texts(shown=6))
        assert torch.allclose(net.extract(arch).eval()(**texts(shown=6)), expected, atol=1e-6)


def test_magic_at_trains_it() -> None:
    """Texts whose class is whether a token stands in them."""
    rng = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 50, (400, T), generator=rng)
    labels = torch.arange(400) % 2
    ids[labels == 1, 3] = 0
    x = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    splits = [
        data.TensorSplit(x={name: value[part] for name, value in x.items()}, y=labels[part])
        for part in (slice(300), slice(300, None))
    ]
    net = small(dropout=0.0)
    found = data.Data(
        name="texts", train=splits[0], validation=splits[1], shape=net.input_shape, classes=("without", "with")
    )
    recipe = magic_at(weights=adam(1e-2), label_smoothing=0.0, alignment=0.1)
    fit(net, recipe, found, steps=120, batch_size=32, accelerator="cpu", progress=False)
    arch = net.space.arch(dict.fromkeys(net.space.names, "FFN"))
    assert measure.scores(net, arch, found)["accuracy"] > 0.8


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"heads": 3}, "3 heads do not divide"),
        ({"kernels": (3, 4)}, "different odd numbers"),
        ({"kernels": (3, 3)}, "different odd numbers"),
        ({"layers": 0}, "layers"),
        ({"dropout": 1.0}, "dropout"),
        ({"input_shape": Inputs((Field("text", (8,), "int64"),))}, "takes input_ids and attention_mask"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        small(**options)
