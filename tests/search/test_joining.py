"""Objectives joined of parts by ranks, and scores without training as objectives."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from measure_networks import blobs, small_net
from supernet.errors import UsageError
from supernet.measure import NetEvaluator, Ridge
from supernet.measure.proxies import proxy_scores
from supernet.quantity import Quantity
from supernet.rank import kendall_tau
from supernet.rank.joined import joined_ranks
from supernet.search import NSGA2, Evolution, RandomSearch, Shifting, WithPredictor, run
from supernet.search.joining import Joining, rank_within, told
from supernet.search.laws import Toy, limit, stages

SMALL = Evolution(population=6, parents=3, mutations=3, crossovers=3)
JOINT = "accuracy+size"


def test_ranks_within_the_reference_are_those_of_a_ranking_with_it() -> None:
    """Of a value that the reference holds it is its rank; every other lies between its neighbours'."""
    within = np.sort(np.random.default_rng(0).normal(size=21))
    assert [rank_within(within, float(value)) for value in within] == list(range(1, 22))
    probes = np.linspace(within[0], within[-1] + 50, 400)
    ranks = [rank_within(within, float(value)) for value in probes]
    assert (np.diff(ranks) > 0).all()
    assert ranks[-1] < 42
    assert rank_within(within, -math.inf) == 0.5
    assert rank_within(np.ones(4), 1.0) == 2.5


def test_the_objective_is_that_of_the_formula_and_less_is_better_counts_so() -> None:
    """`size` is to be small: its rank is turned."""
    toy = Toy(stages(1))  # 36 architectures: the reference is the whole space
    codes = toy.space.unindex(range(toy.space.size))
    archs = toy.space.wrap(codes)
    joining = Joining(Toy(stages(1)), [JOINT])
    found = [joining.evaluate(arch, (JOINT, "accuracy"))[JOINT] for arch in archs]
    plain = [toy.evaluate(arch, ("accuracy", "size")) for arch in archs]
    scores = {"accuracy": [p["accuracy"] for p in plain], "size": [-p["size"] for p in plain]}
    np.testing.assert_allclose(found, joined_ranks(scores))
    assert joining.quantities[JOINT] == Quantity(JOINT, goal="max")


def test_a_value_does_not_depend_on_what_else_was_found_or_bounded() -> None:
    toy = Toy(stages(3))
    free = run(SMALL, Toy(stages(3)), objectives=JOINT, budget=24, reference=20)
    bound = run(
        SMALL, Toy(stages(3)), objectives=(JOINT,), constraints={"macs": limit(toy, 0.4)}, budget=24, reference=20
    )
    alone = Joining(Toy(stages(3)), [JOINT], reference=20)
    for one in (*free.archive[::5], *bound.archive[::5]):
        assert one.values[JOINT] == alone.evaluate(one.arch, (JOINT,))[JOINT]
    assert all(one.values["macs"] <= limit(toy, 0.4) for one in bound.archive)
    assert {*free.archive[0].values} == {JOINT, "accuracy", "size"}
    found = [one.values[JOINT] for one in free.archive]
    assert np.mean(found[-6:]) > np.mean(found[:6])
    other = Joining(Toy(stages(3)), [JOINT], reference=20, seed=1)
    assert other.evaluate(free.archive[0].arch, (JOINT,)) != alone.evaluate(free.archive[0].arch, (JOINT,))


def test_a_front_and_predictions_take_it_like_any_objective() -> None:
    front = run(NSGA2(population=6), Toy(stages(2)), objectives=(JOINT, "macs"), budget=18, reference=10)
    assert front.cost == "macs"
    assert len(front.points) > 1
    learning = WithPredictor(searcher=SMALL, predictor=Ridge(), measured=15, queries=200, picks=5)
    found = run(learning, Toy(stages(2)), objectives=JOINT, budget=25, reference=10)
    assert set(found.archive[-1].predicted or {}) == {JOINT}


def test_it_goes_on_from_every_line(tmp_path: Path) -> None:
    """The files are bit for bit those of a search that nothing stopped."""

    def search(folder: Path, *, resume: bool = False) -> bytes:
        run(SMALL, Toy(stages(2)), objectives=JOINT, budget=14, reference=6, out=folder, resume=resume)
        return (folder / "search.jsonl").read_bytes() + (folder / "front.json").read_bytes()

    whole = search(tmp_path / "whole")
    for count in (0, 1, 5, 13):
        folder = tmp_path / str(count)
        assert search(folder) == whole
        lines = (folder / "search.jsonl").read_bytes().splitlines(keepends=True)
        (folder / "search.jsonl").write_bytes(b"".join(lines[:count]))
        assert search(folder, resume=True) == whole


