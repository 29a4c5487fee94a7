"""DARTS-PT: an option that does nothing is never kept, decisions are those of an independent evaluation."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cell_nets import assert_stops_leave_no_trace, cells_net
from method_trials import on_digits, published, squares, train
from small_nets import elastic_net, executor, operations_net, step
from supernet import Choice, OpChoice, Supernet, zoo
from supernet.errors import UsageError
from supernet.methods import darts, darts_pt
from supernet.methods.cells.darts_pt import TUNING
from supernet.nn import Decisions, EdgeWeights, InputChoice, Mixture, Zero, batch_norm
from supernet.space.restriction import Restriction
from supernet.train import Bilevel, Context, Phase, ProjectAlong, ProjectOperations, Recipe, Softmax, adam, sgd
from supernet.train.executor import Executor
from supernet.train.laws import Trial
from supernet.train.phases import plan
from supernet.train.state import TrainingState

SHORT: dict[str, Any] = {"supernet_epochs": 1, "interval": 1}


def fast(*, lr: float = 0.1, **options: Any) -> Recipe:
    recipe = darts_pt(**{"supernet_epochs": 2, "interval": 1, "tuning": sgd(0.02), **options})
    return recipe.with_weights(lr=lr)


TRIALS = {
    "darts_pt": lambda: on_digits(fast(**SHORT), operations_net(), steps=90),
    "darts_pt, fixed": lambda: on_digits(fast(fixed=True, **SHORT), operations_net(), steps=90),
    "darts_pt, inputs": lambda: on_digits(fast(**SHORT), star(3), steps=120),
}
ALTERNATIVES = {
    "fixed": True,
    "measure": "loss",
    "deletion": "released",
    "supernet_epochs": 100,
    "interval": 10,
    "weights": sgd(0.1),
    "tuning": sgd(0.1),
    "architecture": adam(0.1),
}
SETTINGS = {
    "fixed": False,
    "measure": "error",
    "deletion": "cumulative",
    "supernet_epochs": 50,
    "interval": 5,
}
REFUSED_BY = frozenset({"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"})


def test_the_weights_are_tuned_with_a_tenth_of_the_learning_rate() -> None:
    searching, tuning = published(darts_pt().weights), published(TUNING)
    assert (searching["lr"], searching["end"]) == (0.025, 0.04)
    assert tuning == {**searching, "lr": 0.0025, "end": 1.0}


# -- phases ----------------------------------------------------------------------------------------------------


def test_nas_bench_201_has_a_projection_per_edge() -> None:
    phases = darts_pt(supernet_epochs=100).on(zoo.nasbench201(channels=4, cells=1).space).phases
    assert [phase.share for phase in phases] == [100, 5, 5, 5, 5, 5, 1]
    assert [type(phase.enter).__name__ for phase in phases[1:]] == ["ProjectOperations"] * 6


def test_a_space_of_cells_has_81_epochs_of_tuning() -> None:
    """14 edges and 3 nodes with more than two inputs, a normal and a reduction cell at a time."""
    phases = darts_pt().on(cells_net(nodes=4).space).phases
    assert [type(phase.enter).__name__ for phase in phases[1:]] == ["ProjectOperations"] * 14 + ["ProjectInputs"] * 3
    assert sum(phase.share for phase in phases[1:]) == 81
    assert phases[0].share == 50
    assert len(plan(phases, 131)) == 18


def test_settings_reach_every_projection() -> None:
    for measure in ("error", "loss"):
        phases = darts_pt(measure=measure).on(cells_net().space).phases  # type: ignore[arg-type]
        assert [phase.enter.measure for phase in phases[1:]] == [measure] * 6  # type: ignore[union-attr]
    for deletion in ("cumulative", "released"):
        phases = darts_pt(deletion=deletion).on(cells_net().space).phases  # type: ignore[arg-type]
        assert phases[-1].enter.deletion == deletion  # type: ignore[union-attr]
    assert darts_pt().parts == darts().parts, "α begins and is stepped as in DARTS"


def test_the_seed_decides_the_order() -> None:
    orders = set()
    for seed in range(6):
        net = operations_net()
        now = replace(step(net), restriction=Restriction(net.space))
        context = Context(now, executor(net, squares()), seed=seed)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ProjectOperations, "best", lambda *_: "skip")
            ProjectOperations()(context)
        orders.add(tuple(context.restriction.kept))
    assert orders == {("block0",), ("block1",)}


def test_the_optimiser_of_the_weights_starts_anew_once_and_that_of_alpha_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restarted: list[tuple[str, int]] = []
    original = ProjectOperations.__call__

    def noting(self: ProjectOperations, context: Context) -> None:
        held = {name: len(stepper.optimizer.state) for name, stepper in context.steppers.items()}
        original(self, context)
        after = {name: len(stepper.optimizer.state) for name, stepper in context.steppers.items()}
        restarted.extend((name, context.step.done) for name in held if held[name] and not after[name])

    monkeypatch.setattr(ProjectOperations, "__call__", noting)
    train(fast(**SHORT), steps=9)
    assert restarted == [("weights", 3)]


def test_tuning_has_its_own_constant_learning_rate() -> None:
    recipe = darts_pt(supernet_epochs=2, interval=1)
    rates = [row["lr"] for row in train(recipe, steps=8, log_every=1).history]
    assert rates[0] == 0.025
    assert rates[4:] == [pytest.approx(0.0025)] * 4


# -- what a projection decides -----------------------------------------------------------------------------------


class Blind(nn.Module):
    """A candidate that passes nothing of the image on."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.constant.expand(len(x), -1, *x.shape[-2:])


