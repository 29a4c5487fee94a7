"""HR-NAS: what is charged, when it is cut, and that what is left is what the loss has counted."""

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
from supernet import ElasticBatchNorm2d, ElasticConv2d, OpChoice, Supernet, deploy, measure, zoo
from supernet.data import Data, digit_scenes
from supernet.errors import RunError, UsageError
from supernet.methods import hr_nas
from supernet.methods.macro.hr_nas import ADE20K, CITYSCAPES, COCO, IMAGENET, KEYPOINTS, SEGMENTATION, WEIGHTS
from supernet.nn.channels import Atoms, Channels
from supernet.tasks import Segmentation
from supernet.train import CrossEntropy, CutChannels, Ramp, RMSpropTF, ScaleCost, Trained, adam, fit, sgd
from supernet.train.laws import Trial
from supernet.zoo.macro.hr_nas_network import HRNet, HRStage


def tiny(**options: Any) -> Supernet:
    torch.manual_seed(0)
    return zoo.hr_nas(**{"variant": "tiny", "image_size": 8, "in_channels": 1, "num_classes": 10, **options})


def chosen() -> Supernet:
    """Channels that may be cut beside an ordinary choice."""
    torch.manual_seed(0)
    return Supernet(WithChoice())


class WithChoice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        hidden = Channels("hidden", 6)
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, stride=2), nn.BatchNorm2d(4), nn.ReLU())
        self.scale = nn.Sequential(
            ElasticConv2d(4, hidden, 3), ElasticBatchNorm2d(hidden, statistics="track"), nn.ReLU()
        )
        self.read, self.norm = ElasticConv2d(hidden, 4, 1, bias=False), ElasticBatchNorm2d(4, statistics="track")
        self.choice = OpChoice("op", {"a": nn.Conv2d(4, 4, 1), "b": nn.Conv2d(4, 4, 3, padding=1)})
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 10))

    def atoms(self) -> Sequence[Atoms]:
        return [Atoms(dimension="hidden", scale="scale.1", read="read", norm="norm", cost=40.0)]

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        out: Tensor = self.head(self.choice(x + self.norm(self.read(self.scale(x)))))
        return out


CUTTING: dict[str, Any] = {"weight": Ramp(0.0, 0.02, until=0.2), "every": 1, "worth": 2e4, "threshold": 0.25}
"""A training short enough for tests in which channels and tokens are cut more than once."""


def cutting(**options: Any) -> Any:
    return hr_nas(**{**CUTTING, "weights": sgd(0.05), **options})


TRIALS = {
    "hr_nas": lambda: on_digits(hr_nas(weights=sgd(0.05)), tiny()),
    "hr_nas, cutting": lambda: on_digits(cutting(), tiny(), steps=120),
    "hr_nas, beside a choice": lambda: on_digits(cutting(weights=sgd(0.1)), chosen()),
    "hr_nas, pixels": lambda: scenes(cutting()),
}
ALTERNATIVES = {
    "weight": 1e-3,
    "quadratic": 1.0,
    "threshold": 1e-2,
    "every": 10,
    "worth": 0.0,
    "empty": "keep",
    "label_smoothing": 0.0,
    "weights": sgd(0.1),
}
SETTINGS = {
    "weight": Ramp(0.0, 1.8e-4, until=25 / 350),
    "quadratic": 0.5,
    "threshold": 1e-3,
    "every": 5,
    "worth": 1e6,
    "empty": "remove",
}
SMOOTHING = 0.1
NET = chosen
REFUSED_BY = {"distilled", "few_shot", "gm_nas", "k_shot", "mean_teacher"}


def pixels() -> Data:
    return digit_scenes(scenes=80, size=16, digits=1, kinds=2, downscale=2, seed=0).for_task(Segmentation())


def scenes(recipe: Any) -> Trial:
    data = pixels()
    net = tiny(head="pixels", transformer="all", num_classes=data.outputs, image_size=data.shape[1])
    return Trial(recipe=recipe, net=net, data=data, steps=40, batch_size=16, measure=pixel_loss, least=-0.9)


def pixel_loss(trained: Trained) -> float:
    return -last(trained, "term/loss")


def last(trained: Trained, name: str) -> float:
    return next(row[name] for row in reversed(trained.history) if name in row)


def network(net: Supernet) -> HRNet:
    assert isinstance(net.module, HRNet)
    return net.module


