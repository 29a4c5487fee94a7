"""SNAS: one gradient for weights and architecture, through samples that grow cold, with the price of what they take."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from method_trials import digits, moves, on_digits, published, squares, train
from small_nets import elastic_net, executor, operations_net, step
from supernet import OpChoice, Supernet, zoo
from supernet.errors import UsageError
from supernet.methods import darts, snas
from supernet.methods.cells.snas import (
    ARCHITECTURE,
    ARCHITECTURE_ONE_GPU,
    COSTS,
    TEMPERATURE,
    TEMPERATURE_NAS_BENCH_201,
)
from supernet.nn import Decisions, EdgeWeights, Mixture
from supernet.space.restriction import Restriction
from supernet.train import (
    CrossEntropy,
    ExpectedCost,
    GumbelOneHot,
    GumbelSoftmax,
    OptionLogits,
    Path,
    Recipe,
    SingleLevel,
    sgd,
)
from supernet.train.executor import Executor
from supernet.train.fit import Trained
from supernet.train.laws import Trial
from supernet.train.move import Move
from supernet.train.relaxations._protocol import Given
from supernet.train.state import TrainingState


def accuracy(trained: Trained) -> float:
    """Of the derived architecture on validation images, with the batch norm statistics of their batch."""
    assert trained.derived is not None
    net = copy.deepcopy(trained.net).train()
    batch = next(digits().validation.batches(256, limit=256))
    with torch.no_grad():
        return float((net(batch.x, trained.derived).argmax(1) == batch.y).float().mean())


def single_level(recipe: Recipe) -> Trial:
    """The one loss is that of weights and architecture, so that the log has none of the weights alone."""
    recipe = recipe.with_weights(lr=0.1)
    return replace(on_digits(recipe, operations_net(), steps=100), measure=accuracy, least=0.25)


TRIALS = {
    "snas": lambda: single_level(snas()),
    "snas, hard samples and costs": lambda: single_level(snas(samples="hard", costs=COSTS)),
    "snas, two levels": lambda: on_digits(
        snas(levels=2, temperature=TEMPERATURE_NAS_BENCH_201, costs=COSTS).with_weights(lr=0.1), operations_net()
    ),
}
ALTERNATIVES = {
    "levels": 2,
    "samples": "hard",
    "temperature": 1.0,
    "costs": COSTS,
    "drop_path": 0.3,
    "exclude": ("none",),
    "weights": sgd(0.1),
    "architecture": ARCHITECTURE_ONE_GPU,
}
SETTINGS = {
    "levels": 1,
    "samples": "soft",
    "temperature": TEMPERATURE,
    "costs": (),
    "drop_path": 0.0,
    "exclude": (),
}
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}


def test_defaults_are_the_published_ones() -> None:
    told = published(snas().weights)
    assert told == published(darts().weights), "those of DARTS"
    assert (told["lr"], told["momentum"], told["weight_decay"], told["clip"], told["end"]) == (
        0.025,
        0.9,
        3e-4,
        5,
        0.04,
    )
    architecture = published(ARCHITECTURE)
    assert (architecture["lr"], architecture["betas"], architecture["weight_decay"]) == (3e-4, (0.5, 0.999), 1e-3)
    assert architecture["clip"] == published(ARCHITECTURE_ONE_GPU)["clip"] == 10.0
    one_gpu = published(ARCHITECTURE_ONE_GPU)
    assert (one_gpu["lr"], one_gpu["momentum"], one_gpu["weight_decay"]) == (3e-4, 0.0, 0.0)
    assert snas().parts["architecture"].updates == ARCHITECTURE
    assert [(one.cost, one.logarithm, one.weight) for one in COSTS] == [
        ("params", "choices", 5e-4),
        ("macs", "choices", 5e-4),
    ]


def test_logits_begin_around_1() -> None:
    net = zoo.nasbench201(channels=4, cells=1)
    (logits,) = TrainingState(net, snas(), seed=0, batch_size=16).parts.values()
    every = torch.cat([p.detach() for p in logits.parameters()])
    assert every.mean().item() == pytest.approx(1.0, abs=0.01)
    assert every.std().item() == pytest.approx(0.01, rel=0.4)


@pytest.mark.parametrize(
    ("temperature", "epochs", "formula"),
    [
        (TEMPERATURE, 150, lambda e: 1 - 0.97 * e / 149),
        (TEMPERATURE_NAS_BENCH_201, 100, lambda e: 10 - 9 * e / 100),
    ],
)
def test_samples_grow_cold_from_epoch_to_epoch(temperature: Any, epochs: int, formula: Any) -> None:
    net = operations_net()
    for index in range(0, 2 * epochs, 7):
        now = replace(step(net, index, total=2 * epochs), steps_per_epoch=2)
        assert temperature(now) == pytest.approx(formula(index // 2))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [(("weights", "architecture"), "train")]),
        ({"levels": 2}, [("architecture", "validation"), ("weights", "train")]),
    ],
)
def test_the_moves_of_a_step(options: dict[str, Any], expected: list[tuple[Any, str]]) -> None:
    found = moves(snas(**options), operations_net())
    assert [(move.updates, move.data) for move in found] == expected


class Scaled(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


class Total:
    """The sum of all logits of the batch: linear in what the block puts out."""

    def __call__(self, outcome: Any) -> Tensor:
        found: Tensor = outcome.logits.sum()
        return found


@pytest.mark.parametrize("samples", ["soft", "hard"])
def test_one_gradient_is_that_of_weights_and_of_logits(samples: Any) -> None:
    """y = Σ hₒ oₒ(x): ∂y/∂hₒ is o(x) for every o, whether h is soft or one-hot; ∂y/∂(weight of o) goes with hₒ."""
    factors, temperature = [2.0, -3.0, 0.5], 2.0
    options = {f"o{i}": Scaled(factor) for i, factor in enumerate(factors)}
    net = Supernet(nn.Sequential(OpChoice("block", options), nn.Flatten(), nn.Linear(64, 10, bias=False)))
    linear: Any = net.module[2]  # type: ignore[index]
    logits = OptionLogits(net, scale=0.5, seed=3)
    run = executor(net, squares(), parts={"architecture": logits})
    (program,) = snas(samples=samples, temperature=temperature).programs
    for index in range(6):
        run.begin()
        now = step(net, index, parts={"architecture": logits})
        (move,) = program.moves(now)
        assert isinstance(move, Move)
        move = replace(move, paths=[Path(move.paths[0].decisions, Total())])
        net.zero_grad()
        logits.zero_grad()
        run.backpropagate(move, now)
        x = (run.batch("train").x.flatten(1) @ linear.weight.detach().sum(0)).sum()
        soft = GumbelSoftmax(temperature).mixture(logits.logits[0].detach(), Given(now, "block", "weights")).weights
        hard = torch.nn.functional.one_hot(soft.argmax(), 3).float()
        cost = torch.tensor(factors) * x
        expected = soft * (cost - (cost * soft).sum()) / temperature
        torch.testing.assert_close(logits.logits[0].grad, expected, rtol=1e-3, atol=1e-3)
        for scaled, share in zip(options.values(), soft if samples == "soft" else hard, strict=True):
            torch.testing.assert_close(scaled.factor.grad, share * x, rtol=1e-3, atol=1e-3)


def test_of_drawn_samples_one_candidate_is_computed() -> None:
    (program,) = snas(samples="drawn").programs
    assert program.relaxation == GumbelOneHot(snas().programs[0].relaxation.temperature, run="drawn")  # type: ignore[attr-defined]
    (move,) = moves(snas(samples="drawn"), operations_net())
    mixtures = [value for value in move.paths[0].decisions.values() if isinstance(value, Mixture)]
    assert mixtures
    for mixture in mixtures:
        assert mixture.run == (int(mixture.weights.argmax()),)


def test_samples_are_soft_or_hard_and_every_candidate_is_computed() -> None:
    for samples, kind in (("soft", GumbelSoftmax), ("hard", GumbelOneHot)):
        recipe = snas(samples=samples)  # type: ignore[arg-type]
        (program,) = recipe.programs
        assert isinstance(program, SingleLevel)
        assert isinstance(program.relaxation, kind)
        (move,) = moves(recipe, operations_net())
        for mixture in move.paths[0].decisions.values():
            assert mixture.run is None  # type: ignore[union-attr]
            assert (mixture.weights.max() == 1) == (samples == "hard")  # type: ignore[union-attr]


def test_decided_logits_move_no_more() -> None:
    net = operations_net()
    logits = OptionLogits(net)
    restriction = Restriction(net.space)
    (program,) = snas().programs
    found = []
    for name in net.space.names:
        restriction.decide(name, "skip")
        (move,) = program.moves(replace(step(net, parts={"architecture": logits}), restriction=restriction))
        assert isinstance(move, Move)
        found.append(move.updates)
    assert found == [("weights", "architecture"), ("weights",)]


def test_excluded_options_are_not_derived() -> None:
    trained = train(snas(exclude=("conv1", "conv3")), steps=2)
    assert trained.derived is not None
    assert set(trained.derived.options().values()) == {"skip"}
    with pytest.raises(UsageError, match="no choice of the supernet has it"):
        train(snas(exclude=("none",)), steps=1)


# -- what it finds --------------------------------------------------------------------------------------------------


class Noise(nn.Module):
    """A candidate that puts out noise, whatever the image."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * torch.randn(len(x), 8, *x.shape[-2:])


