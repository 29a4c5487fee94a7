"""SDARTS: perturbed mixtures train the weights, clean ones the architecture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from method_trials import moves, on_digits, published, train
from small_nets import elastic_net, operations_net, step
from supernet import Mixture
from supernet.errors import UsageError
from supernet.methods import darts, sdarts
from supernet.methods.cells.sdarts import ADVERSARIAL, RADIUS, RANDOM
from supernet.nn import Decisions
from supernet.settings import build, parse
from supernet.train import Adversarial, Move, Perturbed, Ramp, Recipe, Softmax, Step, adam, sgd
from supernet.train.executor import Executor

TRIALS = {
    "sdarts": lambda: on_digits(sdarts().with_weights(lr=0.1), operations_net()),
    "sdarts, adversarial": lambda: on_digits(
        sdarts(perturbation=ADVERSARIAL).with_weights(lr=0.1), operations_net(), steps=60
    ),
}
ALTERNATIVES = {
    "perturbation": ADVERSARIAL,
    "order": 2,
    "exclude": ("skip",),
    "weights": sgd(0.1),
    "architecture": adam(0.1),
}
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}
SETTINGS = {"perturbation": Perturbed(Softmax(1.0), Ramp(0.03, 0.3)), "order": 1, "exclude": ()}


def test_radius_and_steps_are_the_published_ones() -> None:
    net = operations_net()
    assert RADIUS(step(net, 0, total=1000)) == pytest.approx(0.03)
    assert RADIUS(step(net, 500, total=1001)) == pytest.approx((0.03 + 0.3) / 2)
    assert RADIUS(step(net, 999, total=1000)) == pytest.approx(0.3)
    assert Adversarial(radius=RADIUS, steps=7) == ADVERSARIAL
    assert RANDOM.radius is RADIUS


def test_beside_the_perturbation_it_is_darts() -> None:
    assert published(sdarts().weights) == published(darts().weights)
    for recipe in (sdarts(), sdarts(perturbation=ADVERSARIAL)):
        assert recipe.parts == darts().parts
        assert recipe.derive == darts().derive
        found = moves(recipe, operations_net())
        assert [(move.updates, move.data, len(move.paths)) for move in found] == [
            ("architecture", "validation", 1),
            ("weights", "train", 1),
        ]


def weights_of(move: Move) -> list[Tensor]:
    decisions = move.paths[0].decisions
    assert isinstance(decisions, Decisions)
    return [mixture.weights.detach() for mixture in decisions.values() if isinstance(mixture, Mixture)]


def test_the_weights_meet_noise_and_the_architecture_does_not() -> None:
    net = operations_net()
    clean = [weights_of(move) for move in moves(darts(), net, index=9)]
    noisy = [weights_of(move) for move in moves(sdarts(), net, index=9)]
    assert all(torch.equal(a, b) for a, b in zip(clean[0], noisy[0], strict=True))
    assert all((a - b).abs().max() > 0.02 for a, b in zip(clean[1], noisy[1], strict=True))


def test_the_ascent_is_of_the_weights_move_alone() -> None:
    on_architecture, on_weights = moves(sdarts(perturbation=ADVERSARIAL), operations_net())
    assert on_architecture.gradient is None
    assert on_weights.gradient == ADVERSARIAL
    for order, expected in ((1, False), (2, True)):
        first, _ = moves(sdarts(perturbation=ADVERSARIAL, order=order), operations_net())
        assert (first.gradient is not None) == expected


def trained_weights(recipe: Recipe) -> list[Tensor]:
    return [parameter.detach() for parameter in train(recipe, steps=5).net.parameters()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_without_a_radius_it_is_darts_bitwise_and_with_one_each_kind_differs() -> None:
    plain = trained_weights(darts())
    nothing = sdarts(perturbation=Adversarial(radius=0.0))
    assert same(plain, trained_weights(nothing))
    found = [plain, trained_weights(sdarts()), trained_weights(sdarts(perturbation=ADVERSARIAL))]
    assert not any(same(a, b) for number, a in enumerate(found) for b in found[:number])


def test_the_loop_trains_the_weights_on_a_larger_loss_than_that_of_the_clean_mixture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[float, float]] = []
    original = Adversarial.worst

    def noting(self: Adversarial, executor: Executor, path: Any, move: Move, now: Step, number: int = 0) -> Any:
        found = original(self, executor, path, move, now, number)
        losses = [
            executor.run(replace(one, learns=False, dropout=False), executor.batch(move.data), now)[0].item()
            for one in (path, found)
        ]
        seen.append((losses[0], losses[1]))
        return found

    monkeypatch.setattr(Adversarial, "worst", noting)
    train(sdarts(perturbation=Adversarial(radius=0.2)), steps=6)
    assert len(seen) == 6
    assert all(worst >= clean for clean, worst in seen)
    assert sum(worst > clean + 1e-4 for clean, worst in seen) >= 5


def test_noise_differs_from_step_to_step() -> None:
    net = operations_net()
    one, other = (weights_of(moves(sdarts(), net, index=index)[1]) for index in (8, 9))
    assert not any(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_command_line_reaches_both_kinds() -> None:
    made = build("methods", "sdarts", parse(["perturbation=Adversarial", "perturbation.steps=3"]))
    assert made.program.weights_gradient == Adversarial(radius=RADIUS, steps=3)
    assert made.program.weights_relaxation is None
    assert build("methods", "sdarts", parse(["perturbation.radius=0.1"])).program.weights_relaxation == Perturbed(
        Softmax(), 0.1
    )


@pytest.mark.parametrize("given", [Softmax(), "Adversarial", None])
def test_what_perturbs_nothing_is_refused_where_it_is_given(given: Any) -> None:
    """Rather than trained as DARTS under another name."""
    with pytest.raises(UsageError, match="Perturbed or Adversarial"):
        sdarts(perturbation=given)


def test_it_refuses_sizes() -> None:
    with pytest.raises(UsageError, match="cannot be mixed"):
        train(sdarts(), net=elastic_net(), steps=1)