def charged(net: Supernet) -> float:
    return sum(atoms.total(network(net).sizes()[atoms.dimension]) for atoms in network(net).atoms())


def cut_on_digits(steps: int = 120, *, net: Supernet | None = None, recipe: Any = None, **options: Any) -> Trained:
    return fit(
        tiny() if net is None else net,
        cutting() if recipe is None else recipe,
        digits(),
        steps=steps,
        batch_size=32,
        accelerator="cpu",
        progress=False,
        log_every=steps // 4,
        **options,
    )


def test_the_settings_are_the_released_ones() -> None:
    optimiser = WEIGHTS.optimiser
    assert optimiser == RMSpropTF(lr=0.016, alpha=0.9, momentum=0.9, eps=1e-3, weight_decay=1e-5, per=256)
    net = tiny()
    whole, epoch = 350 * 10, 10

    def rate(updates: Any, at: float, *, epochs: int = 350) -> float:
        now = replace(step(net, round(at * epoch), total=epochs * epoch), steps_per_epoch=epoch)
        return float(updates.schedule(now, []))

    assert rate(WEIGHTS, 0) == pytest.approx(1 / 8)
    assert rate(WEIGHTS, 2.5) == pytest.approx((1 / 8 + 7 / 16) * 0.97)
    assert rate(WEIGHTS, 7.1) == pytest.approx(0.97**2), "it falls every 2.4 epochs, not in between"
    assert rate(WEIGHTS, 7.2) == pytest.approx(0.97**3)
    assert rate(WEIGHTS, 240) == pytest.approx(0.97**100)
    assert not WEIGHTS.decay_vectors
    assert adam(0.04, eps=1e-3, weight_decay=1e-5, per=32).optimiser == SEGMENTATION.optimiser
    assert rate(SEGMENTATION, 0, epochs=430) == pytest.approx(1 / 25)
    assert adam(1e-3, weight_decay=1e-8, per=384).optimiser == KEYPOINTS.optimiser
    assert [rate(KEYPOINTS, at, epochs=210) for at in (169, 170, 199, 200)] == pytest.approx([1, 0.1, 0.1, 0.01])
    assert not SEGMENTATION.decay_vectors
    assert not KEYPOINTS.decay_vectors
    assert IMAGENET == {}
    for options, rho, every, epochs, per in (
        (CITYSCAPES, 1.4e-4, 10, 430, 32),
        (ADE20K, 1.4e-4, 25, 200, 64),
        (COCO, 1e-6, 30, 210, 384),
    ):
        recipe = hr_nas(**options)
        (phase,) = recipe.phases
        assert [(edit.every, edit.unit) for edit in phase.edits] == [(every, "epochs")]
        assert options["weight"] == Ramp(0.0, rho, until=25 / epochs)
        assert recipe.weights.optimiser.per == per  # type: ignore[attr-defined]
        assert phase.program.objective.terms[0].loss == CrossEntropy()  # type: ignore[attr-defined]
    assert whole * 25 / 350 == 250


def test_the_loss_is_cross_entropy_and_the_weighted_scales() -> None:
    net = tiny()
    (move,) = moves(hr_nas(weight=0.01), net)
    run, now = executor(net, images()), step(net)
    loss, outcome = run.run(move.paths[0], run.batch("train"), now, [])
    sizes = network(net).sizes()
    mean = charged(net) / sum(sizes.values())
    expected = 0.0
    for atoms in network(net).atoms():
        n = sizes[atoms.dimension]
        each = atoms.cost + (0.5 * atoms.pairs * (n + 2 * n - 1) if atoms.pairs else 0)  # all scales are 1
        expected += each * n / mean
    labels = nn.functional.cross_entropy(outcome.logits, run.batch("train").labels, label_smoothing=0.1)
    assert loss.item() == pytest.approx(labels.item() + 0.01 * expected, rel=1e-5)


@pytest.mark.slow
def test_what_is_left_is_what_the_loss_has_counted(tmp_path: Path) -> None:
    net = tiny()
    (only,) = net.space.enumerate()
    whole, before = measure.macs(net, only, input_shape=(1, 8, 8)), charged(net)
    trained = cut_on_digits(net=net, average=0.9)
    assert len({row["cost"] for row in trained.history if "cost" in row}) > 1, "it is cut along the way"
    left = charged(net)
    assert left < 0.8 * before
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = deploy.export(net, only, tmp_path / "net.onnx", data=digits())
    found = measure.count_macs(exported.module, (1, 8, 8))
    assert found == measure.macs(net, only) == whole - before + left
    kinds = {kind for entry in net.changes for kind in entry if kind != "keep"}
    assert kinds == {"take", "remove"}
    scales = [net.module.get_submodule(atoms.scale).weight for atoms in network(net).atoms()]
    assert min(float(scale.detach().abs().min()) for scale in scales) > CUTTING["threshold"], "the average is cut last"  # type: ignore[arg-type]


