"""SGAS: scores by an independent formula, the order of decisions, what grows and what goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cell_nets import OPTIONS, assert_stops_leave_no_trace, cells_net
from method_trials import on_digits, published, squares, train
from small_nets import elastic_net, executor, operations_net, step
from supernet import Choice, Supernet, zoo
from supernet.errors import RunError, UsageError
from supernet.methods import darts, sgas
from supernet.nn import InputChoice
from supernet.space.restriction import Restriction
from supernet.train import Context, DecideEdge, DecideRest, Move, OptionLogits, Recipe, Step, adam, sgd
from supernet.train.edits.decide_edge import decisions
from supernet.train.edits.remember_probabilities import REMEMBERED, RememberProbabilities, remembered
from supernet.train.executor import Executor
from supernet.train.laws import Trial
from supernet.train.move import Result
from supernet.train.phases import plan

SHORT: dict[str, Any] = {"warmup": 1, "interval": 1, "growth": 0}


def fast(**options: Any) -> Recipe:
    return sgas(**{**SHORT, **options}).with_weights(lr=0.1)


TRIALS = {
    "sgas": lambda: on_digits(fast(), operations_net()),
    "sgas, stability": lambda: on_digits(fast(criterion=2, growth=0.125), operations_net()),
}
ALTERNATIVES = {
    "criterion": 2,
    "warmup": 9,
    "interval": 7,
    "history": 3,
    "growth": 0.0,
    "none": (),
    "weights": sgd(0.1),
    "architecture": adam(0.1),
}
SETTINGS = {"criterion": 1, "warmup": 10, "interval": 5, "history": 4, "growth": 0.125, "none": ("none",)}
REFUSED_BY = frozenset({"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"})


def test_its_optimisers_are_those_of_darts() -> None:
    assert published(sgas().weights) == published(darts().weights)
    assert sgas().parts["architecture"] == darts().parts["architecture"]


def test_its_history_is_as_long_as_what_is_remembered() -> None:
    recipe = sgas(history=3)
    (remember,) = recipe.edits
    assert remember.apply == RememberProbabilities(times=3)
    phases = recipe.on(operations_net().space).phases
    assert [phase.enter.history for phase in phases[1:]] == [3, 3]  # type: ignore[union-attr]
    assert recipe.derive == DecideRest(phases[1].enter), "what is derived early is decided alike"  # type: ignore[arg-type]


# -- phases ----------------------------------------------------------------------------------------------------


def test_the_darts_space_takes_eight_decisions_in_fifty_epochs() -> None:
    phases = sgas().on(cells_net(nodes=4).space).phases
    assert [round(64 * phase.batch) for phase in phases] == [64, 72, 80, 88, 96, 104, 112, 120, 128]
    epochs = [phase.share * phase.batch for phase in phases]
    assert epochs == [pytest.approx(10), *[pytest.approx(5)] * 8]
    assert [phase.part for phase in phases] == [
        (pytest.approx(begin / 50), pytest.approx(end / 50))
        for begin, end in zip([0, *range(10, 50, 5)], range(10, 55, 5), strict=True)
    ]


def test_nas_bench_201_takes_six() -> None:
    assert decisions(zoo.nasbench201(channels=4, cells=1).space, 2) == 6


def test_the_learning_rate_follows_one_cosine_and_batches_grow() -> None:
    """At the share e of all epochs it is that of DARTS, whatever the batches are."""
    sizes: list[int] = []
    original = Executor.execute

    def noting(self: Executor, move: Move, now: Step) -> Result:
        if move.updates == "weights":
            sizes.append(len(self.batch("train").y))
        return original(self, move, now)

    recipe = sgas()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Executor, "execute", noting)
        history = train(recipe, steps=40, log_every=1).history
    stretches = plan(recipe.on(operations_net().space).phases, 40)
    assert [stretch.steps for stretch in stretches] == [22, 9, 9]
    assert sizes == [16] * 22 + [18] * 9 + [20] * 9
    shares = [at / 44 for at in range(22)] + [0.5 + at / 36 for at in range(9)] + [0.75 + at / 36 for at in range(9)]
    expected = [0.001 + 0.024 * (1 + math.cos(math.pi * share)) / 2 for share in shares]
    assert [row["lr"] for row in history] == pytest.approx(expected)


def test_momentum_goes_on_over_a_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    original = DecideEdge.__call__

    def noting(self: DecideEdge, context: Context) -> None:
        original(self, context)
        held.extend(len(stepper.optimizer.state) for stepper in context.steppers.values())

    monkeypatch.setattr(DecideEdge, "__call__", noting)
    train(fast(), steps=6)
    assert len(held) == 4
    assert min(held) > 0


# -- scores --------------------------------------------------------------------------------------------------------


def brought(net: Supernet, logits: Mapping[str, NDArray[np.float64]], *, done: int = 50) -> Context:
    part = OptionLogits(net)
    with torch.no_grad():
        for choice, values in part.named():
            values.copy_(torch.tensor(logits[choice.name]))
    now = replace(step(net, done, total=100, parts={"architecture": part}), restriction=Restriction(net.space))
    return Context(now, executor(net, squares()))


def drawn(net: Supernet, seed: int) -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 1.5, len(OPTIONS)) for name in net.space.names if "<-" in name}


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(logits) / np.exp(logits).sum()


def by_numpy(now: NDArray[np.float64], past: list[NDArray[np.float64]], criterion: int) -> NDArray[np.float64]:
    """Of the released code's rule, for probabilities (E, O) of which the first option is `none`."""

    def norm(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return (x - x.min()) / (x.max() - x.min())

    importance = now[:, 1:].sum(1)
    p = now[:, 1:] / importance[:, None]
    certain = 1 + (p * np.log(p)).sum(1) / np.log(p.shape[1])
    score = norm(importance) * norm(certain)
    if criterion == 2:
        then = np.stack([old[:, 1:] / old[:, 1:].sum(1, keepdims=True) for old in past])
        score = score * norm(np.minimum(then, p).sum(2).mean(0))
    return score


@pytest.mark.parametrize("criterion", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_scores_agree_with_an_independent_formula(criterion: int, seed: int) -> None:
    net = cells_net(kinds=("normal",), nodes=3)
    context = brought(net, drawn(net, seed))
    names = [name for name in net.space.names if "<-" in name]
    old = [drawn(net, 100 + 10 * seed + age) for age in range(6)]
    context.memory[REMEMBERED] = [
        {"done": 10 * age, "options": {name: softmax(logits[name]).tolist() for name in names}}
        for age, logits in enumerate(old)
    ]
    choices = [net.space.choices[net.space.column(name)] for name in names]
    found = DecideEdge(criterion=criterion).scores(context, choices)  # type: ignore[arg-type]
    now = np.stack([softmax(drawn(net, seed)[name]) for name in names])
    # Those after steps 10 … 40: what is known of step 50 is the present itself.
    past = [np.stack([softmax(logits[name]) for name in names]) for logits in old[1:5]]
    expected = by_numpy(now, past, criterion)
    assert [found[name] for name in names] == pytest.approx(expected.tolist(), abs=1e-5)
    assert min(expected) == 0
    assert max(expected) > 0.1


def test_what_all_edges_have_alike_tells_none_apart() -> None:
    """Without `none` every importance is 1, and without a history every edge is stable."""
    net = operations_net()
    logits = {"block0": np.array([0.0, 0.0, 0.1]), "block1": np.array([2.0, 0.0, 0.0])}
    context = brought(net, logits)
    for criterion in (1, 2):
        found = DecideEdge(criterion=criterion).scores(context, net.space.choices)  # type: ignore[arg-type]
        assert found == {"block0": 0.0, "block1": 1.0}


def test_probabilities_are_remembered_once_per_epoch() -> None:
    recipe = fast(history=2, warmup=3, interval=3)
    trained = train(recipe, steps=84)
    kept = trained.memory[REMEMBERED]
    assert [entry["done"] for entry in kept] == [70, 77, 84], "7 steps of 16 are an epoch of 115 images"
    assert all(sum(p) == pytest.approx(1) for entry in kept for p in entry["options"].values())
    now = replace(step(operations_net(), 84, total=100), memory=dict(trained.memory))
    assert remembered(Context(now, None), 2) == [entry["options"] for entry in kept[:2]]  # type: ignore[arg-type]


# -- decisions -----------------------------------------------------------------------------------------------------


def greedily(net: Supernet, logits: Mapping[str, NDArray[np.float64]], nodes: int) -> list[tuple[str, str]]:
    """What is decided, in order, in one kind of cell."""
    edges = [(target, source) for target in range(2, nodes + 2) for source in range(target)]
    now = np.stack([softmax(logits[f"normal.{target}<-{source}"]) for target, source in edges])
    score = by_numpy(now, [], 1)
    decided: list[tuple[int, int]] = []
    found = []
    while True:
        full = {target for target in range(2, nodes + 2) if sum(edge[0] == target for edge in decided) == 2}
        left = [place for place, edge in enumerate(edges) if edge not in decided and edge[0] not in full]
        if not left:
            return found
        best = max(left, key=lambda place: score[place])
        decided.append(edges[best])
        target, source = edges[best]
        found.append((f"normal.{target}<-{source}", OPTIONS[1 + int(now[best, 1:].argmax())]))


@pytest.mark.parametrize("seed", range(5))
def test_edges_of_planted_logits_are_decided_in_the_order_of_their_scores(seed: int) -> None:
    nodes = 4
    net = cells_net(kinds=("normal",), nodes=nodes)
    logits = drawn(net, seed)
    context = brought(net, logits)
    found = []
    for _ in range(2 * nodes):
        before = set(context.restriction.kept)
        DecideEdge()(context)
        (name,) = {name for name in context.restriction.kept if "<-" in name} - before
        (option,) = context.restriction.space.allowed(name)
        found.append((name, str(option)))
    assert found == greedily(net, logits, nodes)
    assert context.restriction.space.size == 1
    kept = dict(context.restriction.kept)
    DecideEdge()(context)
    assert context.restriction.kept == kept, "there is nothing left to decide"


def test_a_node_with_two_decided_edges_loses_its_others() -> None:
    net = cells_net(kinds=("normal",), nodes=3)
    strong = {"normal.4<-1": "conv3", "normal.4<-3": "skip"}
    logits = {name: np.array([1.0, 0.0, 0.0, 0.01]) for name in net.space.names if "<-" in name}
    for number, (name, option) in enumerate(strong.items()):
        logits[name] = np.array([0.0] + [6.0 + number if o == option else 0.0 for o in OPTIONS[1:]])
    context = brought(net, logits)
    DecideEdge()(context)
    assert context.restriction.decided("normal.4") is None
    DecideEdge()(context)
    assert context.restriction.space.allowed("normal.4") == ((1, 3),)
    assert {name: context.restriction.space.allowed(name)[0] for name in strong} == strong


def test_none_is_never_decided_and_every_kind_of_cell_decides_one() -> None:
    net = cells_net()
    logits = {name: np.array([9.0, 0.0, 0.2, 0.1]) for name in net.space.names if "<-" in name}
    context = brought(net, logits)
    for number in range(1, 5):
        DecideEdge()(context)
        decided = [name for name in context.restriction.kept if "<-" in name]
        assert len(decided) == 2 * number
        assert {name.split(".")[0] for name in decided} == {"normal", "reduce"}
    assert {context.restriction.space.allowed(name) for name in decided} == {("conv1",)}


def test_decided_alphas_stay_where_they_are() -> None:
    recipe = fast(architecture=adam(0.01, weight_decay=0.1), interval=3)
    alphas, spaces = {}, {}
    for stop in (2, 4, 7):
        trained = train(recipe, steps=7, stop_after=stop)
        alphas[stop] = {c.name: p.detach().clone() for c, p in trained.parts["architecture"].named()}
        spaces[stop] = trained.space
    (first,) = [name for name in spaces[2].names if len(spaces[2].allowed(name)) == 1]
    (other,) = set(spaces[2].names) - {first}
    assert torch.equal(alphas[2][first], alphas[7][first])
    assert not torch.equal(alphas[2][other], alphas[4][other])


@pytest.mark.slow
@pytest.mark.parametrize("criterion", [1, 2])
def test_decisions_survive_a_stop_after_every_step_at_and_between_borders(criterion: int) -> None:
    recipe = fast(criterion=criterion, growth=0.25, warmup=2, interval=2)
    told = assert_stops_leave_no_trace(Trial(recipe=recipe, net=cells_net(), data=squares(), batch_size=32), steps=12)
    assert told["phase"] == 5
    decided = {name for name, codes in told["restricted"].items() if len(codes) == 1 and "<-" in name}
    assert len(decided) == 8
    assert len(told["memory"][REMEMBERED]) >= 2


# -- what is derived, and refused ----------------------------------------------------------------------------------


def test_what_was_decided_is_derived() -> None:
    trained = train(fast(), net=cells_net(), steps=5)
    assert trained.derived is not None
    assert trained.space is not None
    assert trained.space.size == 1
    assert "none" not in [trained.derived[name] for name in trained.net.space.names if "<-" in name]


def test_logits_that_are_not_finite_are_said() -> None:
    net = operations_net()
    context = brought(net, {"block0": np.array([math.nan, 0.0, 0.0]), "block1": np.zeros(3)})
    with pytest.raises(RunError, match=r"'block0' are .*nan.*Lower the learning rate"):
        DecideEdge()(context)


@pytest.mark.parametrize(
    "options", [{"warmup": 0}, {"interval": 0}, {"growth": -0.1}, {"criterion": 3}, {"history": 0}, {"history": 2.5}]
)
def test_values_outside_their_range_are_refused_where_they_are_given(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        sgas(**options)


def test_it_refuses_sizes_and_spaces_in_which_nothing_is_open() -> None:
    with pytest.raises(UsageError, match="cannot be mixed"):
        train(fast(), net=elastic_net(), steps=9)
    net = Supernet(InputChoice(Choice("cell.2", ((0, 1),)), [torch.nn.Identity(), torch.nn.Identity()]))
    with pytest.raises(UsageError, match="no edge could be decided"):
        sgas().on(net.space)


def test_batches_that_outgrow_the_images_are_refused_before_training() -> None:
    net = operations_net()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(UsageError, match="'decision 1' asks for batches of 176 examples, of 115 for training"):
        train(fast(growth=10), net=net, steps=60)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_choice_of_nothing_but_none_is_refused() -> None:
    net = operations_net()
    context = brought(net, {"block0": np.zeros(3), "block1": np.zeros(3)})
    with pytest.raises(UsageError, match="Every option of 'block0' is no operation"):
        DecideEdge(none=("conv3", "conv1", "skip"))(context)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(UsageError, match="Every option of 'block0' is no operation"):
        train(fast(none=("conv3", "conv1", "skip")), net=net, steps=6)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items()), "before any training"


def test_a_training_that_is_stopped_early_derives_what_it_would_decide_next_and_never_none() -> None:
    """The α are far on the side of `none`, which the strongest option of every edge would be."""
    net = cells_net()
    trained = train(fast(), net=net, steps=5, stop_after=1)
    assert trained.space is not None
    assert trained.space.size > 1
    logits = {name: np.array([9.0, 0.0, 0.2, 0.1]) for name in net.space.names if "<-" in name}
    context = brought(net, logits)
    context.restriction.decide("normal.2<-0", "skip")
    assert fast().derive is not None
    derived = fast().derive.derive(context)  # type: ignore[union-attr]
    found = {name: derived[name] for name in net.space.names if "<-" in name}
    assert found.pop("normal.2<-0") == "skip"
    assert "none" not in found.values()
    assert list(context.restriction.kept) == ["normal.2<-0"], "the training itself goes on with what is open"


def test_the_memory_is_not_asked_for_more_than_is_kept() -> None:
    with pytest.raises(UsageError):
        RememberProbabilities(times=0)
