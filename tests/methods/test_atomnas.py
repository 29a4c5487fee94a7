"""AtomNAS: what is charged, when it is cut, and that what is left is what the loss has counted."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from method_trials import digits, moves, on_digits, squares, train
from small_nets import executor, images, step
from supernet import OpChoice, Supernet, deploy, measure, zoo
from supernet.errors import RunError, UsageError
from supernet.methods import atomnas
from supernet.methods.macro.atomnas import WEIGHTS, A, B, C
from supernet.nn.channels import Atoms
from supernet.train import CrossEntropy, CutChannels, Ramp, Recipe, RMSpropTF, ScaleCost, Trained, TrainPaths, fit, sgd
from supernet.zoo.chains.chain import Place
from supernet.zoo.macro.atomnas_network import AtomBlock, AtomBlocks, AtomChain


def tiny(**options: Any) -> Supernet:
    torch.manual_seed(0)
    return zoo.atomnas(**{"variant": "tiny", "image_size": 8, "in_channels": 1, "num_classes": 10, **options})


class WithChoice(nn.Module):
    """A block of atoms beside an ordinary choice."""

    def __init__(self) -> None:
        super().__init__()
        blocks = AtomBlocks(
            kernels=(3, 5),
            expansion=2,
            activation="relu",
            gated=False,
            statistics="track",
            momentum=0.1,
            eps=1e-5,
            sizes=None,
        )
        self.stem = nn.Conv2d(1, 4, 3, padding=1, stride=2)
        self.block = AtomBlock(Place("layer1", 4, 4, 1, True), side=4, blocks=blocks)
        self.choice = OpChoice("op", {"a": nn.Conv2d(4, 4, 1), "b": nn.Conv2d(4, 4, 3, padding=1)})
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 10))

    def atoms(self) -> Sequence[Atoms]:
        return list(self.block.atoms("block"))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.choice(self.block(self.stem(x))))
        return out


def chosen() -> Supernet:
    torch.manual_seed(0)
    return Supernet(WithChoice())


CUTTING: dict[str, Any] = {"weight": Ramp(0.0, 0.03, until=0.2), "worth": 3e4, "threshold": 0.25}
"""A training short enough for tests in which channels are cut more than once."""


def cutting(**options: Any) -> Recipe:
    return atomnas(**{**CUTTING, "weights": sgd(0.05), **options})


TRIALS = {
    "atomnas": lambda: on_digits(atomnas(weights=sgd(0.05)), tiny()),
    "atomnas, cutting": lambda: on_digits(cutting(), tiny(), steps=120),
    "atomnas, from scratch": lambda: on_digits(
        atomnas(weight=None, weights=sgd(0.05)), tiny(squeeze_excite=True, activation="swish")
    ),
}
ALTERNATIVES = {
    "weight": 1e-3,
    "equal": True,
    "threshold": 1e-2,
    "every": 5,
    "worth": 0.0,
    "empty": "keep",
    "label_smoothing": 0.0,
    "weights": sgd(0.1),
}
SETTINGS = {
    "weight": Ramp(0.0, 1.0e-4, until=25 / 350),
    "equal": False,
    "threshold": 1e-3,
    "every": 1,
    "worth": 1e6,
    "empty": "remove",
}
SMOOTHING = 0.1
NET = chosen
REFUSED_BY = {"distilled", "few_shot", "gm_nas", "k_shot", "mean_teacher"}


def network(net: Supernet) -> AtomChain:
    assert isinstance(net.module, AtomChain)
    return net.module


def charged(net: Supernet) -> float:
    return sum(atoms.total(network(net).sizes()[atoms.dimension]) for atoms in network(net).atoms())


def cut_on_digits(steps: int = 120, *, net: Supernet, recipe: Recipe, **options: Any) -> Trained:
    return fit(
        net,
        recipe,
        digits(),
        steps=steps,
        batch_size=32,
        accelerator="cpu",
        progress=False,
        log_every=steps // 4,
        **options,
    )


def test_the_settings_are_the_released_ones() -> None:
    assert WEIGHTS.optimiser == RMSpropTF(lr=0.016, alpha=0.9, momentum=0.9, eps=1e-3, weight_decay=1e-5, per=256)
    assert not WEIGHTS.decay_vectors
    net, epoch = tiny(), 10

    def at(epochs: float) -> float:
        now = replace(step(net, round(epochs * epoch), total=350 * epoch), steps_per_epoch=epoch)
        return float(WEIGHTS.schedule(now, []))

    assert at(0) * 0.016 * 8 == pytest.approx(0.016), "it begins at the rate of a batch of 256"
    assert at(7.2) == pytest.approx(0.97**3)
    assert [options["weight"].end for options in (A, B, C)] == [1.8e-4, 1.2e-4, 1.0e-4]
    assert atomnas(**C) == atomnas()
    (phase,) = atomnas().phases
    (edit,) = phase.edits
    assert (edit.every, edit.unit) == (1, "epochs")
    assert edit.apply == CutChannels(threshold=1e-3, by="both", worth=1e6, empty="remove")
    assert phase.leave == CutChannels(threshold=1e-3, by="end", worth=0.0, empty="remove")
    ramp = phase.program.objective.terms[1].weight  # type: ignore[attr-defined]
    assert [ramp(step(net, n, total=3501)) for n in (0, 125, 250, 3500)] == pytest.approx([0, 5e-5, 1e-4, 1e-4])


@pytest.mark.parametrize("equal", [False, True])
def test_the_loss_is_cross_entropy_and_the_weighted_scales(equal: bool) -> None:
    net = tiny()
    torch.manual_seed(1)
    for atoms in network(net).atoms():
        nn.init.normal_(net.get_parameter(f"module.{atoms.scale}.weight"))
    (move,) = moves(atomnas(weight=0.01, equal=equal), net)
    run, now = executor(net, images()), step(net)
    loss, outcome = run.run(move.paths[0], run.batch("train"), now, [])
    sizes = network(net).sizes()
    mean = charged(net) / sum(sizes.values())
    expected = 0.0
    for atoms in network(net).atoms():
        scales = net.get_parameter(f"module.{atoms.scale}.weight").detach()
        expected += (1 if equal else atoms.cost / mean) * float(scales.abs().sum())
    labels = nn.functional.cross_entropy(outcome.logits, run.batch("train").labels, label_smoothing=0.1)
    assert loss.item() == pytest.approx(labels.item() + 0.01 * expected, rel=1e-5)


@pytest.mark.slow
def test_what_is_left_is_what_the_loss_has_counted(tmp_path: Path) -> None:
    net = tiny()
    (only,) = net.space.enumerate()
    whole, before = measure.macs(net, only, input_shape=(1, 8, 8)), charged(net)
    trained = cut_on_digits(80, net=net, recipe=cutting(), average=0.9)
    assert len({row["cost"] for row in trained.history if "cost" in row}) > 1, "it is cut along the way"
    left = charged(net)
    assert trained.history[-1]["cost"] >= left, "the average is cut last"
    assert left < 0.8 * before
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = deploy.export(net, only, tmp_path / "net.onnx", data=digits())
    assert measure.count_macs(exported.module, (1, 8, 8)) == measure.macs(net, only) == whole - before + left
    scales = [net.get_parameter(f"module.{atoms.scale}.weight").detach() for atoms in network(net).atoms()]
    assert min(float(scale.abs().min()) for scale in scales) > CUTTING["threshold"]


@pytest.mark.slow
def test_costs_decide_which_channels_die() -> None:
    """With the same pressure, costly channels die first; charged the same they do not."""

    def share_of_macs(equal: bool) -> tuple[float, int]:
        net = tiny()
        whole, count = charged(net), sum(network(net).sizes().values())
        cut_on_digits(net=net, recipe=cutting(equal=equal))
        left = sum(network(net).sizes().values())
        assert left < count
        return (charged(net) / whole) / (left / count), left

    aware, _ = share_of_macs(False)
    unaware, _ = share_of_macs(True)
    assert aware < unaware
    free = tiny()
    cut_on_digits(60, net=free, recipe=cutting(weight=0.0))
    assert not free.changes


def test_a_block_that_would_lose_all_its_channels_is_refused_kept_or_left_out() -> None:
    def killed(layer: str, empty: str) -> Supernet:
        net = tiny()
        with torch.no_grad():
            for atoms in network(net).atoms():
                if atoms.dimension.startswith(layer):
                    net.get_parameter(f"module.{atoms.scale}.weight").zero_()
        recipe = cutting(weight=0.0, worth=0.0, threshold=1e-3, empty=empty, weights=sgd(1e-9))
        fit(net, recipe, squares(), steps=1, batch_size=16, accelerator="cpu", progress=False)
        return net

    assert "layer1.k3" not in network(killed("layer1", "remove")).sizes(), "its shortcut is left"
    assert network(killed("layer2", "remove")).sizes()["layer2.k5"] == 1, "the shape changes, so that one stays"
    kept = network(killed("layer2", "keep")).sizes()
    assert (kept["layer2.k3"], kept["layer2.k5"]) == (1, 1)
    with pytest.raises(RunError, match=r"All channels that 'layer2.k3' has are dead .* nothing has been cut"):
        killed("layer2", "refuse")
    net = tiny()
    with pytest.raises(RunError, match=r"All channels that may be cut are dead after step \d+: .* Lower the weight"):
        cut_on_digits(60, net=net, recipe=cutting(weight=1.0, threshold=0.9))
    assert not net.changes


def test_without_a_weight_it_is_an_ordinary_training() -> None:
    recipe = atomnas(weight=None)
    (program,) = recipe.programs
    assert isinstance(program, TrainPaths)
    assert program.objective == CrossEntropy(0.1)
    assert not recipe.edits
    for told in ({"equal": True}, {"threshold": 0.1}, {"every": 2}, {"worth": 0.0}, {"empty": "keep"}):
        with pytest.raises(UsageError, match=r"nothing is charged and nothing cut, but .* Leave them out"):
            atomnas(weight=None, **told)


def test_what_does_not_fit_is_refused_before_the_training() -> None:
    with pytest.raises(UsageError, match="does not say which of its channels may be cut"):
        train(atomnas())
    for wrong in ({"every": 0}, {"worth": -1.0}, {"threshold": -1.0}, {"empty": "all"}):
        with pytest.raises(UsageError):
            atomnas(**wrong)
    assert ScaleCost(equal=True).cost(network(tiny()).atoms()[0], torch.ones(1), {}) == 1.0
