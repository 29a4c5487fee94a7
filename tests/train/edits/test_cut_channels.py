"""Channels that are dead are cut, and the network computes what it did."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from small_nets import executor, images, sgd, step
from supernet import ElasticBatchNorm2d, ElasticConv2d, OpChoice, Supernet
from supernet.errors import UsageError
from supernet.nn.channels import Atoms, Channels
from supernet.train import (
    Context,
    CutChannels,
    Edit,
    Outcome,
    Recipe,
    TrainPaths,
    Uniform,
    fit,
    rmsprop,
)
from supernet.train.averaging import WeightAverage
from supernet.train.laws import Trial, resumes_bitwise
from supernet.train.rewriting import Rewriter
from supernet.train.updates import Stepper


class Block(nn.Module):
    """Two kinds of atoms, of kernels 3 and 5, whose sum is normalised: AtomNAS's block."""

    def __init__(self, hidden: int = 8) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1, stride=2), nn.BatchNorm2d(6), nn.ReLU())
        self.ops = nn.ModuleList(self._op(Channels(f"k{kernel}", hidden), kernel) for kernel in (3, 5))
        self.norm = ElasticBatchNorm2d(6, statistics="track")
        self.choice = OpChoice("op", {"a": nn.Identity(), "b": nn.ReLU()})
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 10))

    def _op(self, h: Channels, kernel: int) -> nn.Sequential:
        return nn.Sequential(
            ElasticConv2d(6, h, 1, bias=False),
            ElasticBatchNorm2d(h, statistics="track"),
            nn.ReLU(),
            ElasticConv2d(h, h, kernel, groups=h, bias=False),
            ElasticBatchNorm2d(h, statistics="track"),
            nn.ReLU(),
            ElasticConv2d(h, 6, 1, bias=False),
        )

    def atoms(self) -> Sequence[Atoms]:
        return [
            Atoms(dimension=f"k{k}", scale=f"ops.{i}.4", read=f"ops.{i}.6", norm="norm", cost=float(k * k))
            for i, k in enumerate((3, 5))
        ]

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        out: Tensor = self.head(self.choice(x + self.norm(sum(op(x) for op in self.ops))))
        return out


def block(hidden: int = 8) -> Supernet:
    """With statistics that were collected, and shifts that are not 0."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        net = Supernet(Block(hidden)).train()
        with torch.no_grad():
            for number in (0, 1):
                scale(net, number).bias.normal_()
                scale(net, number).weight.uniform_(0.5, 1.0)
            for _ in range(20):
                net(torch.randn(8, 1, 8, 8), net.space.smallest())
    return net.eval()


def scale(net: Supernet, number: int) -> nn.BatchNorm2d:
    found = net.module.get_submodule(f"ops.{number}.4")
    assert isinstance(found, nn.BatchNorm2d)
    return found


def plant(net: Supernet, number: int, channels: Sequence[int], value: float = 0.0) -> None:
    with torch.no_grad():
        scale(net, number).weight[list(channels)] = value


def cut(net: Supernet, average: WeightAverage | None = None, **options: Any) -> Mapping[str, float]:
    rewriter = Rewriter(net, {}, average, dict, 0)
    return CutChannels(**options)(Context(step(net), executor(net, images()), rewriter=rewriter))


def widths(net: Supernet) -> tuple[int, int]:
    return len(scale(net, 0).weight), len(scale(net, 1).weight)


def test_the_network_computes_what_it_did() -> None:
    """In evaluation and on a batch's statistics, where shifts of dead channels are large."""
    net = block()
    plant(net, 0, [1, 6])
    plant(net, 1, [0, 2, 3, 7])
    x, arch = torch.randn(16, 1, 8, 8), net.space.smallest()
    with torch.no_grad():
        before = net(x, arch)
        by_batch = copy.deepcopy(net).train()(x, arch)
        mean = net.module.norm.running_mean.clone()  # type: ignore[operator, union-attr]
        assert cut(net) == {"channels": 10.0, "cost": 6 * 9.0 + 4 * 25.0}
        net.eval()
        torch.testing.assert_close(net(x, arch), before, rtol=0, atol=1e-5)
        assert widths(net) == (6, 4)
        assert (net.module.norm.running_mean - mean).abs().max() > 0.1  # type: ignore[operator, union-attr]
        torch.testing.assert_close(copy.deepcopy(net).train()(x, arch), by_batch, rtol=0, atol=1e-5)
    assert [entry["keep"] for entry in net.changes] == [[0, 2, 3, 4, 5, 7], [1, 4, 5, 6]]


def test_the_convolution_that_reads_them_sees_the_channels_that_are_left() -> None:
    net = block()
    plant(net, 0, [1, 6])
    left = [0, 2, 3, 4, 5, 7]
    expected = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    cut(net)
    for name, tensor in net.state_dict().items():
        old = expected[name]
        if name.startswith("module.ops.0") and tensor.ndim:
            old = old[:, left] if name.startswith("module.ops.0.6") else old[left]
        if name != "module.norm.running_mean":
            assert torch.equal(tensor, old), name


