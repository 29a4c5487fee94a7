"""A search inside a training: who survives, which gaps are filled, and what the predictor is for."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from method_trials import squares
from shifted_searches import blocks_net
from small_nets import executor, step
from supernet.errors import UsageError
from supernet.measure import RBF, Calibration
from supernet.measure.predictors._protocol import Prediction
from supernet.search import inside, pareto
from supernet.search.inside import MeasureArchive, SearchForArchive, fill_gaps
from supernet.search.problem import Problem
from supernet.search.survival import partitions, survivors
from supernet.train import Context
from supernet.train.samplers.architecture_archive import ArchitectureArchive
from supernet.train.samplers.candidate_pool import candidates

RNG = np.random.default_rng
MEASURE = MeasureArchive(keep=4, images=16, calibration=Calibration(images=16, batch_size=16))


def test_of_one_objective_the_lowest_survive() -> None:
    assert survivors(np.asarray([[3.0], [1.0], [2.0], [1.0]]), 2, RNG(0)) == [1, 3]


@pytest.mark.parametrize("objectives", [2, 3, 5])
def test_the_first_layers_survive_whole_and_the_last_is_thinned(objectives: int) -> None:
    losses = RNG(objectives).normal(size=(60, objectives))
    kept = survivors(losses, 40, RNG(0))
    assert (len(kept), kept) == (40, sorted(set(kept)))
    left, inside = np.arange(60), 0
    while True:
        layer = left[pareto.nondominated(losses[left])]
        if inside + len(layer) > 40:
            break
        assert set(layer.tolist()) <= set(kept), "a layer that fits is whole"
        inside, left = inside + len(layer), np.setdiff1d(left, layer)
    assert set(kept) - set(layer.tolist()) == set(range(60)) - set(left.tolist())


def test_the_thinned_layer_keeps_its_ends() -> None:
    front = np.asarray([[x, 10.0 - x] for x in (0, 4.9, 5.0, 5.1, 10)])
    assert survivors(front, 3, RNG(0))[0::2] == [0, 4]


def test_all_survive_where_all_fit() -> None:
    assert survivors(np.zeros((3, 2)), 7, RNG(0)) == [0, 1, 2]


def test_partitions_make_at_most_so_many_directions() -> None:
    assert [partitions(m, 100) for m in (2, 3, 4, 12)] == [99, 12, 6, 2]


def test_gaps_are_filled_as_an_exhaustive_choice_of_one_would() -> None:
    rng = RNG(1)
    units = np.asarray([1.0, 1e6])  # multiply-accumulates beside a share
    known, candidates = rng.random((5, 2)) * units, rng.random((7, 2)) * units
    scale = np.ptp(np.concatenate([known, candidates]), axis=0)

    def uneven(places: list[int]) -> float:
        columns = np.concatenate([known, candidates[places]]) / scale
        return float(max(np.diff(np.sort(column)).std() for column in columns.T))

    several = fill_gaps(known, candidates, 4)
    for count in range(4):
        left = [place for place in range(7) if place not in several[:count]]
        assert several[count] == min(left, key=lambda place: uneven([*several[:count], place]))
    assert fill_gaps(known, candidates, 99) == list(dict.fromkeys(fill_gaps(known, candidates, 99)))
    assert fill_gaps(np.zeros((2, 0)), np.zeros((5, 0)), 2) == [0, 1], "nothing is cheap: the best as predicted"


class Told:
    """A predictor that knows: the accuracy is the share of MACs, whatever was measured."""

    def __init__(self, seen: list[int]) -> None:
        self.seen = seen

    def fit(self, space: Any, codes: Any, values: Any, *, seed: int = 0) -> Told:
        self.told = dict(zip(map(tuple, codes.tolist()), values.tolist(), strict=True))
        self.seen.append(len(codes))
        self.seeds = [*getattr(self, "seeds", ()), seed]
        return self

    params = 1

    def predict(self, codes: Any) -> Prediction:
        return Prediction(-codes.sum(axis=1).astype(float), np.zeros(len(codes)))


def context() -> Context:
    net = blocks_net()
    run = executor(net, squares())
    return Context(replace(step(net), runner=run), run)


def test_picks_are_what_the_predictor_likes_best() -> None:
    seen: list[int] = []
    search = SearchForArchive(
        measure=MeasureArchive(objectives=("score",), keep=4, images=16, calibration=MEASURE.calibration),
        initial=5,
        picks=3,
        predictor=Told(seen),
        members=8,
        queries=10**4,
    )
    here = context()
    search(here)
    space, archive = here.net.space, ArchitectureArchive(here.memory)
    first, picked = archive.codes()[:5], archive.codes()[5:]
    everything = [arch.code for arch in space.enumerate() if arch.code not in first]
    best = sorted(map(sum, everything))[:3]
    assert sorted(map(sum, picked)) == best
    assert seen == [5]
    search(here)
    assert seen == [5, 8]
    assert archive.codes()[:8] == [*first, *picked], "the archive is added to, in order"


def test_a_predictor_is_fitted_to_what_each_is_worth_now() -> None:
    """In a later round with the weights of then, and by another seed."""
    told, here = Told([]), context()
    by_loss = replace(MEASURE, objectives=("loss",))
    search = SearchForArchive(measure=by_loss, initial=5, picks=1, predictor=told, members=8, queries=20)
    rounds = []
    for number, index in ((5, 0), (6, 9)):
        search(Context(replace(here.step, index=index), here.executor))
        archive = ArchitectureArchive(here.memory)
        losses = [values["loss"] for values in archive.values()]
        assert told.told == dict(zip(archive.codes()[:number], losses[:number], strict=True))
        rounds.append(losses[:5])
        assert [one.rating for one in candidates(here.net.space, here.memory)] == [min(losses)], "no stale rating"
        with torch.no_grad():
            for parameter in here.net.parameters():
                parameter += 0.1
    assert len({*rounds[0], *rounds[1]}) == 10
    assert len(set(told.seeds)) == 2


def test_the_search_begins_with_the_best_and_gaps_are_those_of_the_front(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Any] = []
    gaps: list[Any] = []
    searched, filled = inside.search_predictions, inside.fill_gaps

    def search(searcher: Any, problem: Problem, ask: Any, queries: int) -> Any:
        begun.append(problem.initial)
        return searched(searcher, problem, ask, queries)

    def fill(known: Any, offered: Any, n: int) -> list[int]:
        gaps.append(known)
        assert len(offered) == 8, "there is a choice of whom to pick"
        return filled(known, offered, n)

    monkeypatch.setattr(inside, "search_predictions", search)
    monkeypatch.setattr(inside, "fill_gaps", fill)
    here = context()
    SearchForArchive(measure=MEASURE, initial=12, picks=2, predictor=Told([]), members=8, queries=40)(here)
    archive = ArchitectureArchive(here.memory)
    codes, told = archive.codes()[:12], archive.values()[:12]
    front = pareto.nondominated(np.asarray([[-values["accuracy"], values["macs"]] for values in told]))
    assert 0 < front.sum() < 8
    assert gaps[0].tolist() == [[values["macs"]] for values, on in zip(told, front, strict=True) if on]
    first = {tuple(code) for code in begun[0].tolist()}
    assert len(first) == 8
    assert {code for code, on in zip(codes, front, strict=True) if on} <= first <= set(codes)
    assert not set(archive.codes()[12:]) & set(codes)


def test_a_space_that_is_used_up_adds_nothing() -> None:
    here = context()
    size = here.net.space.size
    search = SearchForArchive(
        measure=MEASURE, initial=int(size) + 5, picks=3, predictor=RBF(members=2), members=8, queries=50
    )
    search(here)
    assert len(ArchitectureArchive(here.memory)) == size


def test_the_same_state_gives_the_same_archive_and_leaves_the_net_alone() -> None:
    found = []
    for _ in range(2):
        here = context()
        before = {name: tensor.clone() for name, tensor in here.net.state_dict().items()}
        search = SearchForArchive(measure=MEASURE, initial=5, picks=2, predictor=RBF(members=2), members=8, queries=30)
        search(here)
        assert all((tensor == before[name]).all() for name, tensor in here.net.state_dict().items())
        found.append(here.memory)
    assert found[0] == found[1]


def test_measurements_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="give at least one"):
        MeasureArchive(objectives=())
    for name, value in itertools.product(("keep", "images"), (0, -1)):
        with pytest.raises(UsageError, match=f"is {value}; give at least 1"):
            MeasureArchive(**{name: value})
