"""Channels come and go in the midst of a training."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from method_trials import vector
from small_nets import images, sgd, step
from supernet import Choice, ElasticBatchNorm2d, ElasticConv2d, ElasticGroupNorm, OpChoice, Supernet, zoo
from supernet.errors import UsageError
from supernet.measure import cost_model
from supernet.nn import Statistics
from supernet.nn.channels import Channels
from supernet.space import Expr
from supernet.train import (
    Context,
    CrossEntropy,
    Edit,
    Move,
    Moves,
    Outcome,
    Phase,
    Recipe,
    Slice,
    Step,
    Trained,
    TrainPaths,
    Uniform,
    Updates,
    adam,
    checkpoint,
    fit,
    load_weights,
    rmsprop,
)
from supernet.train import Path as MovePath
from supernet.train.averaging import WeightAverage
from supernet.train.rewriting import Rewriter
from supernet.train.state import TrainingState
from supernet.train.updates import Stepper

SCALES = 7
"""The place of the norm whose scales decide."""


def atoms(hidden: int = 24) -> Supernet:
    """A block whose hidden channels have a name, as in AtomNAS."""
    h = Channels("hidden", hidden)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        return Supernet(
            nn.Sequential(
                nn.Conv2d(1, 8, 3, padding=1, stride=2),
                nn.BatchNorm2d(8),
                nn.ReLU(),
                ElasticConv2d(8, h, 1, bias=False),
                ElasticBatchNorm2d(h, statistics="track"),
                nn.ReLU(),
                ElasticConv2d(h, h, 3, groups=h, bias=False),
                ElasticBatchNorm2d(h, statistics="track"),
                nn.ReLU(),
                ElasticConv2d(h, 8, 1, bias=False),
                OpChoice("op", {"a": nn.Identity(), "b": nn.ReLU()}),
                nn.AdaptiveAvgPool2d(2),
                nn.Flatten(),
                nn.Linear(32, 10),
            )
        )


def scales(net: Supernet) -> Tensor:
    return net.get_parameter(f"module.{SCALES}.weight")


def rewriter(net: Supernet) -> Rewriter:
    return Rewriter(net, {}, None, dict, 0)


@dataclass(frozen=True)
class Sparse:
    """Cross-entropy and the sum of absolute scales (AtomNAS, eq. 5 without costs)."""

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        loss = F.cross_entropy(outcome.logits, outcome.batch.y)
        return {"loss": loss, "scales": 0.05 * scales(outcome.step.net).abs().sum()}


@dataclass(frozen=True)
class Cut:
    """Takes the channels out whose scale is small."""

    below: float

    def __call__(self, context: Context) -> Mapping[str, float]:
        found = scales(context.net).detach().abs() >= self.below
        if 0 < int(found.sum()) < len(found):
            assert context.rewriter is not None
            context.rewriter.take("hidden", found.nonzero().flatten().tolist())
        return {"hidden": float(len(scales(context.net)))}


def train(updates: Updates, *, below: float, out: Path, stop: int | None = None) -> Trained:
    cut = Edit(name="cut", apply=Cut(below), every=10)
    program = TrainPaths(sampler=Uniform(), objective=Sparse())
    recipe = Recipe(name="atoms", program=program, weights=updates, edits=(cut,))
    options = {"steps": 40, "batch_size": 16, "accelerator": "cpu", "progress": False, "average": 0.9, "log_every": 10}
    return fit(atoms(), recipe, images(), out=out, resume=True, stop_after=stop, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("updates", "below"), [(sgd(0.1, momentum=0.9), 0.55), (adam(0.02), 0.8), (rmsprop(0.005), 0.55)]
)
def test_a_training_that_cuts_channels_resumes_bitwise(updates: Updates, below: float, tmp_path: Path) -> None:
    """Momenta, the running average and statistics follow; the journal is replayed before anything is loaded."""
    whole = train(updates, below=below, out=tmp_path / "whole")
    for stop in (7, 10, 11, 20, 33, 40):
        train(updates, below=below, out=tmp_path / "parts", stop=stop)
    (expected, told), (found, meta) = (
        checkpoint.load(checkpoint.latest(tmp_path / run / "checkpoints"))  # type: ignore[arg-type]
        for run in ("whole", "parts")
    )
    assert told["journal"], "nothing was cut"
    assert meta == told
    assert set(found) == set(expected)
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
    left = len(told["journal"][-1]["keep"])
    assert left == len(scales(whole.net)) < 24
    assert whole.history[-1]["hidden"] == left
    assert expected[f"average/module.{SCALES}.weight"].shape == (left,)
    net = atoms()
    load_weights(net, tmp_path / "whole")
    assert torch.equal(scales(net), scales(whole.net))


def test_channels_without_scale_and_shift_are_taken_out_without_a_trace() -> None:
    net = atoms().eval()
    x, arch = torch.randn(4, 1, 8, 8), net.space.smallest()
    with torch.no_grad():
        scales(net)[5:9] = 0
        net.get_parameter(f"module.{SCALES}.bias")[5:9] = 0
        before = net(x, arch)
        rewriter(net).take("hidden", [channel for channel in range(24) if not 5 <= channel < 9])
        assert torch.equal(net(x, arch), before)
    assert net.get_parameter("module.6.weight").shape == (20, 1, 3, 3)


def test_the_order_of_channels_changes_nothing_and_the_costs_follow_their_number() -> None:
    net = atoms().eval()
    x, arch = torch.randn(4, 1, 8, 8), net.space.smallest()
    with torch.no_grad():
        before, cost = net(x, arch), cost_model(net, (1, 8, 8)).macs(net.space.codes([arch]))[0]
        rewriter(net).take("hidden", torch.randperm(24).tolist())
        torch.testing.assert_close(net(x, arch), before)
    rewriter(net).take("hidden", range(12))
    halved = cost_model(net, (1, 8, 8)).macs(net.space.codes([arch]))[0]
    assert cost - halved == 12 * 16 * (8 + 9 + 8), "12 channels of 4 × 4 pixels, three convolutions"


def test_a_channel_that_is_named_twice_is_doubled() -> None:
    """Net2WiderNet: copies share what the next layer reads, so its weights are divided."""
    net = atoms(4).eval()
    x, arch = torch.randn(4, 1, 8, 8), net.space.smallest()
    with torch.no_grad():
        before = net(x, arch)
        rewriter(net).take("hidden", [0, 1, 2, 3, 0, 1, 2, 3])
        net.get_parameter("module.9.weight").mul_(0.5)
        torch.testing.assert_close(net(x, arch), before)


def test_what_cannot_be_taken_is_refused() -> None:
    net = atoms()
    for keep in ([], [24], [-1, 0]):
        with pytest.raises(UsageError, match=r"of 'hidden' were to be kept, which has 24"):
            rewriter(net).take("hidden", keep)
    with pytest.raises(UsageError, match="No layer has a dimension named 'width'"):
        rewriter(net).take("width", [0])
    with pytest.raises(UsageError, match="Sequential cannot be built anew"):
        rewriter(net).rebuild({"layers": 3})
    assert len(scales(net)) == 24


def test_a_subnet_that_is_taken_out_has_plain_widths() -> None:
    net = atoms()
    conv = net.extract(net.space.smallest())[3]  # type: ignore[index]
    assert (type(conv.out_channels), conv.out_channels) == (int, 24)


# -- what is widened, shared and refused -------------------------------------------------------------------------------


def test_shared_repeats_change_nothing_in_the_weights_nor_in_their_average() -> None:
    """Net2WiderNet: channel 0 three times, 2 twice, and what reads them divided alike in both."""
    net = atoms(4).eval()
    average = WeightAverage(net, 0.9)
    x, arch = torch.randn(4, 1, 8, 8), net.space.smallest()
    stepper = Stepper(sgd(0.1, momentum=0.9), net.parameters(), batch_size=1)
    net(x, arch).square().sum().backward()
    stepper.step(step(net), [])
    stepper.clear()
    read = net.get_parameter("module.9.weight")
    momentum = stepper.optimizer.state[read]["momentum_buffer"].clone()
    before = net(x, arch)
    averaged = copied(net, average)
    apart = averaged(x, arch)
    assert (apart - before).abs().max() > 1e-3
    keep = [0, 1, 2, 3, 0, 2, 0]
    Rewriter(net, {"weights": stepper}, average, dict, 0).take("hidden", keep, share=True)
    torch.testing.assert_close(net(x, arch), before)
    torch.testing.assert_close(copied(net, average)(x, arch), apart)
    wide = net.get_parameter("module.9.weight")
    assert torch.equal(stepper.optimizer.state[wide]["momentum_buffer"], momentum[:, keep]), "gradients are not divided"
    assert read not in stepper.optimizer.state
    assert net.changes == [{"take": "hidden", "keep": keep}]


def copied(net: Supernet, average: WeightAverage) -> Supernet:
    """The network with the averaged weights."""
    found = copy.deepcopy(net).eval()
    with torch.no_grad():
        for name, parameter in found.named_parameters():
            parameter.copy_(average.tensors[name])
    return found


def test_tied_weights_stay_tied() -> None:
    h = Channels("hidden", 4)
    first, second = ElasticConv2d(3, h, 1), ElasticConv2d(3, h, 1)
    second.weight = first.weight
    net = Supernet(nn.ModuleList([first, second, OpChoice("op", {"a": nn.Identity(), "b": nn.ReLU()})]))
    stepper = Stepper(sgd(0.1), net.parameters(), batch_size=1)
    Rewriter(net, {"weights": stepper}, None, dict, 0).take("hidden", [3, 1])
    assert first.weight is second.weight
    assert {id(p) for p in stepper.parameters} == {id(p) for p in net.parameters()}


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (lambda h: [ElasticConv2d(3, h, 1), ElasticConv2d(Channels("hidden", 6), 2, 1)], "have 4 and 6 of them"),
        (lambda h: [ElasticConv2d(3, h, 1), ElasticConv2d(h, 8, 3, groups=2)], "has 2 groups"),
        (lambda h: [ElasticConv2d(2, h, 3, groups=2)], "has 2 groups"),
    ],
)
def test_channels_that_cannot_be_taken_are_refused_before_anything_changes(
    layers: Callable[[Channels], list[nn.Module]], said: str
) -> None:
    made = layers(Channels("hidden", 4))
    net = Supernet(nn.ModuleList([*made, OpChoice("op", {"a": nn.Identity(), "b": nn.ReLU()})]))
    before = {name: tensor.shape for name, tensor in net.state_dict().items()}
    with pytest.raises(UsageError, match=said):
        rewriter(net).take("hidden", [0, 1])
    assert {name: tensor.shape for name, tensor in net.state_dict().items()} == before
    assert not net.changes
    assert net.structure == 0


# -- another order of a dimension that an expression gives ------------------------------------------------------------


def sized(statistics: Statistics = "track") -> tuple[Supernet, Expr]:
    """A block whose hidden width is an expression, with another of the same values beside it."""
    expansion = Choice("expansion", (2, 4))
    hidden, other = 4 * expansion, 4 * expansion
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        layers = [
            ElasticConv2d(1, hidden, 1),
            ElasticBatchNorm2d(hidden, statistics=statistics),
            ElasticConv2d(hidden, hidden, 3, groups=hidden, bias=False),
            ElasticConv2d(hidden, other, 1),
            ElasticConv2d(other, 3, 1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        ]
        net = Supernet(nn.Sequential(*layers))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5, generator=generator)
    return net, hidden


def test_a_permuted_expression_changes_no_output_of_the_largest() -> None:
    net, hidden = sized()
    net.eval().double()
    x, order = torch.randn(4, 1, 8, 8).double(), [5, 3, 0, 1, 15, 14, 2, 4, 6, 7, 8, 9, 10, 11, 13, 12]
    shapes = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    before, small = net(x, net.space.largest()), net(x, net.space.smallest())
    parameters = list(net.parameters())
    rewriter(net).permute(hidden, order)
    torch.testing.assert_close(net(x, net.space.largest()), before, rtol=1e-12, atol=0)
    assert not torch.allclose(net(x, net.space.smallest()), small), "the prefix is another one"
    assert all(one is other for one, other in zip(parameters, net.parameters(), strict=True))
    assert (net.changes, net.structure) == ([], 0)
    moved = {name for name, tensor in net.state_dict().items() if not torch.equal(tensor, shapes[name])}
    assert moved == {
        f"module.{n}"
        for n in ("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "2.weight", "3.weight")
    }, "the other expression of the same values is another dimension"
    assert torch.equal(net.module[2].weight, shapes["module.2.weight"][order])  # type: ignore[index, union-attr]
    assert torch.equal(net.module[3].weight, shapes["module.3.weight"][:, order])  # type: ignore[index, union-attr]


def test_optimisers_and_the_average_follow_a_permutation() -> None:
    net, hidden = sized()
    average, stepper = WeightAverage(net, 0.5), Stepper(adam(0.1, weight_decay=0.1), net.parameters(), batch_size=1)
    net(torch.randn(2, 1, 8, 8), net.space.largest()).square().sum().backward()
    stepper.step(step(net), [])
    stepper.clear()
    average.update(1)
    read = net.get_parameter("module.3.weight")
    held = {key: value.clone() for key, value in stepper.optimizer.state[read].items()}
    averaged = average.tensors["module.3.weight"].clone()
    order = list(reversed(range(16)))
    Rewriter(net, {"weights": stepper}, average, dict, 0).permute(hidden, order)
    assert torch.equal(stepper.optimizer.state[read]["exp_avg"], held["exp_avg"][:, order])
    assert torch.equal(stepper.optimizer.state[read]["exp_avg_sq"], held["exp_avg_sq"][:, order])
    assert torch.equal(stepper.optimizer.state[read]["step"], held["step"])
    assert torch.equal(average.tensors["module.3.weight"], averaged[:, order])
    assert len(stepper.optimizer.state) == len(list(net.parameters()))


def test_named_channels_are_permuted_too() -> None:
    net = atoms().eval()
    x, arch = torch.randn(4, 1, 8, 8), net.space.smallest()
    before = net(x, arch)
    rewriter(net).permute("hidden", torch.randperm(24).tolist())
    torch.testing.assert_close(net(x, arch), before)
    assert not net.changes


@dataclass(frozen=True)
class Turn:
    """Puts the hidden channels of `sized` into the opposite order."""

    def __call__(self, context: Context) -> None:
        assert context.rewriter is not None
        dimension = context.net.module[0].width_out  # type: ignore[index, union-attr]
        context.rewriter.permute(dimension, list(reversed(range(16))))


def test_a_training_that_permutes_resumes_bitwise(tmp_path: Path) -> None:
    program = TrainPaths(sampler=Uniform())
    phases = (
        Phase(name="one", share=1, program=program),
        Phase(name="two", share=1, program=program, enter=Turn(), restart=False),
    )
    recipe = Recipe(name="turned", program=phases, weights=adam(0.01))
    options = {"steps": 8, "batch_size": 16, "accelerator": "cpu", "progress": False, "average": 0.9, "resume": True}
    for name, stops in (("whole", (None,)), ("parts", (3, 4, 5, None))):
        for stop in stops:
            net, _ = sized()
            with torch.random.fork_rng(devices=()):
                torch.manual_seed(2)
                net = Supernet(nn.Sequential(*net.module, nn.Linear(3, 10)))  # type: ignore[arg-type]
            fit(net, recipe, images(), out=tmp_path / name, stop_after=stop, **options)  # type: ignore[arg-type]
    (expected, told), (found, meta) = (
        checkpoint.load(checkpoint.latest(tmp_path / name / "checkpoints"))  # type: ignore[arg-type]
        for name in ("whole", "parts")
    )
    assert meta == told
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())


def test_what_cannot_be_permuted_is_refused_before_anything_changes() -> None:
    net, hidden = sized()
    for wrong in ([0] * 16, list(range(15)), list(range(17))):
        with pytest.raises(UsageError, match=r"of '4 \* expansion'"):
            rewriter(net).permute(hidden, wrong)
    with pytest.raises(UsageError, match="No layer was given the size '4 \\* expansion' itself"):
        rewriter(net).permute(4 * net.space.choices[0], range(16))
    width = Choice("width", (4, 8))
    for layers, said in (
        ([ElasticConv2d(3, width, 1), ElasticConv2d(width, width, 1, groups=2)], "has 2 groups"),
        ([ElasticConv2d(3, width, 1), ElasticGroupNorm(4, width)], "ElasticGroupNorm treats them in groups"),
    ):
        grouped = Supernet(nn.Sequential(*layers))
        before = {name: tensor.clone() for name, tensor in grouped.state_dict().items()}
        with pytest.raises(UsageError, match=said):
            rewriter(grouped).permute(width, list(reversed(range(8))))
        assert all(torch.equal(tensor, before[name]) for name, tensor in grouped.state_dict().items())


# -- networks that are built anew --------------------------------------------------------------------------------------

CELLS: dict[str, Any] = {
    "channels": 4,
    "nodes": 2,
    "operations": ("skip_connect", "sep_conv_3x3"),
    "stem_multiplier": 1,
    "in_channels": 1,
    "image_size": 8,
}


def cells(layers: int = 3, **options: Any) -> Supernet:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        return zoo.darts(layers=layers, **{**CELLS, **options})


@dataclass(frozen=True)
class Grow:
    """A network of more cells; its stem is the old one's."""

    layers: int
    inherit: bool = True

    def __call__(self, context: Context) -> None:
        assert context.rewriter is not None
        context.rewriter.rebuild({"layers": self.layers}, stem if self.inherit else None)