@pytest.mark.slow
def test_nothing_dies_without_a_price_and_the_costly_die_first() -> None:
    free = tiny()
    cut_on_digits(60, net=free, recipe=cutting(weight=0.0))
    assert not free.changes
    net = tiny(transformer="none")
    whole = network(net).sizes()
    cut_on_digits(net=net)
    costs = {atoms.dimension: atoms.cost for atoms in network(tiny(transformer="none")).atoms()}
    kept = {name: network(net).sizes().get(name, 0) / whole[name] for name in whole}
    ranked = sorted(costs, key=costs.__getitem__)
    cheap, costly = (sum(kept[name] for name in half) for half in (ranked[:5], ranked[-5:]))
    assert cheap > costly + 0.5


def test_tokens_are_cut_one_by_one_and_their_price_follows() -> None:
    net = tiny()
    scale = next(atoms for atoms in network(net).atoms() if atoms.pairs)
    norm = net.module.get_submodule(scale.scale)
    with torch.no_grad():
        norm.weight[2:4] = 0.0  # type: ignore[index, operator]
    recipe = cutting(weight=0.0, worth=0.0, threshold=1e-3)
    fit(net, replace(recipe, weights=sgd(1e-9)), squares(), steps=1, batch_size=16, accelerator="cpu", progress=False)
    assert net.changes == [{"take": scale.dimension, "keep": [0, 1, 4, 5]}]
    noted = {"mean": 1.0, "numbers": {scale.dimension: 6}}
    price = float(ScaleCost().cost(scale, torch.ones(4), noted))
    assert price == scale.cost + 0.5 * scale.pairs * 6 + 0.5 * scale.pairs * 7


def test_it_is_cut_after_every_few_epochs_and_in_the_end() -> None:
    recipe = hr_nas()
    (phase,) = recipe.phases
    (edit,) = phase.edits
    assert edit.apply == CutChannels(threshold=1e-3, by="both", worth=1e6, empty="remove")
    assert phase.leave == CutChannels(threshold=1e-3, by="end", worth=0.0, empty="remove")
    (other,) = hr_nas(quadratic=1.0, threshold=0.2).phases
    cost = other.program.objective.terms[1].loss  # type: ignore[attr-defined]
    assert cost == ScaleCost(quadratic=1.0, threshold=0.2), "dead to the loss is what is dead to the cut"
    due = [
        epoch for epoch in range(1, 21) if edit.due(replace(step(tiny(), 4 * epoch - 1, total=80), steps_per_epoch=4))
    ]
    assert due == [5, 10, 15, 20]


@pytest.mark.slow
def test_a_weight_under_which_nothing_is_left_ends_the_training_in_a_sentence() -> None:
    net = tiny()
    with pytest.raises(RunError, match=r"All channels that may be cut are dead after step \d+: .* Lower the weight"):
        cut_on_digits(60, net=net, recipe=cutting(weight=1.0, threshold=0.9))
    assert not net.changes


def test_what_does_not_fit_is_refused_before_the_training() -> None:
    with pytest.raises(UsageError, match="does not say which of its channels may be cut"):
        train(hr_nas())
    for wrong in ({"every": 0}, {"worth": -1.0}, {"threshold": -1.0}, {"quadratic": 2.0}, {"empty": "all"}):
        with pytest.raises(UsageError):
            hr_nas(**wrong)  # type: ignore[arg-type]
    exchanging = (HRStage((1,), (4,)), HRStage((1, 1), (4, 6)), HRStage((1, 1), (4, 6)))
    net = tiny(head="pixels", num_classes=pixels().outputs, image_size=16, stages=exchanging)
    odd = digit_scenes(scenes=40, size=15, digits=1, kinds=2, downscale=2, seed=0).for_task(Segmentation())
    with pytest.raises(UsageError, match="cannot take the inputs of"):
        fit(net, hr_nas(), odd, steps=1, batch_size=4, accelerator="cpu", progress=False)
