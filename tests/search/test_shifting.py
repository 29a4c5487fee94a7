"""Shifting: what is trained and when, that it changes nothing else, and that a killed search goes on."""

from __future__ import annotations

import itertools
import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from child_trainings import context
from shifted_searches import (
    Interrupted,
    alike,
    blocks_net,
    evaluator,
    evolve,
    same,
    to_be_killed,
    weights,
)
from small_nets import images
from supernet import Supernet, measure, search
from supernet.errors import RunError, UsageError
from supernet.measure import Latency, NetEvaluator
from supernet.precision import check_precision
from supernet.quantity import ACCURACY, MACS, Quantity
from supernet.search import (
    NSGA2,
    Constraints,
    Evaluation,
    Evaluator,
    Evolution,
    Front,
    Problem,
    Shifting,
    load_shifted,
)
from supernet.search.evaluation import best_of
from supernet.search.laws import Toy, stages
from supernet.search.searchers._pymoo import Sorting
from supernet.space import Arch

FAST = Shifting(lr=0.1, images=32, batch_size=16)


def batches(candidate: int, shifting: Shifting, seed: int = 0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The training batches of a candidate that is the n-th to be trained on."""
    start = candidate * shifting.batches
    stream = images().train.stream(shifting.batch_size, seed=seed, start=start)
    return [(batch.x, batch.y) for batch in itertools.islice(stream, shifting.batches)]


def gradient(net: Supernet, arch: Arch, pieces: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """∇ of the mean loss on all pieces, on a copy."""
    import copy

    copied = copy.deepcopy(net).train()
    loss = sum((F.cross_entropy(copied(x, arch), y) for x, y in pieces), torch.zeros(())) / len(pieces)
    names, parameters = zip(*copied.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return {name: g for name, g in zip(names, found, strict=True) if g is not None}


SEARCHES: list[Callable[..., Front]] = [
    search.random,
    partial(search.run, search.RegularisedEvolution(population=8, sample=3)),
    partial(search.run, NSGA2(population=6), objectives=("accuracy", "macs")),
    partial(search.run, Evolution(population=6, parents=3, mutations=3, crossovers=3)),
]


@pytest.mark.parametrize("which", range(4))
def test_with_learning_rate_zero_it_is_the_plain_search_bit_for_bit(tmp_path: Path, which: int) -> None:
    net = blocks_net(statistics="calibrate")
    before = weights(net)
    plain = SEARCHES[which](evaluator(net), budget=20, out=tmp_path / "plain")
    for update in ("generation", "batch"):
        still = replace(FAST, lr=0.0, keep=None, update=update)
        shifted = SEARCHES[which](evaluator(net), budget=20, out=tmp_path / update, wrap=still)
        record = (tmp_path / update / "search.jsonl").read_bytes()
        assert record == (tmp_path / "plain" / "search.jsonl").read_bytes()
        assert shifted.points == plain.points
    assert same(weights(net), before)
    moved = SEARCHES[which](evaluator(net), budget=20, wrap=replace(FAST, keep=None, update="batch", initial=True))
    assert moved.archive != plain.archive, "the comparison must be able to fail"


def test_the_accumulated_gradient_of_a_generation_moves_the_weights_once() -> None:
    net = blocks_net()
    before = blocks_net()
    front = evolve(evaluator(net), FAST, budget=12)
    assert [e.generation for e in front.archive] == [0] * 6 + [1] * 6
    expected = dict(before.named_parameters())
    total: dict[str, torch.Tensor] = {}
    for place, evaluation in enumerate(front.archive[6:]):  # the initial population is only validated
        for name, g in gradient(before, evaluation.arch, batches(place, FAST)).items():
            total[name] = total.get(name, torch.zeros_like(g)) + g
    moved = 0
    for name, parameter in net.named_parameters():
        if name in total:
            torch.testing.assert_close(parameter, expected[name] - FAST.lr * total[name], rtol=1e-5, atol=1e-6)
            moved += not torch.equal(parameter, expected[name])
        else:
            assert torch.equal(parameter, expected[name])
    assert moved > 10


def test_it_trains_in_the_precision_that_it_is_scored_in(tmp_path: Path) -> None:
    nets = {precision: blocks_net() for precision in ("32-true", "bf16-mixed")}
    for precision, net in nets.items():
        asked = evaluator(net)
        asked.precision = check_precision(precision)
        evolve(asked, FAST, budget=12, out=tmp_path / precision)
    assert not same(weights(nets["32-true"]), weights(nets["bf16-mixed"]))
    for name, weight in nets["bf16-mixed"].named_parameters():
        assert weight.dtype == torch.float32, name
    with pytest.raises(UsageError, match="precision"):
        evolve(evaluator(blocks_net()), FAST, budget=18, out=tmp_path / "bf16-mixed", resume=True)


def test_all_candidates_of_a_generation_are_validated_before_the_update() -> None:
    net, before = blocks_net(), blocks_net()
    front = evolve(evaluator(net), replace(FAST, lr=1.0), budget=18)
    fresh = evaluator(before)
    told = [fresh.evaluate(e.arch, ("accuracy",)) == e.values for e in front.archive]
    assert all(told[:12])
    assert not all(told[12:])


@pytest.mark.parametrize("order", ["before", "after"])
def test_steps_on_each_batch_are_those_of_sgd(order: str) -> None:
    options: dict[str, Any] = {"update": "batch", "evaluate": order, "initial": True, "momentum": 0.9}
    shifting = replace(FAST, **options, weight_decay=0.1, label_smoothing=0.2)
    net, own = blocks_net(), blocks_net()
    front = evolve(evaluator(net), shifting, budget=9)
    parameters = list(own.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    sgd = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    for place, evaluation in enumerate(front.archive):
        if order == "before":
            assert evaluator(own).evaluate(evaluation.arch, ("accuracy",)) == evaluation.values
        own.train()
        for x, y in batches(place, shifting):
            sgd.zero_grad()
            loss = F.cross_entropy(own(x, evaluation.arch), y, label_smoothing=0.2)
            for parameter, g in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True):
                parameter.grad = g
            sgd.step()
        if order == "after":
            assert evaluator(own).evaluate(evaluation.arch, ("accuracy",)) == evaluation.values
    assert len({e.values["accuracy"] for e in front.archive}) > 3
    for parameter, other in zip(net.parameters(), parameters, strict=True):
        torch.testing.assert_close(parameter, other, rtol=1e-4, atol=1e-5)


def test_with_one_candidate_per_generation_accumulated_and_immediate_updates_agree(tmp_path: Path) -> None:
    nets = {}
    for update in ("generation", "candidate"):
        for population in (1, 4):
            net = nets[update, population] = blocks_net(dropout=0.1)
            wrap = replace(FAST, update=update)
            evolve(evaluator(net), wrap, population=population, budget=12, out=tmp_path / f"{update}{population}")
    records = {key: (tmp_path / f"{key[0]}{key[1]}" / "search.jsonl").read_bytes() for key in nets}
    assert records["generation", 1] == records["candidate", 1]
    assert same(weights(nets["generation", 1]), weights(nets["candidate", 1]))
    assert not same(weights(nets["generation", 4]), weights(nets["candidate", 4]))


def test_a_candidate_that_is_trained_on_gets_better_and_batches_cut_its_images() -> None:
    net = blocks_net()
    front = evolve(evaluator(net), replace(FAST, lr=0.05, update="batch", initial=True, momentum=0.9), budget=60)
    after, before = evaluator(net), evaluator()
    archs = [point.arch for point in front.points]
    assert all(after.scores(arch).loss < before.scores(arch).loss - 0.3 for arch in archs)
    assert (Shifting().batches, Shifting().update, Shifting().keep) == (10, "generation", 50)
    code = Shifting.released()
    assert (code.images, code.batches, code.lr, code.momentum, code.weight_decay) == (3000, 20, 1e-4, 0.9, 4e-5)
    assert (code.update, code.evaluate, code.initial, code.label_smoothing) == ("batch", "after", True, 0.1)


SETTINGS = {
    "paper": replace(FAST, checkpoint_every=1),
    "rare checkpoints": replace(FAST, checkpoint_every=100),
    "immediate": replace(FAST, update="candidate", momentum=0.9, keep=None, checkpoint_every=1),
    "released": replace(FAST, update="batch", evaluate="after", initial=True, momentum=0.9, checkpoint_every=7),
}


@pytest.mark.parametrize("which", SETTINGS)
def test_interrupted_at_every_evaluation_and_resumed(tmp_path: Path, which: str) -> None:
    wrap, small = SETTINGS[which], {"population": 4, "budget": 12}
    net = blocks_net(dropout=0.1)
    evolve(evaluator(net), wrap, out=tmp_path / "whole", **small)
    for after in range(0, 12, 1 if which == "paper" else 3):
        out = tmp_path / f"{after}"
        with pytest.raises(KeyboardInterrupt):
            evolve(Interrupted(blocks_net(dropout=0.1), after), wrap, out=out, **small)
        recorded = (out / "search.jsonl").read_bytes() if after else b""
        assert recorded.count(b"\n") == after
        torch.manual_seed(after)  # dropout must not depend on what was drawn before
        again = Interrupted(blocks_net(dropout=0.1), 12 - after)  # no evaluation on record is repeated
        evolve(again, wrap, out=out, resume=True, **small)
        assert alike(out, tmp_path / "whole")
        assert same(weights(again.net), weights(net))


@pytest.mark.slow
def test_killed_at_random_moments_and_resumed(tmp_path: Path) -> None:
    """SIGKILL, wherever it hits."""
    to_be_killed(tmp_path / "whole")
    for after in (4, 31):
        process = context().Process(target=to_be_killed, args=(tmp_path / "run",))
        process.start()
        record, deadline = tmp_path / "run" / "search.jsonl", time.monotonic() + 60
        while time.monotonic() < deadline and not (record.exists() and record.read_bytes().count(b"\n") >= after):
            time.sleep(0.002)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert record.read_bytes().count(b"\n") < 60
    to_be_killed(tmp_path / "run")
    assert alike(tmp_path / "run", tmp_path / "whole")


def test_a_larger_budget_continues_and_callbacks_see_each_generation_once(tmp_path: Path) -> None:
    seen: list[tuple[int, float]] = []

    def call(net: Supernet, generation: int) -> Mapping[str, float]:
        seen.append((generation, float(next(net.parameters()).detach().abs().sum())))
        return {"size": seen[-1][1]}

    wrap = replace(FAST, on_generation=(call,), checkpoint_every=1)
    evolve(evaluator(), wrap, budget=30, out=tmp_path / "long")
    rows = [json.loads(line) for line in (tmp_path / "long/shifted/shifting.jsonl").read_text().splitlines()]
    assert [(row["generation"], row["size"]) for row in rows] == seen
    assert [row["evaluations"] for row in rows] == [0, 6, 12, 18, 24, 30]
    assert ["loss" in row for row in rows] == [False, False, True, True, True, True]
    assert seen[0][1] == seen[1][1], "the initial population is only validated"
    assert len({size for _, size in seen}) == 5
    seen.clear()
    for budget in (3, 6, 16, 30):
        evolve(evaluator(), wrap, budget=budget, out=tmp_path / "short", resume=True)
    # The generation that a budget cuts short is closed for the result, and again when it is whole.
    assert [generation for generation, _ in seen] == [0, 1, 1, 1, 2, 3, 3, 4, 5]
    assert alike(tmp_path / "short", tmp_path / "long")


class Clock:
    """A device on which every weight takes a microsecond."""

    def __init__(self) -> None:
        self.timed = 0

    def measure(self, module: nn.Module, input_shape: tuple[int, ...]) -> Latency:
        self.timed += 1
        count = sum(p.numel() for p in module.parameters()) / 1000
        return Latency(count, count, count, 1)


def test_accuracy_against_measured_latency_under_a_bound(tmp_path: Path) -> None:
    clock, net = Clock(), blocks_net()
    asked = NetEvaluator(net, images().sealed(), device=clock, calibration=measure.Calibration(images=32), images=48)
    shared: dict[str, Any] = {
        "objectives": ("accuracy", "latency_ms"),
        "constraints": {"latency_ms": 0.5, "macs": 9000},
    }
    front = search.run(NSGA2(population=6), asked, budget=40, wrap=FAST, out=tmp_path, **shared)
    assert front.evaluations == len(front.archive) == 40
    by_generation = Counter((e.generation, e.arch) for e in front.archive)
    assert max(by_generation.values()) == 1, "within a generation nothing is evaluated twice"
    again = Counter(e.arch for e in front.archive)
    assert max(again.values()) > 1
    assert clock.timed == len(again), "the latency of an architecture does not change"
    assert any({e.values["accuracy"] for e in front.archive if e.arch == arch}.__len__() > 1 for arch in again)
    assert len({point.arch for point in front.points}) == len(front.points)
    for point in front.points:
        assert point.values["latency_ms"] <= 0.5
        assert point == [e for e in front.archive if e.arch == point.arch][-1], "the latest values count"
        assert measure.macs(net, point.arch) <= 9000
    read = json.loads((tmp_path / "front.json").read_text())
    assert read["wrap"] == FAST.describe()
    assert len(read["points"]) == len(front.points)


class Fading:
    """Stands for weights that move: every value told is lower than those before, whatever is asked."""

    def __init__(self, keep: int) -> None:
        self.keep = keep

    def begin(self, evaluator: Evaluator, *, seed: int, out: Path | None, recorded: int) -> Fading:
        return self

    def begin_generation(self, generation: int, evaluations: int) -> None:
        pass

    def candidate(self, arch: Arch, number: int, evaluate: Callable[[], Evaluation]) -> Evaluation:
        told = evaluate()
        return replace(told, values={"accuracy": told.values["accuracy"] - 0.01 * number})

    def end(self, evaluations: int) -> None:
        pass

    def describe(self) -> Mapping[str, Any]:
        return {}


def test_only_the_best_few_are_remembered_with_their_latest_values() -> None:
    searcher = Evolution(population=8, parents=3, mutations=4, crossovers=3)
    front = search.run(searcher, Toy(stages(2)), budget=80, wrap=Fading(keep=5))
    kept: dict[Arch, float] = {}
    for _, group in itertools.groupby(front.archive, key=lambda e: e.generation):
        kept |= {e.arch: e.values["accuracy"] for e in group}
        kept = dict(sorted(kept.items(), key=lambda pair: -pair[1])[:5])
    assert front.remembered is not None
    assert {e.arch: e.values["accuracy"] for e in front.remembered} == kept
    assert front.best("accuracy").values["accuracy"] == max(kept.values())
    assert max(e.values["accuracy"] for e in front.archive) > max(kept.values()), "a stale value does not win"


def test_the_parents_are_among_the_kept() -> None:
    """With one kept and no crossover every child is its mutant, and with so small a rate most are its very copy."""
    searcher = Evolution(population=4, parents=3, mutations=4, crossovers=0, mutation_p=0.01)
    front = search.run(searcher, Toy(stages(2)), budget=24, wrap=Fading(keep=1))
    best = max(front.archive[:4], key=lambda e: e.values["accuracy"]).arch
    assert best in {e.arch for e in front.archive[4:8]}


def bare_problem(keep: int, objectives: tuple[Quantity, ...]) -> Problem:
    space = stages(4)
    known = space.population(np.random.default_rng(0), 3)
    return Problem(space, objectives, 0, lambda codes: np.ones(len(codes), dtype=bool), Constraints(), known, keep)


def test_evolution_forgets_what_is_not_kept() -> None:
    """Without change by mutation the next generation shows the parents."""
    settings = Evolution(population=4, parents=1, mutations=4, crossovers=0, mutation_p=0.0)
    searcher = settings.begin(bare_problem(1, (ACCURACY,)))
    first = searcher.ask(9)
    searcher.tell(first, [{"accuracy": value} for value in (9.0, 8.0, 1.0, 1.0)])
    second = searcher.ask(9)
    assert second[0] == first[0]
    searcher.tell(second, [{"accuracy": value} for value in (-9.0, 0.5, 0.0, 0.0)])
    # The best of old has become the worst; the second best of old was not kept, so its 8.0 is forgotten.
    assert searcher.ask(9)[0] == second[1]


def test_nsga2_holds_each_member_once_with_its_latest_values() -> None:
    problem = bare_problem(6, (ACCURACY, MACS))
    sorting = Sorting(problem, lambda: NSGA2(population=6, mutation_p=0.02)._algorithm(problem))
    rng, repeated = np.random.default_rng(1), 0
    latest: dict[tuple[int, ...], tuple[float, float]] = {}
    for _ in range(12):
        asked = sorting.generation()
        assert len(set(asked)) == len(asked)
        repeated += sum(arch.code in latest for arch in asked)
        told = [{"accuracy": float(a), "macs": float(m)} for a, m in rng.random((len(asked), 2))]
        sorting.learn(asked, told)
        latest |= {arch.code: (-v["accuracy"], v["macs"]) for arch, v in zip(asked, told, strict=True)}
        members = [tuple(row) for row in sorting._algorithm.pop.get("X").tolist()]
        assert len(set(members)) == len(members) <= 6
        for code, losses in zip(members, sorting._algorithm.pop.get("F").tolist(), strict=True):
            assert tuple(losses) == latest[code]
    assert repeated > 5


@dataclass(init=False, eq=False)
class Twice:
    """Asks for the same architecture twice in every generation."""

    name = "twice"

    def begin(self, problem: Problem) -> Twice:
        self.arch = problem.space.smallest()
        return self

    def ask(self, n: int) -> list[Arch]:
        return [self.arch, self.arch][:n]

    def tell(self, archs: Sequence[Arch], values: Sequence[Mapping[str, float]]) -> None:
        assert len({tuple(told.items()) for told in values}) == 1


def test_within_a_generation_an_architecture_has_one_value() -> None:
    toy = Toy(stages(2))
    front = search.run(Twice(), toy, objectives="accuracy", budget=4, wrap=Fading(keep=3))
    assert [e.generation for e in front.archive] == [0, 1, 2, 3]
    assert len(toy.asked) == 4


def test_the_best_of_several_objectives_are_the_first_layers_thinned_evenly() -> None:
    toy = Toy(stages(2))
    rng = np.random.default_rng(0)
    archs = toy.space.wrap(toy.space.population(rng, 60))
    archs = list(dict.fromkeys(archs))
    told = [
        Evaluation(a, {"accuracy": float(x), "macs": float(y)}, 0)
        for a, (x, y) in zip(archs, rng.random((len(archs), 2)), strict=True)
    ]
    goals, limits = (ACCURACY, MACS), Constraints.of({"macs": 0.8}, toy.quantities)
    left, layers = [e for e in told if e.values["macs"] <= 0.8], []
    while left:
        layers.append(
            [
                e
                for e in left
                if not any(
                    o.values["accuracy"] > e.values["accuracy"] and o.values["macs"] < e.values["macs"] for o in left
                )
            ]
        )
        left = [e for e in left if e not in layers[-1]]
    assert len(layers) > 3
    assert len(layers[1]) > 3
    n = len(layers[0]) + 2
    found = best_of(told, n, goals, limits)
    assert len(found) == n
    assert {e.arch for e in layers[0]} < {e.arch for e in found}
    ends = sorted(layers[1], key=lambda e: e.values["accuracy"])
    assert {e.arch for e in found} - {e.arch for e in layers[0]} == {ends[0].arch, ends[-1].arch}
    everything = best_of(told, 1000, goals, limits)
    violating = [e.values["macs"] for e in everything if e.values["macs"] > 0.8]
    assert len(everything) == len(told)
    assert [e.values["macs"] for e in everything[-len(violating) :]] == sorted(violating)
    ranked = best_of(told, 1000, (ACCURACY,), Constraints())
    assert [e.values["accuracy"] for e in ranked] == sorted((e.values["accuracy"] for e in told), reverse=True)


def test_loading_the_shifted_weights(tmp_path: Path) -> None:
    net = blocks_net()
    evolve(evaluator(net), FAST, out=tmp_path)
    loaded = blocks_net(seed=5)
    load_shifted(loaded, tmp_path)
    assert same(weights(loaded), weights(net))
    assert not same(weights(blocks_net()), weights(net))
    with pytest.raises(UsageError, match="holds no shifted weights"):
        load_shifted(loaded, tmp_path / "elsewhere")


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a Toy has none"):
        search.random(Toy(stages(2)), budget=5, wrap=Shifting())
    with pytest.raises(UsageError, match=r"batches of 640 examples, but squares has only \d+ training"):
        evolve(evaluator(), Shifting(batch_size=640))
    evolve(evaluator(), None, out=tmp_path / "plain", budget=12)
    with pytest.raises(UsageError, match=r'begun with wrap none, not "Shifting"\. Resume'):
        evolve(evaluator(), FAST, out=tmp_path / "plain", resume=True)
    evolve(evaluator(), FAST, out=tmp_path / "shifted", budget=12)
    with pytest.raises(UsageError, match=r"begun with the wrap's lr 0.1, not 0.2"):
        evolve(evaluator(), replace(FAST, lr=0.2), out=tmp_path / "shifted", resume=True)
    with pytest.raises(RunError, match=r"training loss of .* became (nan|inf) while shifting"):
        evolve(evaluator(), replace(FAST, lr=1e30, update="batch"), budget=24)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lr": -1.0}, "shifting.lr is -1.0; it must be a number of at least 0"),
        ({"lr": float("nan")}, "shifting.lr is nan"),
        ({"lr": float("inf")}, "shifting.lr is inf; it must be a finite number"),
        ({"label_smoothing": 1.5}, "shifting.label_smoothing is 1.5; it must be a number of at most 1"),
        ({"images": 0}, "shifting.images is 0"),
        ({"images": 100}, "batches of 64"),
        ({"update": "never"}, "it must be one of generation, candidate, batch"),
        ({"evaluate": "twice"}, "it must be one of before, after"),
        ({"evaluate": "after"}, "update='candidate' or 'batch'"),
        ({"keep": 0}, "shifting.keep is 0; .* of at least 1"),
        ({"momentum": -0.1}, "shifting.momentum is -0.1"),
        ({"checkpoint_every": 0}, "shifting.checkpoint_every is 0"),
    ],
)
def test_settings_that_make_no_sense(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Shifting(**options)


def test_replaying_costs_no_training_before_the_newest_state(tmp_path: Path) -> None:
    """A state per generation: what lies before it is neither evaluated nor trained on again."""
    wrap = replace(FAST, checkpoint_every=1)
    evolve(evaluator(), wrap, out=tmp_path, budget=24)
    trained = []
    net = blocks_net()
    next(net.module.children()).register_forward_hook(lambda *_: trained.append(net.training))
    evolve(evaluator(net), wrap, out=tmp_path, budget=24, resume=True)
    # The last generation, from the state at its beginning: six candidates of two batches, and no evaluation.
    assert trained == [True] * 12
    assert np.isfinite(float(next(net.parameters()).detach().sum()))