def stem(old: nn.Module, new: nn.Module) -> None:
    new.stem.load_state_dict(old.stem.state_dict())  # type: ignore[operator, union-attr]


def grown(*layers: int, restart: bool = True, inherit: bool = True, updates: Updates | None = None) -> Recipe:
    phases = tuple(
        Phase(
            name=f"{count} cells",
            share=1,
            program=TrainPaths(sampler=Uniform()),
            enter=Grow(count, inherit) if number else None,
            restart=restart,
        )
        for number, count in enumerate(layers)
    )
    return Recipe(name="grown", program=phases, weights=updates or sgd(0.05, momentum=0.9, inactive="decay"))


def run(recipe: Recipe, net: Supernet | None = None, **options: Any) -> Trained:
    given = {"steps": 9, "batch_size": 16, "accelerator": "cpu", "progress": False, **options}
    return fit(cells() if net is None else net, recipe, images(), **given)


@pytest.mark.parametrize(("restart", "updates"), [(True, None), (False, adam(0.01))])
@pytest.mark.slow
def test_a_training_whose_network_grows_resumes_bitwise(restart: bool, updates: Updates | None, tmp_path: Path) -> None:
    """Stopped within every stage, at and just after its beginning; the average follows."""
    recipe = grown(3, 4, 6, restart=restart, updates=updates)
    whole = run(recipe, out=tmp_path / "whole", average=0.9)
    for stop in (2, 3, 4, 6, 7, 9):
        run(recipe, out=tmp_path / "parts", average=0.9, resume=True, stop_after=stop)
    (expected, told), (found, meta) = (
        checkpoint.load(checkpoint.latest(tmp_path / name / "checkpoints"))  # type: ignore[arg-type]
        for name in ("whole", "parts")
    )
    assert meta == told
    assert told["journal"] == [{"rebuild": {"layers": 4}}, {"rebuild": {"layers": 6}}]
    assert set(found) == set(expected)
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
    assert len(whole.net.module.cells) == 6  # type: ignore[arg-type]
    net = cells()
    for _ in range(2):
        load_weights(net, tmp_path / "whole")
    assert net.changes == told["journal"], "what it is already is not built once more"
    arch = net.space.largest()
    x = torch.randn(4, 1, 8, 8)
    assert torch.equal(net.train()(x, arch), whole.net.train()(x, arch))