def fast(**options: Any) -> Recipe:
    return snas(architecture=ARCHITECTURE.with_settings(lr=0.05), **options).with_weights(lr=0.1)


@pytest.mark.parametrize("options", [{}, {"levels": 2}, {"samples": "hard"}], ids=["", "two levels", "hard"])
def test_it_derives_the_only_useful_candidate(options: dict[str, Any]) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        candidates = {f"option{i}": nn.Conv2d(1, 8, 3, padding=1) if i == 1 else Noise() for i in range(3)}
        net = Supernet(
            nn.Sequential(OpChoice("block", candidates), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 10))
        )
    trained = train(fast(**options), net=net, steps=60)
    assert trained.derived is not None
    assert trained.derived["block"] == "option1"


@pytest.mark.parametrize("levels", [1, 2])
def test_costs_turn_the_architecture_to_what_is_cheap(levels: Any) -> None:
    cost = ExpectedCost("macs", weight=1e-3)
    trained = train(fast(levels=levels, costs=(cost,)), steps=60)
    assert trained.derived is not None
    assert set(trained.derived.options().values()) == {"skip"}
    dear = train(fast(levels=levels, costs=(replace(cost, weight=-1e-3),)), steps=15)
    assert dear.derived is not None
    assert set(dear.derived.options().values()) == {"conv3"}


