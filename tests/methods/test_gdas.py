"""GDAS: one candidate runs per choice, and all of them learn how good they would have been."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from method_trials import moves, on_digits, published, squares, train
from small_nets import elastic_net, executor, operations_net, step
from supernet import OpChoice, Supernet, zoo
from supernet.errors import UsageError
from supernet.methods import darts, gdas
from supernet.methods.cells.darts import ARCHITECTURE
from supernet.methods.cells.gdas import TEMPERATURE, fixed_reduction_cell
from supernet.nn.output import Output
from supernet.space import Option
from supernet.train import Constant, GumbelOneHot, Move, OptionLogits, Path, Recipe, adam, sgd
from supernet.train.executor import Executor
from supernet.train.relaxations._protocol import Given


def cells(nodes: int = 2) -> Supernet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        operations = ("max_pool_3x3", "skip_connect", "sep_conv_3x3")
        return zoo.darts(channels=4, layers=3, nodes=nodes, operations=operations, in_channels=1, image_size=8)


TRIALS = {
    "gdas": lambda: on_digits(gdas().with_weights(lr=0.1), operations_net()),
    "gdas, fixed reduction cell": lambda: on_digits(gdas(reduction="fixed").with_weights(lr=0.1), cells(), steps=120),
}
ALTERNATIVES = {
    "temperature": 1.0,
    "reduction": "fixed",
    "first": "architecture",
    "exclude": ("none",),
    "weights": sgd(0.1),
    "architecture": adam(0.1),
}
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}
SETTINGS = {"temperature": TEMPERATURE, "reduction": "searched", "first": "weights", "exclude": ()}


def test_defaults_are_those_of_the_released_code() -> None:
    assert published(gdas().weights) == {
        "lr": 0.025,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 5e-4,
        "per": None,
        "clip": 5.0,
        "inactive": "freeze",
        "decay_vectors": True,
        "end": 0.04,
    }
    architecture = gdas().parts["architecture"].updates
    assert architecture is not None
    told = published(architecture)
    assert (told["lr"], told["betas"], told["weight_decay"], told["clip"]) == (3e-4, (0.5, 0.999), 1e-3, None)
    assert isinstance(architecture.schedule, Constant)
    assert gdas().parts == darts().parts, "α begins as in DARTS"
    (program,) = gdas(temperature=3.0).programs
    assert program.relaxation == GumbelOneHot(3.0)  # type: ignore[attr-defined]


def test_the_temperature_falls_from_10_to_a_tenth_from_epoch_to_epoch() -> None:
    net = operations_net()
    epochs, steps = 25, 4
    for index in range(epochs * steps):
        now = replace(step(net, index, total=epochs * steps), steps_per_epoch=steps)
        assert TEMPERATURE(now) == pytest.approx(10 - 9.9 * (index // steps) / (epochs - 1))


def test_the_moves_of_a_step_draw_each_for_itself() -> None:
    found = moves(gdas(), operations_net())
    assert [(move.updates, move.data, len(move.paths)) for move in found] == [
        ("weights", "train", 1),
        ("architecture", "validation", 1),
    ]
    pairs = [moves(gdas(), operations_net(), index=index) for index in range(10)]
    drawn = [[move.paths[0].decisions["block0"].run for move in pair] for pair in pairs]  # type: ignore[union-attr]
    assert any(weights != architecture for weights, architecture in drawn)
    other = moves(gdas(first="architecture"), operations_net())
    assert [move.updates for move in other] == ["architecture", "weights"]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Counter[tuple[str, str]]]:
    """How often each candidate of each choice runs, in every pass that is trained from now on."""
    seen: list[Counter[tuple[str, str]]] = []
    original = Executor.forward

    def noting(self: Executor, *args: Any, **options: Any) -> Output:
        seen.append(Counter())
        hooks = [
            candidate.register_forward_hook(lambda *_, at=(module.choice.name, option): seen[-1].update([at]))
            for module in self.net.modules()
            if isinstance(module, OpChoice)
            for option, candidate in module.candidates.items()
        ]
        output = original(self, *args, **options)
        for hook in hooks:
            hook.remove()
        return output

    monkeypatch.setattr(Executor, "forward", noting)
    return seen


def test_of_every_choice_one_candidate_is_computed(ran: list[Counter[tuple[str, str]]]) -> None:
    train(gdas(), steps=30)
    assert len(ran) == 2 * 30
    assert all(sorted(name for name, _ in one.elements()) == ["block0", "block1"] for one in ran)
    assert len(sum(ran, Counter())) == 6, "every candidate is drawn once at least"
    ran.clear()
    train(darts(), steps=3)
    assert [one.total() for one in ran] == [6] * 6


class Scaled(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def test_all_logits_learn_through_the_numbers_that_are_added() -> None:
    """Eq. 7: y = Σ hₒ oₒ(x) of the drawn o, plus hₒ of the others; so ∂y/∂hₒ is o(x), or 1."""
    factors, temperature = [2.0, -3.0, 0.5], 2.0
    options = {f"o{i}": Scaled(factor) for i, factor in enumerate(factors)}
    net = Supernet(nn.Sequential(OpChoice("block", options), nn.Flatten(), nn.Linear(64, 10, bias=False)))
    linear: Any = net.module[2]  # type: ignore[index]
    logits = OptionLogits(net, scale=0.5, seed=3)
    run = executor(net, squares(), parts={"architecture": logits})
    drawn = set()
    for index in range(12):
        run.begin()
        batch = run.batch("validation")
        now = step(net, index, parts={"architecture": logits})
        decisions = logits.draw(now, GumbelOneHot(temperature), "architecture")
        chosen = int(decisions["block"].weights.argmax())  # type: ignore[union-attr]
        drawn.add(chosen)
        move = Move(updates="architecture", data="validation", paths=[Path(decisions, Total())])
        logits.zero_grad()
        run.backpropagate(move, now)
        found = logits.logits[0].grad
        asked = Given(now, "block", "architecture")
        with asked.seeded():
            noise = -torch.empty(3, dtype=torch.float64).exponential_().log()
        s = ((logits.logits[0].detach().double() + noise) / temperature).softmax(0)
        by_pixel = linear.weight.detach().sum(0).double()
        x = batch.x.flatten(1).double()
        cost = torch.stack(
            [((factors[o] * x if o == chosen else torch.ones_like(x)) @ by_pixel).sum() for o in range(3)]
        )
        expected = s * (cost - (cost * s).sum()) / temperature
        torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-3)
    assert drawn == {0, 1, 2}


class Total:
    """The sum of all logits of the batch: linear in what the block puts out."""

    def __call__(self, outcome: Any) -> Tensor:
        output: Output = outcome.output
        return output.logits.sum()


class Noise(nn.Module):
    """A candidate that puts out noise, whatever the image."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * torch.randn(len(x), 8, *x.shape[-2:])