def test_the_same_network_goes_on_and_another_is_refused(tmp_path: Path) -> None:
    recipe = grown(3, 4, 6)
    once = run(recipe)
    net = cells()
    for stop in (4, 8, 9):
        run(recipe, net, out=tmp_path / "run", resume=True, stop_after=stop)
    assert torch.equal(vector(net), vector(once.net))
    other = cells()
    rewriter(other).rebuild({"layers": 5})
    with pytest.raises(UsageError, match="changed 1 times since it was built, in another way"):
        load_weights(other, tmp_path / "run")


def test_fresh_weights_are_others_in_every_network_and_depend_on_the_seed() -> None:
    def weights(seed: int, times: int) -> Tensor:
        net = cells()
        made = Rewriter(net, {}, None, dict, seed)
        for _ in range(times):
            torch.randn(7)
            made.rebuild({"layers": 4})
        return net.module.cells[3].last[1].weight.detach()  # type: ignore[index, union-attr, return-value]

    assert torch.equal(weights(0, 1), weights(0, 1))
    assert not torch.equal(weights(0, 1), weights(1, 1))
    assert not torch.equal(weights(0, 1), weights(0, 2))


def test_a_network_that_is_built_anew_keeps_choices_mode_and_what_it_inherits() -> None:
    net = cells().eval()
    before, space = net.module, net.space
    old = before.stem[0].weight.detach().clone()  # type: ignore[index, union-attr, operator]
    average = WeightAverage(net, 0.9)
    made = Rewriter(net, {}, average, dict, 0)
    made.rebuild({"layers": 5, "channels": 8, "stem_multiplier": 1}, None)
    assert net.space.fingerprint == space.fingerprint
    assert not any(module.training for module in net.modules())
    assert {name: p.shape for name, p in average.tensors.items()} == {n: p.shape for n, p in net.named_parameters()}
    assert net.calibrated_for is None, "nobody has said that its statistics are stale"
    again = cells(5, channels=8)
    assert {n: t.shape for n, t in net.state_dict().items()} == {n: t.shape for n, t in again.state_dict().items()}
    made.rebuild({"layers": 3, "channels": 4})
    made.rebuild({"layers": 4}, stem)
    assert not torch.equal(net.module.stem[0].weight, old)  # type: ignore[index, union-attr, operator]
    assert torch.equal(average.tensors["module.stem.0.weight"], net.get_parameter("module.stem.0.weight"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"nodes": 3}, "cannot be built anew with another 'nodes'; what may change is channels, layers"),
        ({"layers": 2}, "layers=2: a network needs 3 cells"),
        ({"partial": 3}, "is no multiple of partial=3"),
        ({"layers": {4}}, "which JSON does not give back"),
        ({"layers": (4,)}, "which JSON does not give back"),
    ],
)
def test_options_that_no_network_can_have_are_refused(options: dict[str, Any], said: str) -> None:
    net = cells()
    with pytest.raises((UsageError), match=said):
        rewriter(net).rebuild(options)
    assert len(net.module.cells) == 3  # type: ignore[arg-type]
    assert not net.changes