def test_costs_have_a_gradient_to_logits_alone_and_columns_in_the_log() -> None:
    plain, priced = (train(snas(costs=costs), steps=1) for costs in ((), COSTS))
    for one, other in zip(plain.net.parameters(), priced.net.parameters(), strict=True):
        assert torch.equal(one, other)
    row = priced.history[-1]
    assert {"term/loss", "term/cost/params", "term/cost/macs"} <= set(row)
    priced_loss = row["term/loss"] + row["term/cost/params"] + row["term/cost/macs"]
    assert row["loss"] == pytest.approx(priced_loss)
    recipe = snas(levels=2, costs=COSTS)
    (program,) = recipe.programs
    assert program.objective == CrossEntropy(), "the weights' loss has no price"  # type: ignore[attr-defined]
    row = train(recipe, steps=1).history[-1]
    priced_loss = row["term/loss"] + row["term/cost/params"] + row["term/cost/macs"]
    assert row["loss/architecture"] == pytest.approx(priced_loss)


# -- the space of DARTS ---------------------------------------------------------------------------------------------


def test_in_the_space_of_darts_every_edge_is_kept_and_drop_path_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    original = Executor.forward

    def noting(self: Executor, target: Any, batch: Any, **options: Any) -> Any:
        seen.append((options.get("settings") or {}).get("drop_path", 0.0))
        return original(self, target, batch, **options)

    monkeypatch.setattr(Executor, "forward", noting)
    net = zoo.darts(channels=4, layers=3, nodes=2, inputs="all", none=True, in_channels=1, image_size=8)
    trained = train(snas(drop_path=0.3, costs=COSTS), net=net, steps=2)
    assert seen == [0.3, 0.3]
    assert trained.derived is not None
    assert len(trained.derived.options()) == 2 * 5
    decisions = moves(snas(), net)[0].paths[0].decisions
    assert isinstance(decisions, Decisions)
    assert all(
        torch.equal(one.weights, torch.ones(len(one.weights)))
        for one in decisions.values()
        if isinstance(one, EdgeWeights)
    )


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="1 level or 2, and samples are 'soft', 'hard' or 'drawn'; got 3 and 'soft'"):
        snas(levels=3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="got 1 and 'some'"):
        snas(samples="some")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"drop-path is 1.0; give one in \[0, 1\)"):
        snas(drop_path=1.0)
    with pytest.raises(UsageError, match="cannot be mixed"):
        train(snas(), net=elastic_net(), steps=1)
    with pytest.raises(UsageError, match="drop_path"):
        train(snas(drop_path=0.3), steps=1)