@pytest.mark.parametrize(("by", "expected"), [("both", (6, 8)), ("average", (5, 8)), ("weights", (4, 8))])
def test_what_is_dead_is_told_by_weights_and_average(by: str, expected: tuple[int, int]) -> None:
    """Channels 0 … 3 are dead in the weights, 2 … 4 in the average, at the threshold itself too."""
    net = block()
    average = WeightAverage(net, 0.9)
    plant(net, 0, [0, 1, 2], 1e-3)
    plant(net, 0, [3], -1e-3)
    average.tensors["module.ops.0.4.weight"][[2, 3, 4]] = 5e-4
    cut(net, average, by=by)
    assert widths(net) == expected
    assert len(average.tensors["module.ops.0.4.weight"]) == expected[0]
    assert average.tensors["module.ops.0.6.weight"].shape == (6, expected[0], 1, 1)


def test_nothing_is_cut_before_it_is_worth_it() -> None:
    net = block()
    plant(net, 0, [1, 6])
    plant(net, 1, [0])
    assert cut(net, worth=43.5)["channels"] == 16
    assert not net.changes
    assert cut(net, worth=43.0)["channels"] == 13, "two of 9 and one of 25"
    assert cut(net)["channels"] == 13
    assert len(net.changes) == 2, "a cut that takes nothing is none"


def test_of_channels_that_are_all_dead_the_strongest_stays() -> None:
    net = block()
    plant(net, 0, range(8), 1e-4)
    plant(net, 0, [5], -5e-4)
    cut(net)
    assert widths(net) == (1, 8)
    assert net.changes == [{"take": "k3", "keep": [5]}]


def test_states_of_optimisers_follow() -> None:
    net = block().train()
    stepper = Stepper(rmsprop(0.01), net.parameters(), batch_size=8)
    net(torch.randn(8, 1, 8, 8), net.space.smallest()).square().sum().backward()
    stepper.step(step(net), [])
    stepper.clear()
    plant(net, 1, [0, 2])
    held = {name: stepper.optimizer.state[net.get_parameter(name)] for name in ("module.ops.1.6.weight",)}
    squares = held["module.ops.1.6.weight"]["square_avg"].clone()
    rewriter = Rewriter(net, {"weights": stepper}, None, dict, 0)
    CutChannels()(Context(step(net), executor(net, images()), rewriter=rewriter))
    new = net.get_parameter("module.ops.1.6.weight")
    assert torch.equal(stepper.optimizer.state[new]["square_avg"], squares[:, [1, 3, 4, 5, 6, 7]])
    assert all(state["square_avg"].shape == p.shape for p, state in stepper.optimizer.state.items())


@dataclass(frozen=True)
class Sparse:
    """Cross-entropy and Σ cost · |γ|."""

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        scales = [scale(outcome.step.net, number).weight.abs().sum() for number in (0, 1)]
        return {"loss": F.cross_entropy(outcome.logits, outcome.batch.y), "scales": 0.3 * (scales[0] + scales[1])}


def recipe(**options: Any) -> Recipe:
    edit = Edit(name="cut", apply=CutChannels(**{"threshold": 0.4, "by": "weights", **options}), every=2)
    program = TrainPaths(sampler=Uniform(), objective=Sparse())
    return Recipe(name="atoms", program=program, weights=sgd(0.1, momentum=0.9), edits=(edit,))


@pytest.mark.slow
def test_a_training_that_cuts_resumes_bitwise() -> None:
    trial = Trial(recipe=recipe(), net=block(), data=images(), batch_size=16)
    resumes_bitwise(trial)
    trained = trial.train(steps=6)
    assert 2 <= sum(widths(trained.net)) < 16
    assert trained.history[-1]["channels"] == sum(widths(trained.net))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scale": "ops.0.9"}, "has no module 'ops.0.9'"),
        ({"scale": "stem.1"}, "have to be BatchNorms, the first with scales over the channels 'k3'"),
        ({"norm": "stem.0"}, "have to be BatchNorms"),
        ({"read": "ops.0.3"}, "has to be a 1 × 1 convolution"),
        ({"read": "ops.1.6"}, "has to be a 1 × 1 convolution"),
    ],
)
def test_what_cannot_be_cut_is_refused_before_the_training(change: dict[str, str], said: str) -> None:
    net = block()
    atoms = net.module.atoms()[0]  # type: ignore[operator, union-attr]
    wrong = recipe(atoms=(replace(atoms, **change),))
    with pytest.raises(UsageError, match=said):
        fit(net, wrong, images(), steps=2, batch_size=16, accelerator="cpu", progress=False)


def test_numbers_and_networks_that_do_not_fit_are_refused() -> None:
    net = block()
    atoms = tuple(net.module.atoms())  # type: ignore[operator, union-attr]
    for wrong in ({"threshold": -1.0}, {"worth": -1.0}, {"by": "none"}):
        with pytest.raises(UsageError):
            CutChannels(**wrong)  # type: ignore[arg-type]
    for listed in ((), (atoms[0], atoms[0])):
        with pytest.raises(UsageError, match="Name at least one, and each once"):
            CutChannels(atoms=listed).check(net)
    with pytest.raises(UsageError, match="Sequential does not say which"):
        CutChannels().check(Supernet(nn.Sequential(OpChoice("op", {"a": nn.Identity(), "b": nn.ReLU()}))))
    with pytest.raises(UsageError, match="but it has none"):
        cut(net, by="average")
