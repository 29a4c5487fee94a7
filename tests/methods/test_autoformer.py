"""AutoFormer: one entangled subnet per step, DeiT's settings, and positions that do not decay."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from method_trials import moves, on_digits, published, squares
from small_nets import elastic_net, step
from supernet import zoo
from supernet.data import Augmented, Mixed
from supernet.errors import UsageError
from supernet.methods import autoformer
from supernet.train import Uniform, fit, sgd
from supernet.train.updates import Stepper

tiny = partial(
    zoo.autoformer,
    variant="tiny",
    num_classes=10,
    in_channels=1,
    image_size=8,
    patch=4,
    widths=(32, 48),
    depths=(1, 2),
)

MILD = Mixed(mixup=0.2, probability=0.5, erase=0.1)  # so that 100 steps are enough
TRIALS = {
    "autoformer": lambda: on_digits(
        autoformer(augmented=None, mixed=MILD, repeats=1).with_weights(lr=0.01, per=None), tiny(), steps=100
    )
}
ALTERNATIVES = {
    "sampler": Uniform(2),
    "augmented": Augmented(rand_augment=(1, 5)),
    "mixed": Mixed(mixup=0.2),
    "repeats": 2,
    "drop_path": 0.2,
    "label_smoothing": 0.2,
    "weights": sgd(0.1),
}
SETTINGS = {
    "sampler": Uniform(),
    "augmented": Augmented(rand_augment=(2, 27)),
    "mixed": Mixed(mixup=0.8, cutmix=1.0, erase=0.25),
    "repeats": 3,
    "drop_path": 0.1,
}
SMOOTHING = 0.1
REFUSED_BY = {"k_shot"}  # it leaves unused parameters alone
SHORT = {"drop_path": 0}  # nets of other spaces have no drop-path


def test_the_settings_are_those_of_the_official_command() -> None:
    weights = autoformer().weights
    assert published(weights) == {
        "lr": 1e-3,  # 5e-4 per 512 images, batches of 8 × 128
        "weight_decay": 0.05,
        "betas": (0.9, 0.999),
        "per": 1024,
        "clip": None,
        "inactive": "decay",
        "decay_vectors": False,
        "end": 0.01,  # 1e-5
    }
    assert type(weights.optimiser([{"params": [torch.nn.Parameter(torch.zeros(1))]}])).__name__ == "AdamW"
    rises = [weights.schedule(step(tiny(), index, total=5000), []) for index in (0, 99, 199)]
    assert rises == pytest.approx([1 / 200, 0.5, 1.0], rel=0.01)


def test_a_step_is_one_subnet() -> None:
    net = tiny()
    drawn = [moves(autoformer(), net, index=index) for index in range(10)]
    assert {(len(found), len(found[0].paths), found[0].updates) for found in drawn} == {(1, 1, "weights")}
    assert len({str(found[0].paths[0].decisions) for found in drawn}) > 5


def test_positions_class_token_biases_and_norms_do_not_decay() -> None:
    net = tiny()
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    stepper = Stepper(autoformer().weights.with_settings(lr=0.1, per=None), net.parameters(), batch_size=8)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    stepper.step(step(net, 999, total=1000), [])
    moved = {
        name.removeprefix("module.")
        for name, parameter in net.named_parameters()
        if not torch.equal(parameter, before[name])
    }
    weights = {
        name
        for name, parameter in net.module.named_parameters()
        if name.endswith(".weight") and "norm" not in name and parameter.ndim > 1
    }
    assert moved == weights
    assert not any("relative" in name or "positions" in name or "token" in name for name in moved)


def test_drop_path_rises_linearly_over_the_layers_of_the_largest_network() -> None:
    net = zoo.autoformer(variant="tiny", num_classes=10, in_channels=1, image_size=8, depths=(3, 5))
    shares = [module.share for module in net.modules() if type(module).__name__ == "DropPath"]
    assert shares == pytest.approx([share for share in (0, 0.25, 0.5, 0.75, 1) for _ in range(2)])
    assert autoformer().settings == {"drop_path": 0.1}
    assert autoformer(drop_path=0).settings == {}


def test_a_space_without_drop_path_is_told() -> None:
    with pytest.raises(UsageError, match="drop_path"):
        fit(elastic_net(), autoformer(mixed=None), squares(), steps=2, batch_size=8, accelerator="cpu", progress=False)
    with pytest.raises(UsageError, match="probability of drop-path"):
        autoformer(drop_path=1.0)