def test_the_reference_is_kept_and_not_scored_again(tmp_path: Path) -> None:
    first = Toy(stages(2))
    run(SMALL, first, objectives=JOINT, budget=12, reference=9, out=tmp_path)
    assert len(first.asked) == 12 + 9
    lines = (tmp_path / "reference.jsonl").read_bytes()
    front = (tmp_path / "front.json").read_bytes()
    record = (tmp_path / "search.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "search.jsonl").write_bytes(b"".join(record[:5]))
    (tmp_path / "reference.jsonl").write_bytes(b"".join(lines.splitlines(keepends=True)[:4]) + b'{"of"')
    again = Toy(stages(2))
    run(SMALL, again, objectives=JOINT, budget=12, reference=9, out=tmp_path, resume=True)
    assert len(again.asked) == (12 - 5) + (9 - 4)
    assert (tmp_path / "reference.jsonl").read_bytes() == lines
    assert (tmp_path / "front.json").read_bytes() == front
    with pytest.raises(UsageError, match="reference"):
        run(SMALL, Toy(stages(2)), objectives=JOINT, budget=12, reference=8, out=tmp_path, resume=True)


def test_what_each_part_brings_is_told(tmp_path: Path) -> None:
    front = run(RandomSearch(), Toy(stages(2)), objectives=JOINT, budget=30, reference=20, out=tmp_path)
    assert front.joined is not None
    rows = front.joined[JOINT]["parts"]
    joint = [one.values[JOINT] for one in front.archive]
    for part, sign in (("accuracy", 1), ("size", -1)):
        values = [sign * one.values[part] for one in front.archive]
        assert rows[part]["tau"] == pytest.approx(kendall_tau(values, joint), abs=0.03)
    assert rows["accuracy"]["without"] == pytest.approx(rows["size"]["tau"])
    assert json.loads((tmp_path / "front.json").read_text())["joined"] == front.joined
    [sentence] = told(front.joined)
    assert sentence.startswith("accuracy+size, ranked within 20 random architectures, on 30 evaluated: accuracy τ 0.")
    flat = {"a+b": {"reference": 9, "evaluations": 2, "parts": {"a": {"tau": None, "without": None}}}}
    assert "a is the same for all, and decides nothing" in told(flat)[0]


def test_scores_without_training_are_objectives() -> None:
    net, data = small_net(), blobs()
    names = ("naswot", "accuracy+naswot+vkdnw", "vkdnw")
    front = run(RandomSearch(), net, data, objectives=names, budget=3, reference=4)
    archs = [one.arch for one in front.archive]
    plain = proxy_scores(net, archs, data, ["naswot"])["naswot"]
    assert [one.values["naswot"] for one in front.archive] == plain.tolist()
    evaluator = NetEvaluator(net, data.sealed())
    joining = Joining(evaluator, names, reference=4)
    within = [arch for arch, _ in joining._reference()]
    together = proxy_scores(net, [*within, archs[0]], data, ["vkdnw"])["vkdnw"]
    assert front.archive[0].values["vkdnw"] == together[-1]
    # As a part the proxy's value is ranked among those of the reference, each joined likewise.
    column = np.sort([proxy_scores(net, [*within, arch], data, ["vkdnw"])["vkdnw"][-1] for arch in within])
    expected = math.log(rank_within(column, together[-1]) / 4)
    rest = sum(
        math.log(rank_within(np.sort(values), value) / 4)
        for values, value in (
            ([evaluator.scores(arch)["accuracy"] for arch in within], front.archive[0].values["accuracy"]),
            (proxy_scores(net, within, data, ["naswot"])["naswot"], plain[0]),
        )
    )
    assert front.archive[0].values[names[1]] == pytest.approx(expected + rest)
    bounded = float(np.median(plain))
    found = run(RandomSearch(), net, data, objectives="score", constraints={"naswot": (bounded, None)}, budget=4)
    assert all(point.values["naswot"] >= bounded for point in found.points)


@pytest.mark.parametrize(
    ("objectives", "said"),
    [
        ("accuracy+nothing", "'nothing', a part of 'accuracy\\+nothing', is not known; there are .*az_nas"),
        ("accuracy+accuracy", "a part twice"),
        ("accuracy+az_nas", "rates networks with fresh weights, and Toy has none"),
        ("nothing", "'nothing' is not known"),
        ("accuracy+", "'', a part of"),
    ],
)
def test_what_cannot_be_joined_is_refused(objectives: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run(SMALL, Toy(stages(2)), objectives=objectives, budget=4)


def test_weights_that_change_and_a_reference_of_one_are_refused() -> None:
    with pytest.raises(UsageError, match="two or more"):
        run(SMALL, Toy(stages(2)), objectives=JOINT, budget=4, reference=1)
    net, data = small_net(), blobs()
    with pytest.raises(UsageError, match="weights change while"):
        run(SMALL, net, data, objectives="accuracy+naswot", budget=4, wrap=Shifting(images=64))
