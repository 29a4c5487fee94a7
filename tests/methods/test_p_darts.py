"""P-DARTS: its stages by the authors' numbers, what stays from stage to stage, and the limit on skip connections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cell_nets import assert_stops_leave_no_trace
from method_trials import on_digits, published, squares, train
from small_nets import executor, operations_net, step
from supernet import Supernet, zoo
from supernet.errors import UsageError
from supernet.methods import mean_teacher, p_darts
from supernet.space import Arch
from supernet.space.restriction import Restriction
from supernet.train import (
    Bilevel,
    Constant,
    Context,
    DropoutDecay,
    Move,
    OptionLogits,
    PerEpoch,
    Recipe,
    SkipLimited,
    Step,
    adam,
    sgd,
)
from supernet.train.executor import Executor
from supernet.train.feed import Feed
from supernet.train.laws import Trial
from supernet.train.move import Result
from supernet.zoo.cells.cell_ops import OPERATIONS

SMALL: dict[str, Any] = {
    "channels": 4,
    "layers": 3,
    "nodes": 2,
    "none": True,
    "operations": ("skip_connect", "max_pool_3x3", "sep_conv_3x3"),
    "stem_multiplier": 1,
    "in_channels": 1,
    "image_size": 8,
}


def cells(**options: Any) -> Supernet:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        return zoo.darts(**{**SMALL, **options})


def short(**options: Any) -> Recipe:
    """Networks of three, four and five cells; three and two operations in the end."""
    return p_darts(**{"layers": (3, 4, 5), "keep": (3, 2), **options})


TRIALS = {"p_darts": lambda: on_digits(short().with_weights(lr=0.1), cells(), steps=120)}
ALTERNATIVES = {
    "layers": (4, 11, 17),
    "keep": (4, 2),
    "skip_dropout": (0.1, 0.2, 0.3),
    "channels": (16, 20, 24),
    "begin": 0.5,
    "skips": 3,
    "exclude": (),
    "weights": sgd(0.1),
    "architecture": adam(0.1),
}
SETTINGS = {
    "layers": (5, 11, 17),
    "keep": (5, 3),
    "skip_dropout": (0.1, 0.4, 0.7),
    "channels": None,
    "begin": 0.4,
    "skips": 2,
    "exclude": ("none",),
}
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "mean_teacher", "sum_nas"}


def test_its_optimisers_are_those_of_the_official_code() -> None:
    told = published(p_darts().weights)
    assert {name: told[name] for name in ("lr", "momentum", "nesterov", "weight_decay", "clip", "end")} == {
        "lr": 0.025,
        "momentum": 0.9,
        "nesterov": False,
        "weight_decay": 3e-4,
        "clip": 5.0,
        "end": 0.0,
    }
    architecture = p_darts().parts["architecture"].updates
    assert architecture is not None
    told = published(architecture)
    assert (told["lr"], told["betas"], told["weight_decay"], told["clip"]) == (6e-4, (0.5, 0.999), 1e-3, 5.0)
    assert isinstance(architecture.schedule, Constant)


# -- stages ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_three_stages_of_25_epochs() -> None:
    """In every stage α learns from epoch 10 on, learning rate and dropout begin anew, the network is another."""
    seen: list[tuple[int, int, int, float, int, bool]] = []
    original = Executor.execute

    def noting(self: Executor, move: Move, now: Step) -> Result:
        assert now.restriction is not None
        options = {len(now.restriction.allowed(name)) for name in self.net.space.names if "<-" in name}
        cells = len(self.net.module.cells)  # type: ignore[arg-type]
        on = move.updates == "architecture"
        seen.append((now.done, cells, *options, now.settings["skip_dropout"], now.index, on))  # type: ignore[arg-type]
        return original(self, move, now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Executor, "execute", noting)
        patch.setattr(Feed, "steps_per_epoch", 1)
        history = train(short(), net=cells(), steps=75, log_every=1).history
    weights = [row for row in seen if not row[-1]]
    assert [row[1:3] for row in weights] == [(3, 4)] * 25 + [(4, 3)] * 25 + [(5, 2)] * 25
    assert [row[0] for row in seen if row[-1]] == [25 * stage + epoch for stage in range(3) for epoch in range(10, 25)]
    for stage, rate in enumerate((0.1, 0.4, 0.7)):
        told = [row[3] for row in weights[25 * stage : 25 * stage + 25]]
        first = [rate * (24 - epoch) / 25 for epoch in range(10)]
        assert told == pytest.approx(first + [rate * float(np.exp(-0.2 * (epoch - 10))) for epoch in range(10, 25)])
        rates = [row["lr"] for row in history[25 * stage : 25 * stage + 25]]
        assert rates == pytest.approx([0.0125 * (1 + float(np.cos(np.pi * e / 25))) for e in range(25)])


@pytest.mark.slow
def test_optimisers_weights_and_logits_begin_anew_in_every_stage() -> None:
    held: list[tuple[int, ...]] = []
    original = Executor.begin

    def noting(self: Executor) -> None:
        held.append(tuple(len(stepper.optimizer.state) for stepper in self.steppers.values()))
        original(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Executor, "begin", noting)
        ends = [train(short(begin=0.0, architecture=adam(0.1)), net=cells(), steps=6, stop_after=at) for at in (2, 3)]
    begun = [held[number] for number in (0, 3 + 2)]  # each training says once more at its end that it begins
    assert begun == [(0, 0), (0, 0)]
    for name, logits in ends[1].parts["architecture"].named():
        assert logits.detach().abs().max() < 0.2, f"{name} learned for one step, not for three"


def test_the_published_networks_are_those_of_the_space() -> None:
    """Of 5, 11 and 17 cells; with the operations that every edge has left after each stage."""
    recipe, net = p_darts(), zoo.darts(none=True, channels=2)
    assert [len(choice) for choice in net.space.choices if "<-" in choice.name] == [8] * 28
    made = [phase.enter for phase in recipe.phases]
    assert [change.options for change in made] == [{"layers": 5}, {"layers": 11}, {"layers": 17}]  # type: ignore[union-attr]
    assert [change.keep and change.keep.number for change in made] == [None, 5, 3]  # type: ignore[union-attr]
    assert [phase.share for phase in recipe.phases] == [1.0] * 3
    assert [phase.program for phase in recipe.phases] == [Bilevel(begin=0.4)] * 3
    dropouts = [PerEpoch(DropoutDecay(start=rate, begin=0.4)) for rate in (0.1, 0.4, 0.7)]
    assert [phase.settings for phase in recipe.phases] == [{"skip_dropout": dropout} for dropout in dropouts]
    (setting,) = p_darts(begin=0.5).phases[1].settings.values()
    assert setting == PerEpoch(DropoutDecay(start=0.4, begin=0.5))
    assert recipe.derive == SkipLimited(limit=2, exclude=("none",), cell="normal")
    assert p_darts(skips=3, exclude=()).derive == SkipLimited(limit=3)
    wide = p_darts(channels=(16, 20, 24)).phases[1].enter
    assert wide.options == {"layers": 11, "channels": 20}  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_training_may_be_stopped_after_any_step() -> None:
    trial = Trial(recipe=short(), net=cells(), data=squares(), batch_size=16)
    told = assert_stops_leave_no_trace(trial, steps=9)
    assert told["phase"] == 3
    assert told["journal"] == [{"rebuild": {"layers": count}} for count in (3, 4, 5)]
    assert {len(codes) for codes in told["restricted"].values()} == {2}


# -- the limit on skip connections --------------------------------------------------------------------------------

NAMES = ("none", *OPERATIONS)


def brought(net: Supernet, logits: Mapping[str, NDArray[np.float64]], keep: int | None) -> Context:
    part = OptionLogits(net)
    restriction = Restriction(net.space)
    with torch.no_grad():
        for choice, values in part.named():
            values.copy_(torch.tensor(logits[choice.name]))
            if keep is not None:
                order = logits[choice.name].argsort()[::-1][:keep]
                restriction.allow(choice.name, [choice.options[place] for place in order])
    now = replace(step(net, parts={"architecture": part}), restriction=restriction)
    return Context(now, executor(net, squares()))


def drawn(net: Supernet, seed: int) -> dict[str, NDArray[np.float64]]:
    """Random logits under which skips are strong."""
    rng = np.random.default_rng(seed)
    strong = np.array([0.8 if option == "skip_connect" else 0.0 for option in net.space.choices[0].options])
    return {name: rng.normal(0, 1, len(strong)) + strong for name in net.space.names if "<-" in name}


def derived(p: dict[tuple[int, int], dict[str, float]], nodes: int) -> dict[tuple[int, int], str]:
    """The two strongest edges of every node with their strongest operation."""
    found = {}
    for node in range(2, nodes + 2):
        edges = [(node, source) for source in range(node)]
        for edge in sorted(edges, key=lambda edge: -max(p[edge].values()))[:2]:
            found[edge] = max(p[edge], key=lambda option, edge=edge: p[edge][option])  # type: ignore[misc]
    return found


def by_hand(
    logits: Mapping[str, NDArray[np.float64]], options: tuple[str, ...], keep: int, nodes: int, limit: int
) -> Any:
    """The authors' rule, written down a second time: softmax over what is left, `none` never, weakest skips to 0."""
    p: dict[tuple[int, int], dict[str, float]] = {}
    for node in range(2, nodes + 2):
        for source in range(node):
            values = logits[f"normal.{node}<-{source}"]
            order = values.argsort()[::-1][:keep]
            raised = np.exp(values[order])
            of = dict(zip([options[place] for place in order], raised / raised.sum(), strict=True))
            p[node, source] = {option: value for option, value in of.items() if option != "none"}
    found = derived(p, nodes)
    times = 0
    while sum(option == "skip_connect" for option in found.values()) > limit:
        skips = [edge for edge, option in found.items() if option == "skip_connect"]
        weakest = min(skips, key=lambda edge: p[edge]["skip_connect"])
        p[weakest]["skip_connect"] = 0.0
        found, times = derived(p, nodes), times + 1
    return found, times


