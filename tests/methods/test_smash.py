"""SMASH: two families by one gradient, weights that follow the architecture, and an exact extraction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from method_trials import digits, on_digits, published, squares, train
from small_nets import elastic_net, executor, step
from supernet import Supernet, zoo
from supernet.errors import UsageError
from supernet.methods import smash
from supernet.nn.hyper import HyperNetwork
from supernet.train import GenerateWeights, PerturbBest, TrainTogether, ValidationError, fit, sgd
from supernet.zoo.macro.smash import TINY

SHORT: dict[str, Any] = {"layers": (2, 2), "random": 4, "perturbed": 2, "chain": 2, "images": 32}


def banks() -> Supernet:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        return zoo.smash(**TINY, in_channels=1, image_size=8)


def pointwise() -> Supernet:
    """Blocks of several sizes whose convolutions of kernel 1 are generated whole, and sliced."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        stages = (zoo.Stage((16,), (1, 2), (3, 5), (2, 3), stride=2),)
        return zoo.mbconv(stages=stages, resolutions=(8,), stem_width=8, head_width=32)


TRIALS = {
    "smash": lambda: on_digits(smash(**SHORT).with_weights(lr=0.01), banks(), steps=120),
    "smash, another space": lambda: on_digits(smash(**SHORT).with_weights(lr=0.02), pointwise(), steps=80),
}
ALTERNATIVES = {
    "layers": (4, 4),
    "growth": 5,
    "chunk": 64,
    "noise": True,
    "random": 50,
    "perturbed": 10,
    "chain": 10,
    "p": 0.1,
    "images": 100,
    "label_smoothing": 0.1,
    "seed": 1,
    "hypernetwork": sgd(0.1),
    "weights": sgd(0.2),
}
SETTINGS = {
    "layers": (8, 10, 4),
    "growth": 10,
    "chunk": 128,
    "noise": False,
    "random": 500,
    "perturbed": 100,
    "chain": 100,
    "p": 0.05,
    "images": None,
    "seed": 0,
}
REFUSED_BY = {"few_shot", "gm_nas", "k_shot", "sum_nas"}
NET = banks


def test_optimisers_are_those_of_the_official_code() -> None:
    recipe = smash()
    assert published(recipe.weights) == {
        "lr": 1e-3,
        "weight_decay": 1e-4,
        "betas": (0.5, 0.999),
        "per": None,
        "clip": None,
        "inactive": "freeze",
        "decay_vectors": True,
        "end": 0.0,
    }
    hyper = recipe.parts["hypernetwork"].updates
    assert hyper is not None
    assert published(hyper) == {**published(recipe.weights), "weight_decay": 0}
    assert recipe.weights.optimiser.eps == 1e-4  # type: ignore[attr-defined]
    assert recipe.derive == PerturbBest(random=500, perturbed=100, chain=100, p=0.05, rating=ValidationError(None))


def test_one_gradient_moves_hypernetwork_and_free_weights_but_no_weight_that_is_generated() -> None:
    recipe = smash(**SHORT)
    net = recipe.adapted(banks())
    module = net.module
    assert isinstance(module, HyperNetwork)
    run = executor(net, squares(), recipe=recipe)
    run.begin()
    before = {name: tensor.clone() for name, tensor in net.named_parameters()}
    (move,) = recipe.programs[0].moves(step(net, 0))
    assert move.families == ("weights", "hypernetwork")  # type: ignore[union-attr]
    run.execute(move, step(net, 0))  # type: ignore[arg-type]
    moved = {name for name, tensor in net.named_parameters() if not torch.equal(tensor, before[name])}
    hyper = {name for name in before if ".hyper." in name}
    generated = {f"module.network.{name}" for name in module.names}
    assert hyper <= moved, "every layer of the hypernetwork learns"
    assert not moved & generated
    assert {name for name in moved - hyper if "stem" in name or "head" in name or "convolve" in name}


def test_the_derived_subnet_has_the_weights_that_it_was_rated_with() -> None:
    recipe = smash(**SHORT).with_weights(lr=0.01)
    found = fit(banks(), recipe, digits(), steps=6, batch_size=16, accelerator="cpu", progress=False)
    assert found.derived is not None
    x = next(digits().validation.batches(32)).x
    small = found.net.extract(found.derived).train()
    with torch.no_grad():
        assert torch.equal(small(x), found.net.train()(x, found.derived))
    assert not any("hyper" in name for name, _ in small.named_parameters())


def test_noise_is_drawn_in_training_alone() -> None:
    net = smash(**SHORT, noise=True).adapted(banks())
    arch, x = net.space.largest(), torch.randn(4, 1, 8, 8)
    with torch.no_grad():
        assert not torch.equal(net.train()(x, arch), net(x, arch))
        net.eval()
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.train()
        assert torch.equal(net(x, arch), net(x, arch))
    found = [train(smash(**SHORT, noise=noise), net=banks(), steps=3) for noise in (True, True, False)]
    weights = [torch.cat([p.detach().flatten() for p in one.net.parameters()]) for one in found]
    assert torch.equal(weights[0], weights[1]), "the seed decides what is drawn"
    assert not torch.equal(weights[0], weights[2])


def test_what_cannot_be_generated_is_refused() -> None:
    with pytest.raises(UsageError, match="has no convolution of kernel 1"):
        smash().adapted(elastic_net())
    with pytest.raises(UsageError, match="growth=0"):
        smash(growth=0).adapted(banks())
    with pytest.raises(UsageError, match="Weights of a HyperNetwork cannot be generated"):
        GenerateWeights()(smash(**SHORT).adapted(banks()))
    with pytest.raises(UsageError, match="at least 1 random one"):
        smash(random=0)
    with pytest.raises(UsageError, match="probability of a perturbation"):
        smash(p=0)


def test_the_seed_is_that_of_the_hypernetwork() -> None:
    def first(seed: int) -> torch.Tensor:
        module = smash(**SHORT, seed=seed).adapted(banks()).module
        return next(module.hyper.parameters()).detach()  # type: ignore[union-attr]

    assert torch.equal(first(0), first(0))
    assert not torch.equal(first(0), first(1))
    assert isinstance(smash().programs[0], TrainTogether)
    assert np.isfinite(first(0).numpy()).all()
