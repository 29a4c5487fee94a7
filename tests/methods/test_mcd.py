"""MCD: what each of its three steps moves, what it moves it by, and that it adapts."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from method_trials import published, train, vector
from small_nets import elastic_net, executor, operations_net, step
from supernet import Supernet, data, deploy
from supernet.errors import UsageError
from supernet.methods import mcd, spos
from supernet.methods.final.mcd import NASDA
from supernet.train import (
    AgainstClassifiers,
    CrossEntropy,
    Disagreement,
    Fixed,
    FurtherClassifiers,
    Move,
    Recipe,
    TrainPaths,
    adam,
    fit,
    sgd,
)
from supernet.train.laws import Trial
from supernet.train.state import TrainingState
from two_domains import domains

DATA = domains


def alone() -> Trial:
    net = operations_net()
    recipe = mcd(weights=adam(5e-3)).alone(net.space.largest())
    return Trial(recipe=recipe, net=net, data=domains(), steps=40)


TRIALS = {
    "mcd": lambda: Trial(
        recipe=mcd(classifiers=3, repeat=1, weights=adam(1e-2)), net=operations_net(), data=domains(), steps=40
    ),
    "mcd, alone": alone,
}
ALTERNATIVES = {
    "classifiers": 4,
    "repeat": 2,
    "distance": "sum",
    "label_smoothing": 0.1,
    "weights": sgd(0.05),
    "heads": sgd(0.1),
}
SETTINGS = {"classifiers": 2, "repeat": 4, "distance": "mean", "heads": None}
REFUSED_BY = frozenset({"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"})


class Bench:
    """A recipe for one architecture in the middle of its training, one move at a time."""

    def __init__(self, **options: Any) -> None:
        self.net = operations_net().train()
        self.arch = self.net.space.largest()
        self.recipe = mcd(**options).alone(self.arch)
        self.state = TrainingState(self.net, self.recipe, seed=0, batch_size=16)
        told: Any = self.recipe.data
        self.run = executor(self.net, told(domains()), recipe=self.recipe)
        self.run.steppers = self.state.steppers
        self.now = replace(step(self.net, parts=self.state.parts), runner=self.run)
        (program,) = self.recipe.programs
        self.moves = [move for move in program.moves(self.now) if isinstance(move, Move)]

    def families(self) -> dict[str, Tensor]:
        """All parameters of each family, and the buffers, as they are."""
        found = {
            name: torch.cat([p.detach().flatten().clone() for p in stepper.parameters])
            for name, stepper in self.state.steppers.items()
        }
        return {**found, "buffers": torch.cat([b.flatten().double().clone() for b in self.net.buffers()])}

    def changed(self, move: Move) -> set[str]:
        before = self.families()
        self.run.execute(move, self.now)
        return {name for name, value in self.families().items() if not torch.equal(value, before[name])}

    def logits(self, split: str) -> list[Tensor]:
        """Of every classifier on the batch of a split, by torch alone."""
        seen: list[Tensor] = []
        (last,) = (m for m in self.net.modules() if isinstance(m, nn.Linear))
        handle = last.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        own = self.net(self.run.batch(split).x, self.arch)
        further: Any = self.state.parts["classifiers"]
        found = [own, *(seen[0] @ head.weight.T + head.bias for head in further)]
        handle.remove()
        return found

    def contradiction(self) -> float:
        """Σ over pairs of mean |p_i − p_j|, in NumPy."""
        every = [np.exp(logits.detach().numpy()) for logits in self.logits("target")]
        ps = [e / e.sum(1, keepdims=True) for e in every]
        return float(sum(np.abs(p - q).mean() for p, q in itertools.combinations(ps, 2)))

    def still(self) -> Bench:
        """The same without dropout and with BatchNorms as they are, so that two passes agree."""
        self.net.eval()
        return self


def test_settings_are_the_released_ones() -> None:
    recipe = mcd()
    told = published(recipe.weights)
    assert (told["lr"], told["betas"], told["weight_decay"], told["end"]) == (2e-4, (0.9, 0.999), 5e-4, 1.0)
    assert [part.updates for part in recipe.parts.values()] == [recipe.weights, recipe.weights]
    assert recipe.program == AgainstClassifiers(objective=CrossEntropy(), repeat=4, distance="mean")
    assert recipe.parts["classifiers"].build == FurtherClassifiers(count=1)  # type: ignore[union-attr]
    assert mcd(heads=sgd(0.3)).parts["classifier"].updates == sgd(0.3)
    assert mcd(**NASDA).program == AgainstClassifiers(objective=CrossEntropy(), repeat=4, distance="sum")


def test_each_step_moves_what_it_shall_and_nothing_else() -> None:
    bench = Bench(classifiers=3, repeat=3)
    told = [(move.families, move.data) for move in bench.moves]
    every, both = ("weights", "classifier", "classifiers"), ("classifier", "classifiers")
    assert told == [(every, "train"), (both, "train"), *[(("weights",), "train")] * 3]
    assert bench.changed(bench.moves[0]) == {*every, "buffers"}
    assert bench.changed(bench.moves[1]) == {*both}, "the features are fixed, their statistics too"
    assert bench.changed(bench.moves[2]) == {"weights", "buffers"}, "the classifiers are fixed"
    assert set(map(id, bench.state.steppers["classifier"].parameters)) == set(
        map(id, [p for m in bench.net.modules() if isinstance(m, nn.Linear) for p in m.parameters()])
    )


@pytest.mark.parametrize(("classifiers", "distance"), [(2, "mean"), (4, "mean"), (3, "sum")])
def test_the_losses_are_the_published_ones(classifiers: int, distance: Any) -> None:
    """Cross-entropy of all classifiers with labels of the source; the distance of all pairs on the target."""
    bench = Bench(classifiers=classifiers, distance=distance).still()
    labels = bench.run.batch("train").labels
    source = sum(nn.functional.cross_entropy(z, labels).item() for z in bench.logits("train"))
    apart = bench.contradiction() * (10 if distance == "sum" else 1)
    assert apart > 1e-3
    losses = [[_loss(bench, move, place) for place in range(len(move.paths))] for move in bench.moves[:3]]
    assert losses == [
        [pytest.approx(source, rel=1e-5)],
        [pytest.approx(source, rel=1e-5), pytest.approx(-apart, rel=1e-4)],
        [pytest.approx(apart, rel=1e-4)],
    ]


def _loss(bench: Bench, move: Move, place: int) -> float:
    with torch.no_grad():
        return float(bench.run.run(move.paths[place], bench.run.batch("train"), bench.now)[0])


def test_gradients_go_through_every_classifier() -> None:
    """All of them teach the features, in the first step by labels and in the third by what they disagree on."""
    bench = Bench(classifiers=3).still()
    labels, weights = bench.run.batch("train").labels, bench.state.steppers["weights"].parameters
    ps = [z.softmax(1) for z in bench.logits("target")]
    apart = torch.stack([(p - q).abs().mean() for p, q in itertools.combinations(ps, 2)]).sum()
    source = torch.stack([nn.functional.cross_entropy(z, labels) for z in bench.logits("train")]).sum()
    for move, loss, family in (
        (bench.moves[0], source, weights),
        (bench.moves[2], apart, weights),
        (bench.moves[1], source - apart, bench.state.steppers["classifiers"].parameters),
    ):
        expected = torch.autograd.grad(loss, family, allow_unused=True, retain_graph=True)
        bench.run.backpropagate(move, bench.now)
        pairs = [(p.grad, e) for p, e in zip(family, expected, strict=True) if e is not None]
        assert len(pairs) >= 4
        for found, wanted in pairs:
            assert found is not None
            assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-7)
        bench.net.zero_grad()
        bench.state.parts["classifiers"].zero_grad()


def test_classifiers_come_to_contradict_each_other_and_features_reconcile_them() -> None:
    bench = Bench(weights=adam(2e-3), distance="sum", heads=adam(1e-2)).still()
    told = [bench.contradiction()]
    for _ in range(8):
        bench.run.execute(bench.moves[1], bench.now)
    told.append(bench.contradiction())
    for _ in range(8):
        bench.run.execute(bench.moves[2], bench.now)
    told.append(bench.contradiction())
    assert told[1] > 1.1 * told[0]
    assert told[2] < 0.9 * told[1]


def test_a_step_of_n_repetitions_is_three_and_n_passes() -> None:
    net = operations_net()
    for repeat in (1, 4):
        recipe = mcd(repeat=repeat).alone(net.space.largest())
        row = fitted(recipe, domains(), steps=2).history[-1]
        assert (row["forwards"], row["backwards"]) == (2 * (3 + repeat), 2 * (3 + repeat))


def fitted(recipe: Recipe, found: Any, *, steps: int = 3) -> Any:
    return fit(operations_net(), recipe, found, steps=steps, batch_size=16, accelerator="cpu", progress=False)


def test_labels_of_the_target_change_no_bit_of_a_training() -> None:
    recipe = mcd(weights=adam(5e-3)).alone(operations_net().space.largest())
    one, other = (fitted(recipe, domains(poison=poison, augment=True)) for poison in (None, 3))
    assert torch.equal(vector(one.net), vector(other.net))
    assert torch.equal(vector(one.parts["classifiers"]), vector(other.parts["classifiers"]))


def test_one_architecture_alone_keeps_the_steps_the_classifiers_and_the_target() -> None:
    recipe, arch = mcd(), operations_net().space.largest()
    found = recipe.alone(arch)
    assert found.program == AgainstClassifiers(drawn=Fixed(arch), objective=CrossEntropy())
    assert (found.parts, found.data, found.weights) == (recipe.parts, recipe.data, recipe.weights)
    assert isinstance(spos().alone(arch).program, TrainPaths), "others train their loss in one move"


def test_a_retrained_network_has_one_classifier_and_is_exported_with_it() -> None:
    net, found = operations_net(), domains()
    arch = net.space.largest()
    options: dict[str, Any] = {"batch_size": 16, "accelerator": "cpu", "progress": False}
    trained = deploy.retrained(net, arch, found, steps=3, recipe=mcd(), **options)
    assert trained.calibrated_for == (arch,)
    subnet = trained.extract(arch).eval()
    assert sum(isinstance(module, nn.Linear) for module in subnet.modules()) == 1
    batch = next(found.test.batches(8))
    with torch.no_grad():
        assert torch.allclose(subnet(batch.x), trained.eval()(batch.x, arch), atol=1e-5)


@pytest.mark.slow
def test_it_adapts_to_blurred_digits() -> None:
    """One architecture, two digit domains: accuracies on images of the target that nobody has trained on."""
    found = data.digit_domains(domains=("plain", "blurred"), target="blurred", adapt=0.5, augment=data.Augment())
    net = operations_net(channels=16)
    arch = net.space.largest()

    def accuracy(recipe: Recipe) -> float:
        trained = deploy.retrained(
            net, arch, found, steps=150, recipe=recipe, batch_size=64, accelerator="cpu", progress=False
        )
        return _accuracy(trained.eval(), arch, found)

    rate = adam(5e-3, weight_decay=5e-4)
    source, adapted = accuracy(replace(spos(label_smoothing=0.0), weights=rate)), accuracy(mcd(weights=rate))
    assert adapted > source + 0.05, (source, adapted)


def _accuracy(net: Supernet, arch: Any, found: data.ImageData) -> float:
    batch = next(found.test.batches(1000))
    with torch.no_grad():
        return float((net(batch.x, arch).argmax(1) == batch.y).float().mean())


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classifiers": 1}, "0 classifiers beside the network's own"),
        ({"repeat": 0}, "stepped 0 times"),
        ({"distance": "max"}, "'mean' or 'sum' over the classes; got 'max'"),
    ],
)
def test_values_outside_their_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        mcd(**options)


def test_what_does_not_fit_is_refused_before_training() -> None:
    with pytest.raises(UsageError, match="no further split 'target'"):
        train(mcd())
    net = operations_net()
    before = vector(net).clone()
    with pytest.raises(UsageError, match="In the split 'target' of domains without dim: batch_size=32 needs 32 images"):
        fit(net, mcd(), domains(adapt=0.1), steps=1, batch_size=32, accelerator="cpu", progress=False)
    assert torch.equal(vector(net), before)
    with pytest.raises(UsageError, match="their number depends on the architecture"):
        fit(elastic_net(), mcd(), domains(), steps=1, batch_size=16, accelerator="cpu", progress=False)
    plain = TrainPaths(sampler=Fixed(net.space.largest()), objective=Disagreement())
    with pytest.raises(UsageError, match="One classifier alone cannot be contradicted"):
        train(Recipe(name="one", program=plain, weights=sgd(0.1)))