def normal_cell(arch: Arch, nodes: int) -> dict[tuple[int, int], str]:
    found = {}
    for node in range(2, nodes + 2):
        for source in (0, 1) if node == 2 else arch[f"normal.{node}.inputs"]:  # type: ignore[union-attr]
            found[node, source] = str(arch[f"normal.{node}<-{source}"])
    return found


@pytest.mark.parametrize("limit", [0, 1, 2, 3])
def test_weakest_skips_are_suppressed_one_after_the_other(limit: int) -> None:
    net = cells(nodes=4, channels=2)
    options = tuple(str(option) for option in net.space.choices[0].options)
    rounds = []
    for seed in range(6):
        logits = drawn(net, seed)
        context = brought(net, logits, 3)
        expected, times = by_hand(logits, options, 3, 4, limit)
        found = SkipLimited(limit=limit, exclude=("none",)).derive(context)
        assert normal_cell(found, 4) == expected
        free = SkipLimited(limit=None, exclude=("none",)).derive(context)
        same = {name: found[name] == free[name] for name in net.space.names if name.startswith("reduce")}
        assert all(same.values()), "the reduction cell has no limit"
        rounds.append(times)
    assert max(rounds) >= 3 - limit, "no case has shown anything"


def test_a_skip_without_another_operation_stays() -> None:
    net = cells(nodes=2, channels=2)
    context = brought(net, drawn(net, 0), None)
    for source in (0, 1):
        context.restriction.allow(f"normal.2<-{source}", ("none", "skip_connect"))
    limited = SkipLimited(limit=1, exclude=("none",))
    found = limited.derive(context)
    assert [found[f"normal.2<-{source}"] for source in (0, 1)] == ["skip_connect"] * 2
    assert limited.skips(context, found) == ("normal.2<-0", "normal.2<-1"), "every other one was suppressed"


def test_a_space_without_skips_or_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="no choice of the supernet there has an option 'skip_connect'"):
        SkipLimited().check(operations_net())
    with pytest.raises(UsageError, match="Sequential has no method `rebuilt`"):
        train(p_darts(skips=None, exclude=()), net=operations_net(), steps=3)
    with pytest.raises(UsageError, match="The option 'none' is to be excluded"):
        train(short(), net=cells(none=False), steps=3)
    with pytest.raises(UsageError, match="gets none of 2 steps"):
        train(short(), net=cells(), steps=2)
    with pytest.raises(UsageError, match="'skip_connect' is excluded"):
        p_darts(exclude=("skip_connect",))
    for wrong in (
        {"layers": ()},
        {"layers": (5, 11)},
        {"keep": (5, 3, 2)},
        {"skip_dropout": (0.1,)},
        {"channels": (4,)},
    ):
        with pytest.raises(UsageError, match="Give one number of each per stage"):
            p_darts(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="the network along the way"):
        mean_teacher(p_darts())
