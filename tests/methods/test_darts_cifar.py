"""The final training of cells on CIFAR: drop-path, auxiliary head, images, variants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from method_trials import on_digits, published, squares, train
from small_nets import operations_net, step
from supernet import Supernet, deploy, zoo
from supernet.data import Chained
from supernet.errors import UsageError
from supernet.methods import darts_cifar
from supernet.methods.final.darts_cifar import CDARTS, DRNAS, GDAS, P_DARTS, PC_DARTS, SGAS
from supernet.train import Auxiliary, CrossEntropy, Fixed, TrainPaths, fit, sgd
from supernet.train.laws import Trial
from supernet.train.values._protocol import settings_of

TINY: dict[str, Any] = {
    "channels": 4,
    "layers": 3,
    "nodes": 1,
    "operations": ("skip_connect", "sep_conv_3x3"),
    "stem_multiplier": 1,
    "in_channels": 1,
    "image_size": 8,
    "affine": True,
}


def cells(**options: Any) -> Supernet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return zoo.darts(**{**TINY, "auxiliary": True, **options})


def alone() -> Trial:
    net = cells()
    recipe = darts_cifar(cutout=2).with_weights(lr=0.2)
    return on_digits(recipe.alone(net.space.largest()), net, steps=60)


TRIALS = {
    "darts_cifar": alone,
    "darts_cifar, paths": lambda: on_digits(darts_cifar(drop_path=0, cutout=1).with_weights(lr=0.1), operations_net()),
}
ALTERNATIVES = {
    "drop_path": 0.3,
    "auxiliary": 0.2,
    "cutout": 8,
    "all_images": False,
    "label_smoothing": 0.1,
    "weights": sgd(0.05),
}
SETTINGS = {"drop_path": 0.2, "auxiliary": 0.4, "cutout": 16, "all_images": True}
SHORT = {"drop_path": 0.0, "cutout": 0}  # for nets without drop-path and small images


def test_defaults_are_the_official_ones() -> None:
    assert published(darts_cifar().weights) == {
        "lr": 0.025,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 3e-4,
        "per": None,
        "clip": 5.0,
        "inactive": "freeze",
        "decay_vectors": True,
        "end": 0.0,
    }


@pytest.mark.parametrize(
    ("preset", "drop_path", "weight_decay", "nesterov", "clip"),
    [
        (SGAS, 0.2, 3e-4, False, 5.0),
        (P_DARTS, 0.3, 3e-4, False, 5.0),
        (PC_DARTS, 0.3, 3e-4, False, 5.0),
        (DRNAS, 0.3, 3e-4, False, 5.0),
        (CDARTS, 0.3, 5e-4, False, 5.0),
        (GDAS, 0.2, 5e-4, True, None),
    ],
)
def test_variants_are_those_of_their_papers(
    preset: dict[str, Any], drop_path: float, weight_decay: float, nesterov: bool, clip: float | None
) -> None:
    recipe = darts_cifar(**preset)
    told = published(recipe.weights)
    assert (told["lr"], told["weight_decay"], told["nesterov"], told["clip"]) == (0.025, weight_decay, nesterov, clip)
    last = replace(step(operations_net(), 599, total=600), steps_per_epoch=1)
    assert settings_of(recipe.settings, last) == {"drop_path": pytest.approx(drop_path * 599 / 600)}


def test_the_learning_rate_of_gdas_rises_for_five_epochs() -> None:
    schedule = darts_cifar(**GDAS).weights.schedule
    net = operations_net()
    rates = [schedule(step(net, epoch, total=300), []) for epoch in range(300)]
    assert max(range(300), key=rates.__getitem__) == 4
    assert rates[0] == pytest.approx(0.2)
    assert rates[299] < 1e-4


def test_drop_path_rises_from_epoch_to_epoch_and_reaches_the_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """p · e / E of E = 3 epochs of 5 steps: what the layers of one training have read."""
    from supernet.nn.drop_path import DropPath

    read: list[float] = []
    original = DropPath.forward

    def reading(self: DropPath, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            read.append(self.selection.setting("drop_path", 0.0))
        return original(self, x)

    monkeypatch.setattr(DropPath, "forward", reading)
    net = cells(operations=("sep_conv_3x3",), nodes=2)
    recipe = darts_cifar(drop_path=0.3, cutout=2, all_images=False).alone(net.space.largest())
    images = squares()
    fit(net, recipe, images.subset(80), steps=15, batch_size=16, accelerator="cpu", progress=False)
    edges = len(read) // 15
    assert len(read) == 15 * edges > 0
    per_step = [set(read[number * edges : (number + 1) * edges]) for number in range(15)]
    assert [sorted(one) for one in per_step] == [[pytest.approx(0.3 * (number // 5) / 3)] for number in range(15)]


def test_the_auxiliary_head_learns_by_its_share_of_the_loss() -> None:
    with_head = fitted(darts_cifar(auxiliary=0.4, cutout=2), cells())
    row = with_head.history[-1]
    assert row["loss"] == pytest.approx(row["term/loss"] + row["term/auxiliary"], rel=1e-5)
    plain = fitted(darts_cifar(auxiliary=0.4, cutout=2), cells(auxiliary=False)).history[-1]
    assert "term/auxiliary" not in plain
    before = cells().module.auxiliary.state_dict()  # type: ignore[union-attr]
    after = with_head.net.module.auxiliary.state_dict()  # type: ignore[union-attr]
    assert not torch.equal(before["head.2.weight"], after["head.2.weight"])
    none = fitted(darts_cifar(auxiliary=0.0, cutout=2), cells()).net.module.auxiliary.state_dict()  # type: ignore[union-attr]
    assert torch.equal(before["head.2.weight"], none["head.2.weight"])
    assert darts_cifar(auxiliary=0.0).programs[0].objective == CrossEntropy()  # type: ignore[attr-defined]


def fitted(recipe: Any, net: Supernet) -> Any:
    return train(recipe.alone(net.space.smallest()), net=net, steps=3, log_every=1)


def test_all_images_are_trained_on_and_cut() -> None:
    images = squares()
    changes = darts_cifar(cutout=3).data
    assert changes is not None
    made = changes(images)
    assert len(made.train) == len(images.train) + len(images.validation)
    assert made.train.augment.cutout == 3  # type: ignore[attr-defined]
    half = darts_cifar(cutout=3, all_images=False).data
    assert half is not None
    assert len(half(images).train) == len(images.train)
    assert darts_cifar(cutout=0, all_images=False).data is None
    assert isinstance(changes, Chained)


def test_retraining_hands_everything_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """`supernet retrain --method darts_cifar` trains by what `Recipe.alone` gives."""
    seen: list[Any] = []
    monkeypatch.setattr("supernet.deploy.train_one.fit", lambda net, recipe, *_, **__: seen.append(recipe))
    net, recipe = cells(), darts_cifar()
    arch = net.space.smallest()
    deploy.retrained(net, arch, squares(), steps=1, recipe=recipe)
    (found,) = seen
    assert (found.settings, found.data, found.weights) == (recipe.settings, recipe.data, recipe.weights)
    assert found.program == TrainPaths(sampler=Fixed(arch), objective=Auxiliary(CrossEntropy(), 0.4))


def test_a_larger_network_of_the_same_cell_is_trained_and_taken_out() -> None:
    arch = cells().space.smallest()
    larger = cells(channels=6, layers=4)
    net = deploy.retrained(
        larger, larger.space.arch(arch.options()), squares(), steps=4, batch_size=16, recipe=darts_cifar(cutout=2),
        accelerator="cpu", progress=False,
    )  # fmt: skip
    subnet = net.extract(larger.space.arch(arch.options())).eval()
    assert subnet(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert not any("auxiliary" in name and "head" in name for name, _ in subnet.named_parameters())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"drop_path": 1.0}, "The probability of drop-path is 1.0"),
        ({"drop_path": -0.1}, "The probability of drop-path is -0.1"),
        ({"cutout": -1}, "The side of cutout is -1"),
        ({"auxiliary": -1.0}, "The weight of the auxiliary heads is -1.0"),
    ],
)
def test_settings_outside_their_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        darts_cifar(**options)


def test_what_does_not_fit_is_refused_before_training() -> None:
    net = operations_net()
    with pytest.raises(UsageError, match="gives the setting 'drop_path', which no layer of the network reads"):
        train(darts_cifar(cutout=2).alone(net.space.smallest()), net=net, steps=1)
    with pytest.raises(UsageError, match="could wipe out a 8x8 image"):
        train(darts_cifar().alone(cells().space.smallest()), net=cells(), steps=1)