def planted(useful: int, *, blocks: int = 1) -> Supernet:
    """In each block one of three options sees the image; one does nothing, one is blind."""
    with torch.random.fork_rng():
        torch.manual_seed(0)

        def block(number: int) -> list[nn.Module]:
            idle = iter((Zero(), Blind(8)))
            sees = nn.Conv2d(8, 8, 3, padding=1)
            options = {f"option{i}": sees if i == useful else next(idle) for i in range(3)}
            return [OpChoice(f"block{number}", options), batch_norm(8, statistics="batch"), nn.ReLU()]

        layers = [layer for number in range(blocks) for layer in block(number)]
        stem = nn.Conv2d(1, 8, 1)
        return Supernet(nn.Sequential(stem, *layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 10)))


@pytest.mark.parametrize("measure", ["error", "loss"])
@pytest.mark.parametrize("useful", [0, 1, 2])
def test_an_option_that_does_nothing_is_never_kept(useful: int, measure: str) -> None:
    """Whatever stands first, and without α having learned anything."""
    recipe = fast(measure=measure, fixed=True)
    trained = train(recipe, net=planted(useful, blocks=2), steps=40, log_every=1)
    assert trained.history[19]["loss"] < 1, "what has learned nothing tells no options apart"
    assert trained.derived is not None
    assert set(trained.derived.options().values()) == {f"option{useful}"}


def without_renormalising(net: Supernet, weights: dict[str, Tensor], name: str, option: int) -> float:
    """The error on the whole validation split, by hand."""
    kept = {key: value.clone() for key, value in weights.items()}
    kept[name][option] = 0
    decisions = Decisions({key: Mixture(value) for key, value in kept.items()})
    wrong = total = 0
    for batch in squares().validation.batches(16):
        with torch.no_grad():
            wrong += int((net(batch.x, decisions).argmax(1) != batch.y).sum())
        total += len(batch.y)
    return wrong / total


def brought(net: Supernet, logits: dict[str, list[float]]) -> Context:
    """A training before its first projection, with these logits."""
    loop = looped(darts_pt(**SHORT), net)
    architecture = loop.parts["architecture"]
    with torch.no_grad():
        for choice, values in architecture.named():
            if choice.name in logits:
                values.copy_(torch.tensor(logits[choice.name]))
    return loop


