"""Channels come and go in the midst of a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from small_nets import images, sgd
from supernet import ElasticBatchNorm2d, ElasticConv2d, OpChoice, Supernet
from supernet.errors import UsageError
from supernet.measure import cost_model
from supernet.nn.channels import Channels
from supernet.train import (
    Context,
    Edit,
    Outcome,
    Recipe,
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
from supernet.train.part import families_of
from supernet.train.rewriting import Rewriter

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
    return Rewriter(net, {}, None, lambda: families_of(net, {}), [], 0)


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
