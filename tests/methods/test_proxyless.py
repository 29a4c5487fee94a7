"""ProxylessNAS: one path for the weights, two for the architecture, latency in the loss."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from latency_devices import Additive
from method_trials import on_digits, published, train
from small_nets import elastic_net, executor, images, operations_net, step
from supernet import OpChoice, Supernet, zoo
from supernet.errors import UsageError
from supernet.measure import LatencyTable
from supernet.methods import proxyless
from supernet.methods.macro.proxyless import ARCHITECTURE, PLAIN, WARM_UP
from supernet.nn.output import Output
from supernet.space import Arch
from supernet.train import (
    Constant,
    CrossEntropy,
    ExpectedCost,
    Monitor,
    OptionLogits,
    PathsAndGates,
    PlusCost,
    Recipe,
    TimesCost,
    TrainPaths,
    adam,
    sgd,
)
from supernet.train.executor import Executor
from supernet.train.laws import Trial
from supernet.train.move import Move
from supernet.train.parametrisations.option_logits import LogitPerOption
from supernet.train.step import Step


def trial(**options: Any) -> Trial:
    recipe = proxyless(warm_up_weights=WARM_UP.with_settings(lr=0.1), **options).with_weights(lr=0.1)
    tried = on_digits(recipe, operations_net(), steps=120)
    return Trial(recipe=tried.recipe, net=tried.net, data=tried.data, steps=tried.steps, watched=20)


MACS = ExpectedCost("macs", of="probabilities")
TRIALS = {
    "proxyless": trial,
    "proxyless, all gates and a price": lambda: trial(gates="all", architecture_objective=TimesCost(MACS, 1000.0)),
}
ALTERNATIVES = {
    "gates": "all",
    "warm_up": 0.0,
    "every": 2,
    "begin": 0.5,
    "label_smoothing": 0.2,
    "architecture_objective": PlusCost(MACS, 1000.0),
    "weights": sgd(0.1),
    "warm_up_weights": sgd(0.3),
    "architecture": adam(0.1),
}
SETTINGS = {
    "gates": "two",
    "warm_up": 0.25,
    "every": 5,
    "begin": 1 / 120,
    "architecture_objective": PLAIN,
}
SMOOTHING = 0.1
SHORT = {"warm_up": 0.5, "every": 1}
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}


def test_defaults_are_those_of_the_released_code() -> None:
    recipe = proxyless()
    first, rest = recipe.phases
    expected = {
        "lr": 0.025,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 4e-5,
        "per": None,
        "clip": None,
        "inactive": "freeze",
        "decay_vectors": True,
        "end": 0.0,
    }
    assert published(recipe.weights) == expected
    assert published(first.updates["weights"]) == {**expected, "lr": 0.05}
    assert (first.share, rest.share, rest.restart) == (0.25, 0.75, False)
    assert rest.updates == {}
    assert isinstance(first.program, TrainPaths)
    assert isinstance(rest.program, PathsAndGates)
    assert (rest.program.objective, rest.program.architecture_objective) == (CrossEntropy(0.1), CrossEntropy(0.0))
    updates = recipe.parts["architecture"].updates
    assert updates == ARCHITECTURE
    assert recipe.parts["architecture"].build == LogitPerOption(scale=1e-3)
    told = published(ARCHITECTURE)
    assert (told["lr"], told["betas"], told["weight_decay"], told["clip"]) == (1e-3, (0.0, 0.999), 0.0, None)
    assert isinstance(ARCHITECTURE.schedule, Constant)


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Any, Move]]:
    """Step, family and move of all that is trained from now on."""
    seen: list[tuple[int, Any, Move]] = []
    original = Executor.execute

    def noting(self: Executor, move: Move, now: Step) -> Any:
        seen.append((now.done, move.updates, move))
        return original(self, move, now)

    monkeypatch.setattr(Executor, "execute", noting)
    return seen


def test_weights_warm_up_and_the_architecture_moves_in_every_fifth_step(executed: list[tuple[int, Any, Move]]) -> None:
    train(proxyless(begin=0.1), steps=80)
    weights = [move for _, family, move in executed if family == "weights"]
    assert len(weights) == 80
    assert all(isinstance(move.paths[0].decisions, Arch) for move in weights)
    # the search begins at step 20, and α waits for 6 of its 60 steps
    assert [done for done, family, _ in executed if family == "architecture"] == list(range(29, 80, 5))
    executed.clear()
    train(proxyless(warm_up=0.0, begin=0.0, every=3), steps=9)
    assert [done for done, family, _ in executed if family == "architecture"] == [2, 5, 8]
    assert [family for done, family, _ in executed if done == 2] == ["weights", "architecture"]


def test_the_learning_rate_of_the_warm_up_falls_to_0_before_that_of_the_search_begins() -> None:
    rates = {row["step"]: row["lr"] for row in train(proxyless(), steps=40, log_every=1).history}
    assert rates[1] == 0.05
    assert rates[10] < 0.002
    assert rates[11] == 0.025
    assert rates[40] < 1e-4


def test_one_candidate_runs_for_the_weights_and_two_for_the_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, Counter[str]]] = []
    original = Executor.forward

    def noting(self: Executor, target: Any, batch: Any, **options: Any) -> Output:
        seen.append((isinstance(target, Arch), Counter()))
        hooks = [
            candidate.register_forward_hook(lambda *_, at=module.choice.name: seen[-1][1].update([at]))
            for module in self.net.modules()
            if isinstance(module, OpChoice)
            for candidate in module.candidates.values()
        ]
        output = original(self, target, batch, **options)
        for hook in hooks:
            hook.remove()
        return output

    monkeypatch.setattr(Executor, "forward", noting)
    train(proxyless(every=1, begin=0.0), steps=8)
    assert [single for single, _ in seen].count(False) == 6
    for single, ran in seen:
        count = 1 if single else 2
        assert ran == {"block0": count, "block1": count}
    seen.clear()
    train(proxyless(every=1, begin=0.0, gates="all"), steps=4)
    assert [ran["block0"] for single, ran in seen if not single] == [3, 3, 3]


# -- what α learns --------------------------------------------------------------------------------------------------


class Kept(Monitor):
    """Keeps the logits after every step."""

    every = 1

    def __init__(self) -> None:
        self.seen: list[list[Tensor]] = []

    def __call__(self, step: Step) -> dict[str, float]:
        self.seen.append([one.detach().clone() for one in step.part("architecture", OptionLogits).logits])
        return {}


def test_a_step_moves_two_options_of_every_choice_and_the_others_keep_their_share(
    executed: list[tuple[int, Any, Move]],
) -> None:
    kept = Kept()
    recipe = proxyless(warm_up=0.0, begin=0.0, every=1, architecture=ARCHITECTURE.with_settings(lr=0.1))
    train(recipe, steps=12, monitors=[kept])
    moved = [move for _, family, move in executed if family == "architecture"]
    for move, (before, after) in zip(moved[1:], pairwise(kept.seen), strict=True):
        for mixture, old, new in zip(move.paths[0].decisions.values(), before, after, strict=True):
            run = list(mixture.run)  # type: ignore[union-attr]
            (left,) = {0, 1, 2} - set(run)
            assert new[left] == old[left], "Adam without momentum leaves it where it is"
            torch.testing.assert_close(new.softmax(0)[left], old.softmax(0)[left], rtol=1e-5, atol=1e-6)
            ups = (new.softmax(0)[run] > old.softmax(0)[run]).sum()
            assert ups == 1, "one of the two gains what the other loses"
    assert len({tuple(move.paths[0].decisions["block0"].run) for move in moved}) > 2  # type: ignore[union-attr, arg-type]


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


@pytest.mark.parametrize("gates", ["two", "all"])
def test_the_gradient_is_that_of_equation_4_on_a_linear_toy(gates: Any) -> None:
    """∂L/∂αᵢ = Σⱼ ∂L/∂gⱼ pⱼ (δᵢⱼ − pᵢ) with ∂L/∂gⱼ = Σ oⱼ(x): exact, whichever gate is open."""
    factors = [2.0, -3.0, 0.5, 1.0]
    options = {f"o{i}": Scaled(factor) for i, factor in enumerate(factors)}
    net = Supernet(nn.Sequential(OpChoice("block", options), nn.Flatten(), nn.Linear(64, 10, bias=False)))
    linear: Any = net.module[2]  # type: ignore[index]
    logits = OptionLogits(net, scale=0.5, seed=3)
    run = executor(net, images(), parts={"architecture": logits})
    program = proxyless(gates=gates, every=1, begin=0.0, architecture_objective=Total()).phases[1].program
    for index in range(6):
        run.begin()
        now = step(net, index, parts={"architecture": logits})
        move = list(program.moves(now))[1]
        assert isinstance(move, Move)
        logits.zero_grad()
        run.backpropagate(move, now)
        found = logits.logits[0].grad
        x = (run.batch("validation").x.flatten(1) @ linear.weight.detach().sum(0)).sum()
        mixture: Any = move.paths[0].decisions["block"]
        inside = list(range(4)) if mixture.run is None else list(mixture.run)
        p = logits.logits[0].detach()[inside].softmax(0)
        expected = torch.zeros(4)
        for a, i in enumerate(inside):
            expected[i] = sum(factors[j] * x * p[b] * (float(i == j) - p[a]) for b, j in enumerate(inside))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


class Noise(nn.Module):
    """A candidate that puts out noise, whatever the image."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * torch.randn(len(x), 8, *x.shape[-2:])