def looped(recipe: Recipe, net: Supernet) -> Context:

    recipe = recipe.on(net.space)
    state = TrainingState(net, recipe, seed=0, batch_size=16)
    run = executor(net, squares(), recipe=recipe)
    now = replace(step(net, parts=state.parts), restriction=Restriction(net.space), runner=run)
    return Context(now, run)


def test_decisions_are_those_of_an_independent_evaluation() -> None:
    """No dropout and no running statistics, so that a plain forward in training mode says the same."""
    net = zoo.nasbench201(channels=4, cells=1, in_channels=1).train()
    generator = torch.Generator().manual_seed(3)
    logits = {name: torch.randn(5, generator=generator).tolist() for name in net.space.names}
    context = brought(net, logits)
    weights = {name: torch.tensor(values).softmax(0) for name, values in logits.items()}
    for name in ("1<-0", "3<-2"):
        errors = [without_renormalising(net, weights, name, option) for option in range(5)]
        assert len(set(errors)) > 1
        expected = net.space.choices[net.space.column(name)].options[int(np.argmax(errors))]
        assert ProjectOperations().best(context, name) == expected
    assert context.restriction.kept == {}


def test_the_weights_of_the_others_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Mixture] = []

    def noting(self: Executor, targets: Any, *_: Any, **__: Any) -> list[float]:
        seen.extend(target["block0"] for target in targets)
        return [0.0] * len(targets)

    monkeypatch.setattr(Executor, "rate", noting)
    context = brought(operations_net(), {"block0": [1.0, 0.0, -1.0]})
    assert ProjectOperations().best(context, "block0") == "conv3", "of equal ones the first"
    p = torch.tensor([1.0, 0.0, -1.0]).softmax(0)
    for option, mixture in enumerate(seen):
        expected = p.clone()
        expected[option] = 0
        torch.testing.assert_close(mixture.weights, expected)
        assert mixture.run == tuple(other for other in range(3) if other != option)


def test_forbidden_options_are_neither_kept_nor_rated(monkeypatch: pytest.MonkeyPatch) -> None:
    rated: list[int] = []
    monkeypatch.setattr(Executor, "rate", lambda self, targets, *_: rated.append(len(targets)) or [0.0] * len(targets))
    context = brought(operations_net(), {})
    context.restriction.allow("block0", ("conv1", "skip"))
    assert ProjectOperations().best(context, "block0") == "conv1"
    assert rated == [2]


@pytest.mark.slow
def test_choices_are_decided_in_random_order_one_of_every_kind_of_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    orders = set()
    decided: list[str] = []
    original = Restriction.decide

    def noting(self: Restriction, name: str, option: Any) -> None:
        decided.append(name)
        original(self, name, option)

    monkeypatch.setattr(Restriction, "decide", noting)
    for seed in range(3):
        decided.clear()
        train(darts_pt(**SHORT), net=cells_net(), steps=7, seed=seed)
        operations, nodes = decided[:10], decided[10:]
        assert [name.split(".")[0] for name in decided] == ["normal", "reduce"] * 6
        assert len(set(operations)) == 10
        assert all("<-" in name for name in operations)
        assert nodes == ["normal.3", "reduce.3"]
        orders.add(tuple(operations))
    assert len(orders) == 3


# -- fixed α -----------------------------------------------------------------------------------------------------


def test_fixed_alpha_weighs_all_alike_and_never_moves() -> None:
    trained = train(fast(fixed=True, **SHORT), steps=9, log_every=1)
    assert all(not logits.any() for logits in trained.parts["architecture"].parameters())
    assert all("loss/architecture" not in row for row in trained.history)
    assert trained.derived is not None