def test_a_slice_of_the_network_is_found_again() -> None:
    net = cells()
    recipe = replace(
        grown(3, 4),
        parts={"head": Slice(select=head, updates=sgd(0.5))},
        program=tuple(replace(p, program=WithHead()) for p in grown(3, 4).phases),
    )
    run(recipe, net, steps=4)
    state = TrainingState(net, recipe, seed=0, batch_size=16)
    assert [tuple(p.shape) for p in state.steppers["head"].parameters] == [(10, 32), (10,)]


def head(net: Supernet) -> list[nn.Parameter]:
    return list(net.module.classifier.parameters())  # type: ignore[union-attr]


@dataclass(frozen=True)
class WithHead:
    """Moves the weights, and the classifier."""

    parts = ("head",)

    def check(self, net: Supernet) -> None:
        return

    def moves(self, step: Step) -> Moves:
        path = MovePath(step.space.sample(step.rng), CrossEntropy())
        yield Move(paths=[path])
        yield Move(updates="head", paths=[path])


def test_a_checkpoint_without_seed_and_journal_is_of_a_network_as_it_was_built(tmp_path: Path) -> None:
    """As a transfer writes it."""
    net = cells()
    with torch.no_grad():
        net.module.classifier.bias.fill_(3.0)  # type: ignore[operator, union-attr]
    tensors = {f"net/{name}": tensor for name, tensor in net.state_dict().items()}
    meta = {"step": 4, "identity": {"space": net.space.fingerprint}}
    (tmp_path / "checkpoints").mkdir()
    checkpoint.save(tmp_path / "checkpoints" / "step-000000004.safetensors", tensors, meta)
    fresh = cells()
    load_weights(fresh, tmp_path)
    assert torch.equal(vector(fresh), vector(net))
