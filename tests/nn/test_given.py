"""What people pass where a supernet, an architecture, a recipe or data belong, all over the Python interface."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from supernet import deploy, measure, methods, search
from supernet.data import Data, from_datasets
from supernet.errors import UsageError
from supernet.nn import ElasticBatchNorm1d, ElasticLinear, Supernet
from supernet.search import Evaluation
from supernet.space import Choice
from supernet.train import fit

X, Y = torch.randn(40, 4, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 2


@pytest.fixture(scope="module")
def data() -> Data:
    return from_datasets(TensorDataset(X, Y))


@pytest.fixture
def net() -> Supernet:
    torch.manual_seed(0)
    width = Choice("width", (2, 4))
    layers = nn.Sequential(ElasticLinear(4, width), ElasticBatchNorm1d(width), ElasticLinear(width, 2))
    return Supernet(layers, input_shape=(4,))


Use = Callable[[Supernet, Any, Data, Path], Any]

USES: dict[str, Use] = {
    "active": lambda net, arch, data, path: net.active(arch).__enter__(),
    "call": lambda net, arch, data, path: net(X, arch),
    "extract": lambda net, arch, data, path: net.extract(arch),
    "params": lambda net, arch, data, path: measure.params(net, arch),
    "macs": lambda net, arch, data, path: measure.macs(net, arch, input_shape=(4,)),
    "scores": lambda net, arch, data, path: measure.scores(net, arch, data),
    "calibrate": lambda net, arch, data, path: measure.calibrate(net, arch, data),
    "taken out": lambda net, arch, data, path: deploy.extract(net, arch, data),
    "exported": lambda net, arch, data, path: deploy.export(net, arch, path / "net.pt2", data=data).files,
    "retrained": lambda net, arch, data, path: deploy.retrained(net, arch, data, steps=1, progress=False),
    "neighbours": lambda net, arch, data, path: net.space.neighbours(arch),
    "codes": lambda net, arch, data, path: net.space.codes([arch]).tolist(),
}


def told(found: Any) -> Any:
    """Something to compare results by."""
    if isinstance(found, nn.Module):
        return [(name, tuple(one.shape)) for name, one in found.named_parameters()]
    return found.detach().tolist() if isinstance(found, torch.Tensor) else found


@pytest.mark.parametrize("use", USES)
def test_options_by_name_are_an_architecture_everywhere(use: str, net: Supernet, data: Data, tmp_path: Path) -> None:
    arch = net.space.smallest()
    kept = copy.deepcopy(net)
    expected = told(USES[use](kept, kept.space.smallest(), data, tmp_path))
    assert told(USES[use](net, dict(arch), data, tmp_path)) == expected


@pytest.mark.parametrize("use", USES)
def test_what_holds_an_architecture_says_how_to_give_it(use: str, net: Supernet, data: Data, tmp_path: Path) -> None:
    found = Evaluation(net.space.smallest(), {"accuracy": 0.5}, 0)
    with pytest.raises(UsageError, match=r"this is the Evaluation of one\. Give its \.arch\."):
        USES[use](net, found, data, tmp_path)
    with pytest.raises(UsageError, match=r"An architecture is needed, one at a time"):
        USES[use](net, [net.space.smallest()], data, tmp_path)
    with pytest.raises(UsageError, match=r"An architecture is needed, but 'width=2' is a str\. .* space\.parse"):
        USES[use](net, "width=2", data, tmp_path)


def test_an_architecture_may_be_named(net: Supernet) -> None:
    arch = net.space.smallest()
    assert torch.equal(net(X, arch=arch), net(X, arch))


def test_a_module_with_an_input_called_arch_still_gets_it() -> None:
    class Takes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = ElasticLinear(4, Choice("width", (2, 4)))

        def forward(self, x: torch.Tensor, arch: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(self.layer(x)) + arch

    net = Supernet(Takes())
    small = net.space.smallest()
    assert torch.equal(net(X, target=small, arch=torch.ones(())), net(X, torch.zeros(()), small) + 1)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (nn.Linear(2, 2), r"Linear is a plain module\. Wrap .* Supernet\(module\); .* supernet\.elastic"),
        (3, r"a int was given"),
    ],
)
def test_what_is_no_supernet(given: Any, sentence: str, data: Data, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=sentence):
        fit(given, methods.spos(), data, steps=1, batch_size=4, progress=False)
    with pytest.raises(UsageError, match=sentence):
        deploy.export(given, {}, tmp_path / "net.pt2", data=data)  # type: ignore[arg-type]


def test_a_search_of_a_plain_module_says_how_to_wrap_it(data: Data) -> None:
    with pytest.raises(UsageError, match="Linear is a plain module"):
        search.run(search.RandomSearch(), nn.Linear(2, 2), data, budget=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [nn.ReLU, len, None])
def test_what_cannot_be_wrapped(given: Any) -> None:
    with pytest.raises(UsageError, match=r"wraps a module of torch, and was given"):
        Supernet(given)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [(methods.spos, r"methods\.spos\(\)"), ("fairnas", r"methods\.fairnas\(\)"), (7, r"given 'int', .* methods\.spos")],
)
def test_what_is_no_recipe(given: Any, sentence: str, net: Supernet, data: Data) -> None:
    with pytest.raises(UsageError, match=sentence):
        fit(net, given, data, steps=1, batch_size=4, progress=False)


@pytest.mark.parametrize("name", ["steps", "batch_size", "seed"])
def test_numbers_that_are_not_whole_are_refused_and_not_cut(name: str, net: Supernet, data: Data) -> None:
    options: dict[str, Any] = {"steps": 2, "batch_size": 4, "seed": 0}
    for wrong in (2.5, "2"):
        with pytest.raises(UsageError, match=f"{name} is {wrong!r}, a .*; it must be a whole number"):
            fit(net, methods.spos(), data, **{**options, name: wrong}, progress=False)
    for right in (np.int64(2), 2.0):
        assert fit(net, methods.spos(), data, **{**options, name: right}, progress=False).steps == 2


def test_a_search_of_a_dataset_says_how_data_are_made(net: Supernet) -> None:
    with pytest.raises(UsageError, match=r"a TensorDataset was given\. .* supernet\.data\.from_datasets"):
        search.run(search.RandomSearch(), net, TensorDataset(X, Y), budget=1)  # type: ignore[arg-type]


def test_bounds_may_be_numbers_of_numpy(net: Supernet, data: Data) -> None:
    largest = measure.params(net, net.space.largest())
    bounds: list[Any] = [np.float32(largest - 1), np.int64(largest - 1)]
    for bound in bounds:
        limits = {"params": bound}
        found = search.run(search.RandomSearch(), net, data, objectives="accuracy", constraints=limits, budget=2)
        assert [one.arch for one in found.archive] == [net.space.smallest()]


@pytest.mark.parametrize("rng", [0, torch.Generator(), None, np.random])
def test_what_draws_no_architectures(rng: Any, net: Supernet) -> None:
    for draw in (lambda: net.space.sample(rng), lambda: net.space.population(rng, 2, per="architecture")):
        with pytest.raises(UsageError, match=r"a generator of NumPy, and .* Give numpy\.random\.default_rng\(0\)"):
            draw()


@pytest.mark.parametrize("options", [{8, 16}, frozenset("ab"), {"a": 1}, 8, None])
def test_options_without_an_order_are_refused(options: Any) -> None:
    with pytest.raises(UsageError, match="give them in an order"):
        Choice("width", options)


def test_an_architecture_is_taken_as_it_is(net: Supernet) -> None:
    arch = net.space.largest()
    assert net.space.taken(arch) is arch
    assert net.space.taken({"width": 4}) == net.space.arch({"width": 4})
    other = Supernet(ElasticLinear(4, Choice("other", (1, 2))))
    with pytest.raises(UsageError, match="do not move between spaces"):
        net.space.taken(other.space.largest())


@pytest.mark.parametrize("given", [len, ("accuracy", len), 3])
def test_what_names_no_objective(given: Any, net: Supernet, data: Data) -> None:
    with pytest.raises(UsageError, match=r"The objective .* objectives are names of quantities, such as 'accuracy'"):
        search.run(search.RandomSearch(), net, data, objectives=given, budget=1)


def test_a_run_without_a_name_does_not_spill_into_the_working_directory(net: Supernet, data: Data) -> None:
    with pytest.raises(UsageError, match=r"has no name; give one, or '\.' for the one you are in"):
        fit(net, methods.spos(), data, steps=1, batch_size=4, progress=False, out="")