def test_alpha_learns_where_it_is_open_and_is_left_alone_where_it_is_decided() -> None:
    """Adam would go on moving a decided α by momentum and weight decay."""
    recipe = fast(architecture=adam(0.01, weight_decay=0.1), supernet_epochs=1, interval=1)
    trained = {stop: train(recipe, steps=12, stop_after=stop) for stop in (4, 5, 8, 12)}
    alphas = {
        stop: {choice.name: logits.detach().clone() for choice, logits in run.parts["architecture"].named()}
        for stop, run in trained.items()
    }
    space = trained[5].space
    assert space is not None
    (first,) = [name for name in space.names if len(space.allowed(name)) == 1]
    (other,) = set(space.names) - {first}
    assert torch.equal(alphas[4][first], alphas[12][first])
    assert not torch.equal(alphas[5][other], alphas[8][other])
    assert torch.equal(alphas[8][other], alphas[12][other])


# -- inputs of nodes -----------------------------------------------------------------------------------------------


def star(edges: int) -> Supernet:
    """One node that keeps two of several edges, each of which multiplies by a number of its own."""

    class Star(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            pairs = tuple(itertools.combinations(range(edges), 2))
            self.node = InputChoice(Choice("cell.2", pairs), [nn.Conv2d(1, 4, 3, padding=1) for _ in range(edges)])
            self.block = OpChoice("cell.op", {"a": nn.Identity(), "b": nn.ReLU()})
            self.head = nn.Sequential(nn.Flatten(), nn.Linear(256, 10))

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.head(self.block(self.node([x * (1 + i) for i in range(edges)])))
            return out

    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Supernet(Star())


def by_hand(rating: dict[frozenset[int], float], edges: int, *, cumulative: bool) -> tuple[int, ...]:
    """The greedy deletion from a table of errors of sets of edges."""
    kept = set(range(edges))
    while len(kept) > 2:
        present = kept if cumulative else set(range(edges))
        worst_to_best = sorted(kept, key=lambda edge: (-rating[frozenset(present - {edge})], edge))
        kept.remove(worst_to_best[-1])
    return tuple(sorted(kept))


@pytest.mark.parametrize("seed", range(6))
def test_edges_are_deleted_as_from_a_table_of_all_sets(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    edges, rng = 5, np.random.default_rng(seed)
    sets = [frozenset(s) for n in range(1, edges + 1) for s in itertools.combinations(range(edges), n)]
    rating = {s: float(rng.random()) for s in sets}
    asked: list[frozenset[int]] = []

    def table(self: Executor, targets: Any, *_: Any, **__: Any) -> list[float]:
        found = [frozenset(torch.nonzero(target["cell.2"].weights).flatten().tolist()) for target in targets]
        asked.extend(found)
        return [rating[s] for s in found]

    monkeypatch.setattr(Executor, "rate", table)
    net = star(edges)
    context = brought(net, {})
    for deletion in ("cumulative", "released"):
        asked.clear()
        (*_, project) = ProjectAlong(program=Bilevel(), tuning=TUNING, deletion=deletion).projections(1, 1)  # type: ignore[arg-type]
        context.restriction.release("cell.2")
        project(context)
        (kept,) = context.restriction.space.allowed("cell.2")
        assert kept == by_hand(rating, edges, cumulative=deletion == "cumulative")
        sizes = [len(s) for s in asked]
        assert sizes == ([4] * 5 + [3] * 4 + [2] * 3 if deletion == "cumulative" else [4] * 12)


def test_of_equal_edges_the_last_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Executor, "rate", lambda self, targets, *_, **__: [0.0] * len(targets))
    context = brought(star(4), {})
    (*_, project) = ProjectAlong(program=Bilevel(), tuning=TUNING).projections(1, 1)
    project(context)
    assert context.restriction.space.allowed("cell.2") == ((0, 1),)


def test_edges_are_rated_on_the_whole_validation_split_as_by_hand() -> None:
    net = star(3).train()
    context = brought(net, {"cell.op": [0.5, -0.5]})
    op = Mixture(torch.tensor([0.5, -0.5]).softmax(0))
    errors = []
    for deleted in range(3):
        weights = torch.tensor([float(edge != deleted) for edge in range(3)])
        wrong = 0
        for batch in squares().validation.batches(16):
            with torch.no_grad():
                out = net(batch.x, Decisions({"cell.op": op, "cell.2": EdgeWeights(weights)}))
            wrong += int((out.argmax(1) != batch.y).sum())
        errors.append(wrong)
    assert len(set(errors)) == 3
    (*_, project) = ProjectAlong(program=Bilevel(), tuning=TUNING).projections(1, 1)
    project(context)
    assert set(context.restriction.space.allowed("cell.2")[0]) == set(range(3)) - {int(np.argmin(errors))}


@cache
def topological() -> Trial:
    return Trial(recipe=fast(**SHORT), net=cells_net(), data=squares(), batch_size=16)


@pytest.mark.slow
def test_decisions_survive_a_stop_after_every_step_at_and_between_borders() -> None:
    told = assert_stops_leave_no_trace(topological(), steps=14)
    assert told["phase"] == 7
    assert all(len(codes) == 1 for codes in told["restricted"].values())
    assert {"normal.3", "reduce.3"} <= set(told["restricted"])


@pytest.mark.slow
def test_a_crash_within_a_projection_decides_nothing(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One kind of cell is decided, the other is not: resumed, both are decided as without the crash."""
    trial = replace(topological(), recipe=fast(**SHORT))
    whole = trial.train(steps=7)
    original = ProjectOperations.best

    def crashing(self: ProjectOperations, context: Context, name: str) -> Any:
        if name.startswith("reduce") and context.step.done == 3:
            raise RuntimeError("power cut")
        return original(self, context, name)

    trial.train(steps=7, out=tmp_path, stop_after=3)
    monkeypatch.setattr(ProjectOperations, "best", crashing)
    with pytest.raises(RuntimeError, match="power cut"):
        trial.train(steps=7, out=tmp_path)
    monkeypatch.undo()
    resumed = trial.train(steps=7, out=tmp_path)
    assert resumed.derived == whole.derived
    one, other = (run.net.state_dict() for run in (whole, resumed))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


# -- what is derived, and refused ----------------------------------------------------------------------------------


def test_what_was_decided_is_derived_whatever_alpha_says() -> None:
    trained = train(fast(architecture=adam(0.5), **SHORT), net=planted(1), steps=20)
    with torch.no_grad():
        for logits in trained.parts["architecture"].logits:
            logits.copy_(torch.tensor([9.0, 0.0, 0.0]))
    assert trained.derived is not None
    assert trained.derived.options() == {"block0": "option1"}
    assert trained.space is not None
    assert trained.space.size == 1


def test_a_run_too_short_for_its_projections_is_refused_before_training() -> None:
    with pytest.raises(UsageError, match="'projection 2' gets none of 16 steps"):
        train(darts_pt(), steps=16)


def test_it_refuses_sizes() -> None:
    with pytest.raises(UsageError, match="cannot be mixed"):
        train(darts_pt(), net=elastic_net(), steps=99)


def test_it_refuses_nodes_that_may_not_keep_two_of_their_edges() -> None:
    net = Supernet(InputChoice(Choice("cell.2", ((0, 1), (0, 2))), [nn.Identity() for _ in range(3)]))
    with pytest.raises(UsageError, match=r"keep the edges \[1, 2\], but its choice has no such option"):
        darts_pt().on(net.space)


@pytest.mark.parametrize(
    "options", [{"supernet_epochs": 0}, {"interval": -1}, {"measure": "accuracy"}, {"deletion": "greedy"}]
)
def test_values_outside_their_range_are_refused_where_they_are_given(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        darts_pt(**options)


def test_other_mixtures_are_projected_as_they_were_trained() -> None:
    """SDARTS and others train through mixtures of their own."""
    recipe = darts_pt(**SHORT).with_programs(lambda program: replace(program, relaxation=Softmax(0.3)))
    phases = recipe.on(operations_net().space).phases
    assert all(isinstance(phase, Phase) for phase in phases)
    assert {phase.enter.relaxation for phase in phases[1:]} == {Softmax(0.3)}  # type: ignore[union-attr]