@pytest.mark.parametrize("useful", [0, 1, 2])
def test_it_derives_the_only_useful_candidate(useful: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        options = {f"option{i}": nn.Conv2d(1, 8, 3, padding=1) if i == useful else Noise() for i in range(3)}
        net = Supernet(
            nn.Sequential(OpChoice("block", options), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 10))
        )
    recipe = gdas(architecture=ARCHITECTURE.with_settings(lr=0.05)).with_weights(lr=0.1)
    trained = train(recipe, net=net, steps=60)
    assert trained.derived is not None
    assert trained.derived["block"] == f"option{useful}"
    assert trained.parts["architecture"].probabilities(GumbelOneHot())["block"][useful] > 0.5


def test_excluded_options_are_not_derived() -> None:
    trained = train(gdas(exclude=("conv1", "conv3")), steps=2)
    assert trained.derived is not None
    assert set(trained.derived.options().values()) == {"skip"}
    with pytest.raises(UsageError, match="no choice of the supernet has it"):
        train(gdas(exclude=("none",)), steps=1)


# -- the fixed reduction cell -----------------------------------------------------------------------------------


def test_the_nodes_of_the_fixed_cell_are_the_four_ways_of_two_operations() -> None:
    net = cells(nodes=4)
    fixed = fixed_reduction_cell(net.space)
    assert all(name.startswith("reduce.") for name in fixed)
    assert [fixed[f"reduce.{node}.inputs"] for node in range(3, 6)] == [[(0, 1)]] * 3, "node 2 has no others"
    pairs = [tuple(fixed[f"reduce.{node}<-{source}"][0] for source in (0, 1)) for node in range(2, 6)]
    assert len(set(pairs)) == 4
    assert {op for pair in pairs for op in pair} == {"sep_conv_3x3", "max_pool_3x3"}
    assert net.space.restrict(fixed).size ** 2 == net.space.size, "the normal cell stays open"


def reduction(recipe: Recipe, nodes: int = 2) -> tuple[dict[str, Option | None], list[Tensor], list[Tensor]]:
    """The reduction cell that is derived, and its logits before and after the training."""
    net = cells(nodes)
    trained = train(recipe, net=net, steps=10)
    assert trained.derived is not None
    logits = trained.parts["architecture"]
    initial = OptionLogits(net)
    inside = [number for number, (choice, _) in enumerate(logits.named()) if choice.name.startswith("reduce.")]
    ends: list[list[Tensor]] = [[list(one.logits)[n].detach() for n in inside] for one in (initial, logits)]
    options = {name: one for name, one in trained.derived.options().items() if name.startswith("reduce.")}
    return options, ends[0], ends[1]


def test_a_fixed_reduction_cell_runs_is_derived_and_learns_no_logits() -> None:
    options, before, after = reduction(gdas(reduction="fixed", architecture=ARCHITECTURE.with_settings(lr=0.1)))
    assert options["reduce.3.inputs"] == (0, 1)
    assert [options[f"reduce.{edge}"] for edge in ("2<-0", "2<-1", "3<-0", "3<-1")] == [
        "sep_conv_3x3",
        "sep_conv_3x3",
        "max_pool_3x3",
        "sep_conv_3x3",
    ]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    _, before, after = reduction(gdas(architecture=ARCHITECTURE.with_settings(lr=0.1)))
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_in_a_fixed_reduction_cell_no_other_operation_runs(ran: list[Counter[tuple[str, str]]]) -> None:
    net = cells()
    train(gdas(reduction="fixed"), net=net, steps=5)
    expected = {(name, of[0]): 2 for name, of in fixed_reduction_cell(net.space).items() if "<-" in name}
    assert len(ran) == 2 * 5, "and the network has two reduction cells"
    for one in ran:
        assert {place: count for place, count in one.items() if place[0].startswith("reduce.")} == expected


def test_what_cannot_be_fixed_or_mixed_is_refused() -> None:
    with pytest.raises(UsageError, match="reduction cell is 'searched' or 'fixed'; got 'frc'"):
        gdas(reduction="frc")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"the space has no choices 'reduce.3.inputs'"):
        train(gdas(reduction="fixed"), steps=1)
    with pytest.raises(UsageError, match="cannot be mixed"):
        train(gdas(), net=elastic_net(), steps=1)


def test_its_decisions_differ_from_those_of_darts() -> None:
    (weights, _) = moves(gdas(), operations_net())
    decisions = weights.paths[0].decisions
    assert np.allclose([sorted(mixture.weights.tolist()) for mixture in decisions.values()], [0, 0, 1])  # type: ignore[union-attr]