def fast(**options: Any) -> Recipe:
    settings: dict[str, Any] = {"warm_up": 0.25, "every": 1, "begin": 0.0, **options}
    return proxyless(architecture=ARCHITECTURE.with_settings(lr=0.1), **settings).with_weights(lr=0.1)


@pytest.mark.parametrize("gates", ["two", "all"])
def test_it_derives_the_only_useful_candidate(gates: Any) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        candidates = {f"option{i}": nn.Conv2d(1, 8, 3, padding=1) if i == 1 else Noise() for i in range(3)}
        net = Supernet(
            nn.Sequential(OpChoice("block", candidates), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 10))
        )
    trained = train(fast(gates=gates), net=net, steps=60)
    assert trained.derived is not None
    assert trained.derived["block"] == "option1"


@pytest.mark.parametrize("kind", ["multiplied", "added"])
def test_a_price_on_latency_turns_the_architecture_to_what_is_fast(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "latency.json"
    LatencyTable.build(
        operations_net(), Additive(), input_shape=(1, 8, 8), repeats=1, anchors=9, max_settings=3, out=file
    )
    latency = ExpectedCost("latency", table=str(file), of="probabilities")
    objective = TimesCost(latency, 8.0, exponent=20.0) if kind == "multiplied" else PlusCost(latency, 8.0, scale=50.0)
    trained = train(fast(architecture_objective=objective), steps=40)
    assert trained.derived is not None
    assert set(trained.derived.options().values()) == {"skip"}
    assert trained.history[-1]["loss"] < 5, "the weights do not see the price"


# -- its space, and refusals ----------------------------------------------------------------------------------------


def test_it_trains_in_the_space_of_its_paper() -> None:
    net = zoo.mobilenetv2(
        variant="proxyless",
        num_classes=10,
        in_channels=1,
        image_size=8,
        width_multiplier=0.1,
        depth_multiplier=0.25,
        head_width=16,
    )
    recipe = proxyless(every=1, begin=0.0, architecture_objective=TimesCost(MACS, 80e3))
    trained = train(recipe, net=net, steps=4)
    assert trained.derived in net.space
    assert trained.history[-1]["loss/architecture"] > 0


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match=r"share of 1.0 of the training; give one in \[0, 1\)"):
        proxyless(warm_up=1.0)
    with pytest.raises(UsageError, match="on 'two' paths or on 'all'; got 'one'"):
        proxyless(gates="one")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="gets none of 1 steps"):
        train(proxyless(), steps=1)
    with pytest.raises(UsageError, match="cannot be mixed"):
        train(proxyless(), net=elastic_net(), steps=8)
