"""Channels that are dead are cut, and the network computes what it did."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from small_nets import executor, images, operations_net, sgd, step
from supernet import ElasticBatchNorm2d, ElasticConv2d, OpChoice, Supernet
from supernet.errors import RunError, UsageError
from supernet.nn.channels import Atoms, Channels
from supernet.train import (
    Context,
    CutChannels,
    Edit,
    Outcome,
    Phase,
    Recipe,
    TrainPaths,
    Uniform,
    Updates,
    adam,
    fit,
    rmsprop,
)
from supernet.train.averaging import WeightAverage
from supernet.train.laws import Trial, resumes_bitwise
from supernet.train.phases import rewrites
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
    for wrong in ({"threshold": -1.0}, {"worth": -1.0}, {"by": "none"}, {"empty": "none"}):
        with pytest.raises(UsageError):
            CutChannels(**wrong)  # type: ignore[arg-type]
    for listed in ((), (atoms[0], atoms[0])):
        with pytest.raises(UsageError, match="Name at least one, and each once"):
            CutChannels(atoms=listed).check(net)
    with pytest.raises(UsageError, match="Sequential does not say which"):
        CutChannels().check(Supernet(nn.Sequential(OpChoice("op", {"a": nn.Identity(), "b": nn.ReLU()}))))
    with pytest.raises(UsageError, match="but it has none"):
        cut(net, by="average")


class Loose(Block):
    """A block that can do without either kind of atoms."""

    def __init__(self, hidden: int = 8) -> None:
        super().__init__(hidden)
        self.ops = nn.ModuleDict({"k3": self.ops[0], "k5": self.ops[1]})  # type: ignore[assignment]

    def atoms(self) -> Sequence[Atoms]:
        return [
            Atoms(dimension=k, scale=f"ops.{k}.4", read=f"ops.{k}.6", norm="norm", cost=float(int(k[1]) ** 2))
            for k in self.ops
        ]

    def removable(self) -> Sequence[str]:
        return list(self.ops) if len(self.ops) > 1 else []

    def remove(self, dimension: str) -> None:
        del self.ops[dimension]  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        out: Tensor = self.head(self.choice(x + self.norm(sum(op(x) for op in self.ops.values()))))  # type: ignore[operator]
        return out


def loose() -> Supernet:
    """With the statistics and scales of `block`."""
    net = Supernet(Loose())
    given = {
        name.replace("ops.0", "ops.k3").replace("ops.1", "ops.k5"): t for name, t in block().module.state_dict().items()
    }
    net.module.load_state_dict(given)
    return net.eval()


def kill(net: Supernet, *kinds: str) -> None:
    with torch.no_grad():
        for kind in kinds:
            net.get_parameter(f"module.ops.{kind}.4.weight").zero_()


@pytest.mark.parametrize("kind", [adam, rmsprop, sgd])
def test_what_has_no_channels_left_is_taken_out_and_the_network_computes_what_it_did(
    kind: Callable[..., Updates],
) -> None:
    net = loose()
    x, arch = torch.randn(16, 1, 8, 8), net.space.smallest()
    average = WeightAverage(net, 0.9)
    stepper = Stepper(kind(1e-3), net.parameters(), batch_size=16)
    net.train()(x, arch).sum().backward()
    stepper.step(step(net), [])
    net.eval()
    kill(net, "k5")
    average.restart()
    with torch.no_grad():
        before = net(x, arch)
        rewriter = Rewriter(net, {"weights": stepper}, average, dict, 0)
        edit = CutChannels(empty="remove")
        assert edit(Context(step(net), executor(net, images()), rewriter=rewriter)) == {"channels": 8.0, "cost": 72.0}
        net.eval()
        torch.testing.assert_close(net(x, arch), before, rtol=0, atol=1e-5)
    assert net.changes == [{"remove": "k5"}]
    assert set(average.tensors) == {name for name, _ in net.named_parameters()}
    assert stepper.parameters == [p for p in net.parameters() if p.requires_grad]
    assert [p for group in stepper.optimizer.param_groups for p in group["params"]] == stepper.parameters
    assert set(stepper.states[0]) <= set(net.parameters())
    assert not rewriter.removable("k3"), "the block needs one"
    with pytest.raises(UsageError, match=r"All channels of 'k3' .* no module can do without them"):
        rewriter.remove("k3")
    fresh = Supernet(Loose())
    Rewriter(fresh, {}, None, dict, 0).replay(net.changes)
    fresh.load_state_dict(net.state_dict())


def test_where_nothing_can_do_without_them_one_channel_stays() -> None:
    net = block()
    plant(net, 0, range(8), 5e-4)
    plant(net, 0, [3], -9e-4)
    assert cut(net, empty="remove")["channels"] == 1 + 8
    assert net.changes == [{"take": "k3", "keep": [3]}]


def test_a_network_of_which_nothing_would_be_left_ends_the_training() -> None:
    for net, empty in ((loose(), "remove"), (loose(), "keep")):
        kill(net, "k3", "k5")
        with pytest.raises(RunError, match=r"All channels that may be cut are dead after step 1: .* Lower the weight"):
            cut(net, empty=empty)
        assert len(net.module.atoms()) == 2  # type: ignore[operator, arg-type]
        assert not net.changes


def test_a_dimension_without_channels_may_end_the_training_before_anything_is_cut() -> None:
    net = block()
    plant(net, 0, range(8))
    plant(net, 1, [2])
    with pytest.raises(RunError, match=r"All channels that 'k3' has are dead .* Lower the weight"):
        cut(net, empty="refuse")
    assert widths(net) == (8, 8)
    assert cut(net, empty="keep")["channels"] == 1 + 7


def test_in_the_end_the_average_tells_where_there_is_one() -> None:
    net = block()
    average = WeightAverage(net, 0.9)
    average.tensors["module.ops.0.4.weight"][2] = 0
    plant(net, 1, [5])
    assert cut(net, average, by="end")["channels"] == 15
    assert net.changes[0]["keep"] == [0, 1, 3, 4, 5, 6, 7]
    net = block()
    plant(net, 1, [5])
    cut(net, by="end")
    assert net.changes == [{"take": "k5", "keep": [0, 1, 2, 3, 4, 6, 7]}]


def test_pairs_count_in_what_a_cut_is_worth() -> None:
    """Of 8 channels that cost 1 alone and 1 with each other 2 are dead: 8 + 64 − 6 − 36."""
    net = block()
    plant(net, 0, [1, 6])
    atoms = (Atoms(dimension="k3", scale="ops.0.4", pairs=1.0),)
    assert cut(net, atoms=atoms, worth=30.5) == {"channels": 8.0, "cost": 72.0}
    assert cut(net, atoms=atoms, worth=30.0) == {"channels": 6.0, "cost": 42.0}


def test_what_nothing_can_take_over_leaves_statistics_alone() -> None:
    net = block()
    mean = net.module.norm.running_mean.clone()  # type: ignore[operator, union-attr]
    plant(net, 0, [1, 6])
    cut(net, atoms=(Atoms(dimension="k3", scale="ops.0.4"),))
    assert widths(net) == (6, 8)
    assert torch.equal(net.module.norm.running_mean, mean)  # type: ignore[arg-type, union-attr]
    with pytest.raises(UsageError, match="give both, or neither"):
        CutChannels(atoms=(Atoms(dimension="k5", scale="ops.1.4", read="ops.1.6"),)).check(net)


def test_what_ends_a_phase_is_checked_before_the_training() -> None:
    wrong = Recipe(
        name="wrong",
        program=(Phase(name="all", share=1, program=TrainPaths(sampler=Uniform()), leave=CutChannels()),),
        weights=sgd(),
    )
    assert rewrites(wrong.phases[0])
    with pytest.raises(UsageError, match="has no method `atoms`"):
        fit(operations_net(), wrong, images(), steps=2, batch_size=16, accelerator="cpu", progress=False)
