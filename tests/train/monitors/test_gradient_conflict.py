"""Cosines between gradients along a training: measured right, and without a trace."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from method_trials import squares, train, vector
from small_nets import operations_net
from supernet.data import Augment, from_arrays
from supernet.errors import UsageError
from supernet.measure import gradient_conflict, path_gradients
from supernet.methods import darts, dynas, fairnas, spos
from supernet.nn.batch import Batch
from supernet.train import Fixed, GradientConflict, Recipe, Step, TrainPaths, adam, sgd
from supernet.train.executor import Executor

MEASURED = GradientConflict(squares(), every=2, paths=3, images=32)


class Along:
    """A monitor that measures by hand beside the one under test."""

    every = 2

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def __call__(self, step: Step) -> dict[str, float]:
        archs = step.space.wrap(step.space.population(np.random.default_rng(0), 3))
        batch = next(squares().train.batches(32, limit=32))
        between = gradient_conflict(step.net, archs, batch)
        gradients = path_gradients(step.net, archs, batch)
        assert isinstance(step.runner, Executor)
        state = step.runner.steppers["weights"].optimizer.state
        cosines = []
        for gradient in gradients:
            a, b = [], []
            for name, p in step.net.named_parameters():
                inner = name.removeprefix("module.")
                if inner in gradient and p in state:
                    a.append(gradient[inner].flatten())
                    b.append(state[p]["momentum_buffer"].flatten())
            cosines.append(float(F.cosine_similarity(torch.cat(a), torch.cat(b), dim=0)))
        assert between.cosine is not None
        assert between.negative is not None
        self.rows.append({"paths": between.cosine, "negative": between.negative, "momentum": sum(cosines) / 3})
        return {}


def test_the_log_has_the_cosines() -> None:
    along = Along()
    history = train(spos(), steps=6, monitors=[MEASURED, along], log_every=2).history
    assert [row["step"] for row in history] == [2, 4, 6]
    for row, wanted in zip(history, along.rows, strict=True):
        for name, value in wanted.items():
            assert row[f"conflict/{name}"] == pytest.approx(value, rel=1e-3, abs=1e-5)
        assert row["conflict/layer/0"] <= 1
        assert row["conflict/paths, augmented"] == pytest.approx(row["conflict/paths"], abs=0.5)
    assert len({row["conflict/paths"] for row in history}) == 3


@pytest.mark.parametrize("recipe", [spos(), fairnas(), dynas(), darts()])
def test_it_changes_nothing_of_the_training(recipe: Recipe) -> None:
    plain, measured = (train(recipe, steps=6, monitors=monitors, log_every=2) for monitors in ([], [MEASURED]))
    assert torch.equal(vector(plain.net), vector(measured.net))
    assert [row["forwards"] for row in plain.history] == [row["forwards"] for row in measured.history]
    assert all("conflict/paths" in row for row in measured.history)
    buffers = [list(trained.net.buffers()) for trained in (plain, measured)]
    assert all(torch.equal(one, other) for one, other in zip(*buffers, strict=True))


def test_momentum_is_that_of_the_optimiser_and_missing_where_there_is_none() -> None:
    def names(weights: Any) -> set[str]:
        recipe = Recipe(
            name="plain", program=TrainPaths(sampler=Fixed(operations_net().space.smallest())), weights=weights
        )
        return set(train(recipe, steps=2, monitors=[MEASURED]).history[-1])

    assert "conflict/momentum" in names(sgd(0.1))
    assert "conflict/momentum" in names(adam(0.01))
    assert "conflict/momentum" not in names(sgd(0.1, momentum=0.0))


def test_separate_momenta_are_asked_by_the_subnets_group() -> None:
    """Trained on one architecture with momenta by group: another group has none yet."""
    net = operations_net()
    seen: list[dict[str, Any]] = []

    class Look:
        every = 4

        def __call__(self, step: Step) -> dict[str, float]:
            from supernet.train.monitors.gradient_conflict import momentum

            assert isinstance(step.runner, Executor)
            stepper = step.runner.steppers["weights"]
            groups = set(stepper.states)
            for arch in step.space.enumerate():
                assert stepper.updates.states is not None
                from supernet.train import CrossEntropy, Path

                group = stepper.updates.states.group(step, [Path(arch, CrossEntropy())])
                found = momentum(step, arch)
                seen.append({"group": group, "found": bool(found)})
                assert bool(found) == (group in groups and bool(stepper.states[group]))
            return {}

    train(dynas(), net=net, steps=4, monitors=[Look()])
    assert len({row["group"] for row in seen}) == 3
    assert any(row["found"] for row in seen)


def test_augmented_images_are_those_of_the_training() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (80, 8, 8), dtype=np.uint8)
    labels = np.arange(80) % 10
    data = from_arrays(pixels, labels, name="noise", augment=Augment(rotate_degrees=180))
    row = train(spos(), steps=2, monitors=[GradientConflict(data, every=2, images=16)]).history[-1]
    assert row["conflict/paths"] != row["conflict/paths, augmented"]


def test_layers_may_be_left_out_and_too_few_subnets_are_refused() -> None:
    monitor = GradientConflict(squares(), every=2, layers=False)
    assert not any("layer" in name for name in train(spos(), steps=2, monitors=[monitor]).history[-1])
    with pytest.raises(UsageError, match="between 1 subnets on 128 images"):
        GradientConflict(squares(), every=2, paths=1)


def test_pairs_are_all_pairs() -> None:
    net = operations_net()
    archs = list(net.space.enumerate())[:4]
    batch: Batch = next(squares().train.batches(16, limit=16))
    pairs = [gradient_conflict(net, pair, batch).cosine for pair in combinations(archs, 2)]
    known = [cosine for cosine in pairs if cosine is not None]
    assert gradient_conflict(net, archs, batch).cosine == pytest.approx(sum(known) / len(known))
