"""What every predictor promises, and what tells them apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from predicted_spaces import additive
from supernet import catalog, settings
from supernet.errors import RunError, UsageError
from supernet.measure import (
    MLP,
    RBF,
    Forest,
    GaussianProcess,
    Neighbours,
    Observed,
    Prediction,
    Predictor,
    RankWeighted,
    Ridge,
    held_out,
    predictor_curve,
    weighted_by_ranks,
)
from supernet.measure.predictors.features import encoded
from supernet.measure.predictors.mlp import _batches as batches_of
from supernet.rank import kendall_tau
from supernet.search.laws import stages
from supernet.space import Codes, Space

torch.set_num_threads(1)
SPACE = stages(3)
SMALL: dict[str, Predictor] = {
    "mlp": MLP(hidden=16, steps=100),
    "ridge": Ridge(),
    "forest": Forest(trees=10),
    "neighbours": Neighbours(),
    "gaussian_process": GaussianProcess(),
    "rbf": RBF(members=20),
}


def sample(n: int, seed: int = 0, space: Space = SPACE) -> Codes:
    drawn = space.population(np.random.default_rng(seed), 3 * n)
    return np.unique(drawn, axis=0)[np.random.default_rng(seed).permutation(len(np.unique(drawn, axis=0)))[:n]]


CODES, NEW = sample(120), sample(100, 1)
VALUES = additive(SPACE, CODES)


def write(folder: Path, codes: Codes, values: np.ndarray, quantity: str = "accuracy") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"arch": arch.options(), "values": {quantity: value, "macs": 1.0}, "generation": 0}
        for arch, value in zip(SPACE.wrap(codes), values.tolist(), strict=True)
    ]
    (folder / "search.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder)


def test_every_predictor_of_the_catalogue_is_under_the_laws() -> None:
    assert {entry.name for entry in catalog.own("predictors")} == {*SMALL, "rank_weighted"}
    assert all(isinstance(predictor, Predictor) for predictor in SMALL.values())


@pytest.mark.parametrize("name", SMALL)
def test_it_ranks_what_it_has_not_seen(name: str) -> None:
    told = SMALL[name].fit(SPACE, CODES, VALUES).predict(NEW)
    assert told.mean.shape == told.spread.shape == (100,)
    assert (told.spread >= 0).all()
    assert kendall_tau(told.mean, additive(SPACE, NEW)) > (0.2 if name == "neighbours" else 0.4)


@pytest.mark.parametrize("name", SMALL)
def test_the_unit_of_the_values_changes_nothing_but_the_unit(name: str) -> None:
    one = SMALL[name].fit(SPACE, CODES, VALUES).predict(NEW)
    other = SMALL[name].fit(SPACE, CODES, 1024 * VALUES).predict(NEW)  # a power of two: no sum is rounded otherwise
    assert np.allclose(other.mean, 1024 * one.mean)
    assert np.allclose(other.spread, 1024 * one.spread)


@pytest.mark.parametrize("name", SMALL)
def test_the_same_seed_is_the_same_predictor_whatever_torch_does(name: str) -> None:
    found = []
    for state in (1, 2):
        torch.manual_seed(state)
        found.append(SMALL[name].fit(SPACE, CODES, VALUES, seed=3).predict(NEW).mean)
        assert torch.initial_seed() == state, "the global generator is as it was"
    assert np.array_equal(*found)


@pytest.mark.parametrize("name", SMALL)
def test_what_does_not_matter_does_not_count(name: str) -> None:
    """The codes of inactive choices are free in a population that nobody has made canonical."""
    fitted = SMALL[name].fit(SPACE, CODES, VALUES)
    other = NEW.copy()
    other[~SPACE.active_mask(NEW)] = 1
    assert (other != NEW).any()
    assert np.allclose(fitted.predict(other).mean, fitted.predict(NEW).mean)


def test_an_rbf_follows_a_line_in_the_features_exactly() -> None:
    """By its linear tail, in as many directions as the centred features span: one-hot ones have a constant sum."""
    whole, x = RBF(members=1, architectures=1.0, features=1.0, smoothing=0.0), encoded(SPACE, CODES, "onehot")
    line = np.random.default_rng(0).normal(size=x.shape[1])
    fitted = whole.fit(SPACE, CODES, x @ line)
    np.testing.assert_allclose(fitted.predict(NEW).mean, encoded(SPACE, NEW, "onehot") @ line, atol=1e-6)
    spanned = np.linalg.matrix_rank(x - x.mean(axis=0))
    assert fitted.members[0].directions.shape[1] == spanned < np.linalg.matrix_rank(x)


@pytest.mark.parametrize("name", SMALL)
def test_no_population_has_no_prediction(name: str) -> None:
    told = SMALL[name].fit(SPACE, CODES, VALUES).predict(NEW[:0])
    assert told.mean.shape == told.spread.shape == (0,)


@pytest.mark.parametrize("name", SMALL)
def test_values_that_are_none_are_refused(name: str) -> None:
    for codes, values in ((CODES[:0], VALUES[:0]), (CODES, VALUES[1:]), (CODES, np.where(VALUES > 0, np.nan, VALUES))):
        with pytest.raises(UsageError, match="each with one finite value"):
            SMALL[name].fit(SPACE, codes, values)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, "many"])
@pytest.mark.parametrize("entry", catalog.own("predictors"), ids=lambda entry: entry.name)
def test_no_setting_takes_what_is_no_number(entry: catalog.Entry, value: object) -> None:
    made = {"archives": ["a"]} if entry.name == "rank_weighted" else {}
    for field in fields(entry.load()):
        if (field.name, value) == ("quantity", "many"):
            continue
        with pytest.raises(UsageError, match=rf"{entry.name}\.{field.name} is "):
            entry.load()(**{**made, field.name: value})


# -- one at a time ------------------------------------------------------------------------------------------------


def test_the_mlp_is_that_of_ofa() -> None:
    fitted = MLP(steps=1).fit(SPACE, CODES, VALUES)
    (net,) = fitted.nets
    inputs = sum(map(len, SPACE.choices))
    assert [tuple(p.shape) for p in net.parameters()] == [
        *((400, inputs), (400,), (400, 400), (400,), (400, 400), (400,)),
        (1, 400),
    ], "three layers, and a last one without a bias"
    assert fitted.params == 400 * (inputs + 1) + 2 * 400 * 401 + 400
    assert fitted.base == pytest.approx(VALUES.mean()), "the mean of what was measured is added"


def test_the_mlp_of_hat_has_five_linear_layers_and_ten_features() -> None:
    from predicted_spaces import hat_like

    space = hat_like()
    codes = sample(30, space=space)
    hat = MLP(encoding="stack_means", layers=4, bias=True, lr=1e-5, steps=2, batch=128, cosine=False)
    fitted = hat.fit(space, codes, additive(space, codes))
    shapes = [tuple(p.shape) for p in fitted.nets[0].parameters() if p.ndim == 2]
    assert shapes == [(400, 9), (400, 400), (400, 400), (400, 400), (1, 400)]
    assert fitted.params == 400 * 10 + 3 * 400 * 401 + 401


def test_members_of_an_mlp_are_averaged_and_differ() -> None:
    one = [MLP(hidden=16, steps=30).fit(SPACE, CODES, VALUES, seed=s) for s in (0, 1)]
    assert not np.allclose(one[0].predict(NEW).mean, one[1].predict(NEW).mean)
    both = MLP(hidden=16, steps=30, members=2).fit(SPACE, CODES, VALUES)
    assert both.params == 2 * one[0].params
    assert np.ptp(both.predict(NEW).spread) > 0
    assert np.ptp(one[0].predict(NEW).spread) == 0


def test_steps_of_an_mlp_are_passes_unless_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    stepped: list[int] = []
    step = torch.optim.Adam.step
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self, *a, **k: (stepped.append(1), step(self, *a, **k))[1])
    MLP(hidden=2, batch=50).fit(SPACE, CODES, VALUES)
    assert len(stepped) == 200 * (120 // 50)
    MLP(hidden=2, steps=7).fit(SPACE, CODES, VALUES)
    assert len(stepped) == 400 + 7


@pytest.mark.parametrize("cosine", [True, False])
def test_adam_of_an_mlp_goes_down_by_a_cosine_or_stays(cosine: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[float, float]] = []
    step = torch.optim.Adam.step

    def watched(self: torch.optim.Adam, *given: object, **named: object) -> object:
        seen.append((self.param_groups[0]["lr"], self.param_groups[0]["weight_decay"]))
        return step(self, *given, **named)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    MLP(hidden=2, steps=8, lr=0.01, weight_decay=0.3, cosine=cosine).fit(SPACE, CODES, VALUES)
    expected = 0.005 * (1 + np.cos(np.pi * np.arange(8) / 8)) if cosine else np.full(8, 0.01)
    assert [lr for lr, _ in seen] == pytest.approx(expected)
    assert {decay for _, decay in seen} == {0.3}


def test_every_pass_of_an_mlp_has_an_order_of_its_own() -> None:
    batches = batches_of(10, 3, np.random.default_rng(0))
    passes = [[next(batches).tolist() for _ in range(3)] for _ in range(3)]
    rows = [[row for batch in one for row in batch] for one in passes]
    assert all(len(set(one)) == 9 for one in rows), "no row twice; the tenth is left out"
    assert len({*map(tuple, rows)}) == 3
    assert {*rows[0], *rows[1], *rows[2]} == {*range(10)}


def test_the_defaults_are_those_that_the_documents_say() -> None:
    def numbers(predictor: object) -> dict[str, object]:
        return {field.name: getattr(predictor, field.name) for field in fields(type(predictor))}  # type: ignore[arg-type]

    assert numbers(MLP()) == {
        "encoding": "onehot",
        "hidden": 400,
        "layers": 3,
        "bias": False,
        "lr": 1e-3,
        "cosine": True,
        "steps": None,
        "batch": 256,
        "weight_decay": 0.0,
        "members": 1,
    }
    assert numbers(RBF()) == {
        "encoding": "onehot",
        "members": 500,
        "architectures": 0.8,
        "features": None,
        "smoothing": 1e-3,
    }
    assert numbers(Forest()) == {"trees": 200, "encoding": "onehot", "leaf": 1}
    assert numbers(Neighbours()) == {"k": 5, "encoding": "onehot"}
    assert numbers(GaussianProcess()) == {"encoding": "onehot", "most": 500}
    assert numbers(RankWeighted(archives=("a",))) == {
        "archives": ("a",),
        "quantity": "accuracy",
        "encoding": "onehot",
        "most": 500,
        "draws": 256,
    }


def test_members_of_an_rbf_ensemble_see_parts() -> None:
    found = RBF(members=5, architectures=0.5, features=0.75).fit(SPACE, CODES, VALUES).members
    inputs = sum(map(len, SPACE.choices))
    assert [(len(m.columns), len(m.function.y)) for m in found] == [(round(0.75 * inputs), 60)] * 5
    assert len({tuple(m.columns.tolist()) for m in found}) == 5


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
def test_an_rbf_is_the_cubic_with_a_linear_tail(smoothing: float) -> None:
    """Against its equations, on the options themselves rather than on directions."""
    x, new = (SPACE.encode(codes).astype(np.float64) for codes in (CODES, NEW))
    values = VALUES**2  # no sum over options, which the tail would tell alone
    y = (values - values.mean()) / values.std()

    def cubes(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray(np.linalg.norm(a[:, None] - b, axis=2) ** 3)

    tail = np.column_stack([x, np.ones(len(x))])
    empty = np.zeros((tail.shape[1], tail.shape[1]))
    equations = np.block([[cubes(x, x) + smoothing * np.eye(len(x)), tail], [tail.T, empty]])
    weights = np.linalg.lstsq(equations, np.append(y, np.zeros(tail.shape[1])), rcond=None)[0]
    told = np.column_stack([cubes(new, x), new, np.ones(len(new))]) @ weights
    one = RBF(members=1, architectures=1.0, features=1.0, smoothing=smoothing).fit(SPACE, CODES, values)
    np.testing.assert_allclose(one.predict(NEW).mean, values.mean() + values.std() * told, atol=1e-5)
    assert np.allclose(one.predict(CODES).mean, values, atol=1e-5) is (smoothing == 0)


def test_ridge_is_that_of_scikit_learn_at_one_of_its_penalties() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    line = Ridge().fit(SPACE, CODES, VALUES).line
    x = (SPACE.encode(CODES) - np.asarray(line.mean)) / np.asarray(line.scale)
    alphas = [len(CODES) * 10.0**power for power in range(-3, 4)]  # a penalty on the mean of the errors
    assert any(np.allclose(linear.Ridge(alpha).fit(x, VALUES).coef_, line.weights, atol=1e-6) for alpha in alphas)


def test_ridge_finds_a_sum_and_its_error() -> None:
    noise = np.random.default_rng(5).normal(scale=0.3, size=len(VALUES))
    fitted = Ridge().fit(SPACE, CODES, VALUES + noise)
    told = fitted.predict(NEW)
    assert np.sqrt(np.mean((told.mean - additive(SPACE, NEW)) ** 2)) < 0.25
    assert told.spread[0] == pytest.approx(0.35, abs=0.08), "the error of folds that were left out, noise included"
    assert Ridge().fit(SPACE, CODES, VALUES - 100).predict(NEW).mean.max() < 0, "it knows no floor"


def test_neighbours_repeat_what_was_measured() -> None:
    fitted = Neighbours(k=3).fit(SPACE, CODES, VALUES)
    assert np.allclose(fitted.predict(CODES).mean, VALUES)
    far = ((SPACE.encode(NEW)[:, None] - SPACE.encode(CODES)) ** 2).sum(axis=2)
    order = np.argsort(far, axis=1, kind="stable")
    ranked = np.take_along_axis(far, order, axis=1)
    clear = np.flatnonzero((ranked[:, 0] > 0) & (ranked[:, 2] < ranked[:, 3]))  # no doubt which three are nearest
    assert len(clear) > 5
    for row in clear:
        near, weights = order[row, :3], 1 / np.sqrt(ranked[row, :3])
        told = fitted.predict(NEW[[row]])
        assert told.mean[0] == pytest.approx(weights @ VALUES[near] / weights.sum())
        assert told.spread[0] == pytest.approx(VALUES[near].std())


def test_a_forest_is_the_mean_of_its_trees() -> None:
    fitted = Forest(trees=7).fit(SPACE, CODES, VALUES)
    told = [tree.predict(SPACE.encode(NEW)) for tree in fitted.model.estimators_]
    assert len(told) == 7
    assert np.allclose(fitted.predict(NEW), Prediction(np.mean(told, axis=0), np.std(told, axis=0)))


def test_leaves_of_a_forest_are_as_large_as_they_should_be() -> None:
    fitted = Forest(trees=3, leaf=15).fit(SPACE, CODES, VALUES)
    for tree in fitted.model.estimators_:
        nodes = tree.tree_
        assert nodes.n_node_samples[nodes.children_left == -1].min() >= 15 * 0.5  # drawn with replacement
        assert 1 < tree.get_n_leaves() <= 8
    assert fitted.params == sum(tree.get_n_leaves() for tree in fitted.model.estimators_)


def test_the_posterior_of_a_gaussian_process_is_without_the_noise() -> None:
    fitted = GaussianProcess().fit(SPACE, CODES, VALUES + np.random.default_rng(1).normal(scale=0.5, size=120))
    kernel, x, new = fitted.process.kernel_, SPACE.encode(CODES).astype(float), SPACE.encode(NEW).astype(float)
    assert fitted.noise > 0.01
    across = kernel.k1(new, x)
    variance = kernel.k1(new).diagonal() - np.einsum("ij,ji->i", across, np.linalg.solve(kernel(x), across.T))
    assert fitted.predict(NEW).spread == pytest.approx(fitted.scale * np.sqrt(variance), abs=1e-6)


def test_a_gaussian_process_leaves_one_out_as_if_it_were_fitted_without() -> None:
    fitted = GaussianProcess().fit(SPACE, CODES[:30], VALUES[:30])
    kernel = fitted.process.kernel_
    x, y = SPACE.encode(CODES[:30]).astype(np.float64), (VALUES[:30] - fitted.base) / fitted.scale
    told = fitted.left_out()
    for row in (0, 7, 29):
        rest = np.setdiff1d(np.arange(30), [row])
        weights = np.linalg.solve(kernel(x[rest]), kernel.k1(x[rest], x[[row]]))[:, 0]
        variance = kernel.k1(x[[row]])[0, 0] - weights @ kernel.k1(x[rest], x[[row]])[:, 0]
        assert told.mean[row] == pytest.approx(fitted.base + fitted.scale * (weights @ y[rest]), abs=1e-6)
        assert told.spread[row] == pytest.approx(fitted.scale * np.sqrt(variance), abs=1e-6)


def test_a_gaussian_process_is_sure_where_it_has_been() -> None:
    fitted = GaussianProcess().fit(SPACE, CODES, VALUES)
    assert fitted.predict(CODES).spread.mean() < 0.8 * fitted.predict(NEW).spread.mean()
    assert len(GaussianProcess(most=20).fit(SPACE, CODES, VALUES).process.alpha_) == 20


# -- learned on other data ----------------------------------------------------------------------------------------


def observed(seed: int, values: Callable[[Codes], np.ndarray], n: int = 80) -> Observed:
    codes = sample(n, seed)
    return Observed(codes, values(codes))


def related(codes: Codes) -> np.ndarray:
    """Another scale, and a third of it something else."""
    return 40 + 5 * additive(SPACE, codes) + 2 * additive(SPACE, codes, 9)


def against(codes: Codes) -> np.ndarray:
    return -additive(SPACE, codes)


def test_what_was_learned_elsewhere_ranks_with_nothing_measured() -> None:
    found = weighted_by_ranks(SPACE, CODES[:0], VALUES[:0], [observed(2, related), observed(3, related)])
    assert found.weights.tolist() == [0.5, 0.5]
    assert kendall_tau(found.predict(NEW).mean, additive(SPACE, NEW)) > 0.5


def test_archives_that_mislead_lose_their_weight_to_what_is_measured() -> None:
    others = [observed(2, related), observed(3, against)]
    codes, values = CODES[:12], VALUES[:12]
    found = weighted_by_ranks(SPACE, codes, values, others)
    assert found.weights.sum() == pytest.approx(1)
    assert found.weights[1] == 0 < found.weights[0]
    alone = weighted_by_ranks(SPACE, codes, values, others[1:])
    assert alone.weights.tolist() == [0.0, 1.0], "what is worse than the new data alone does no harm"
    told = found.predict(NEW)
    expected = sum(w * m.predict(NEW).mean for w, m in zip(found.weights, found.models, strict=True))
    variance = sum((w * m.predict(NEW).spread) ** 2 for w, m in zip(found.weights, found.models, strict=True))
    assert np.allclose(told.mean, values.mean() + values.std() * expected)
    assert np.allclose(told.spread, values.std() * np.sqrt(variance))


def unrelated(codes: Codes) -> np.ndarray:
    return additive(SPACE, codes, 12)


@pytest.mark.parametrize("worth", [(related, against, related), (unrelated,)])
def test_weights_are_the_shares_of_the_fewest_misranked_pairs(worth: tuple[Callable[[Codes], np.ndarray], ...]) -> None:
    """RGPE's rule, drawn alike and counted pair by pair, with the new process as it is without each one in turn."""
    others = [observed(seed, values) for seed, values in zip((3, 2, 4), worth, strict=False)]
    codes, values, draws = CODES[:10], VALUES[:10], 40
    found = weighted_by_ranks(SPACE, codes, values, others, draws=draws)
    known, rng = (values - values.mean()) / values.std(), np.random.default_rng([0, 1])
    told = [*(model.predict(codes) for model in found.models[:-1]), found.models[-1].left_out()]
    losses = np.zeros((len(told), draws))
    for row, one in enumerate(told):
        for draw, function in enumerate(one.mean + one.spread * rng.standard_normal((draws, 10))):
            pairs = [(j, k) for j in range(10) for k in range(10)]
            losses[row, draw] = sum((function[j] < function[k]) != (known[j] < known[k]) for j, k in pairs)
    kept = [np.median(row) <= np.quantile(losses[-1], 0.95) for row in losses[:-1]] + [True]
    weights = np.zeros(len(told))
    for draw in range(draws):
        best = min(loss for loss, keep in zip(losses[:, draw], kept, strict=True) if keep)
        winners = [row for row in range(len(told)) if kept[row] and losses[row, draw] == best]
        weights[winners] += 1 / len(winners) / draws
    assert found.weights == pytest.approx(weights)
    assert (found.weights > 0).sum() > 1


def test_an_archive_is_read_with_its_latest_values_and_refused_by_name(tmp_path: Path) -> None:
    good = write(tmp_path / "a", np.concatenate([CODES, CODES[:1]]), np.append(VALUES, 77.0))
    fitted = RankWeighted(archives=(good,)).fit(SPACE, CODES[:0], VALUES[:0])
    in_memory = Observed(np.concatenate([CODES[1:], CODES[:1]]), np.append(VALUES[1:], 77.0))
    other = weighted_by_ranks(SPACE, CODES[:0], VALUES[:0], [in_memory])
    assert np.array_equal(fitted.predict(NEW).mean, other.predict(NEW).mean)
    with pytest.raises(UsageError, match=r"holds no search: there is no search\.jsonl"):
        RankWeighted(archives=(str(tmp_path),)).fit(SPACE, CODES[:0], VALUES[:0])
    with pytest.raises(UsageError, match="has measured accuracy, macs, not loss"):
        RankWeighted(archives=(good,), quantity="loss").fit(SPACE, CODES[:0], VALUES[:0])
    with pytest.raises(UsageError, match="line 1, is of another space"):
        RankWeighted(archives=(good,)).fit(stages(1), CODES[:0], VALUES[:0])
    with pytest.raises(UsageError, match=r"rank_weighted\.archives"):
        RankWeighted(archives=())


# -- how good they are --------------------------------------------------------------------------------------------


class Oracle:
    """Knows the values; remembers what it was fitted to."""

    def __init__(self) -> None:
        self.seen: list[Codes] = []

    def fit(self, space: Space, codes: Codes, values: np.ndarray, *, seed: int = 0) -> Oracle:
        self.seen.append(codes)
        return self

    params = 3

    def predict(self, codes: Codes) -> Prediction:
        told = additive(SPACE, codes)
        return Prediction(told, told)


def test_held_out_ones_had_no_part_in_the_fit() -> None:
    oracle = Oracle()
    found = held_out(oracle, SPACE, CODES, VALUES)
    assert (found.n, found.tau) == (120, 1.0)
    assert found.rmse < 1e-9
    guesses = np.empty(120)
    for seen in oracle.seen:
        inside = (CODES[:, None] == seen).all(axis=2).any(axis=1)
        guesses[~inside] = VALUES[inside].mean()
    assert found.rmse_of_mean == pytest.approx(np.sqrt(np.mean((guesses - VALUES) ** 2)))
    assert [len(codes) for codes in oracle.seen] == [96] * 5
    left = [{*map(tuple, CODES.tolist())} - {*map(tuple, codes.tolist())} for codes in oracle.seen]
    assert sum(map(len, left)) == len(set.union(*left)) == 120, "each is held out once"
    with pytest.raises(UsageError, match="9 are too few to hold any out"):
        held_out(oracle, SPACE, CODES[:9], VALUES[:9])


def test_a_curve_holds_the_same_ones_out_for_every_number() -> None:
    oracle = Oracle()
    points = predictor_curve(oracle, SPACE, CODES, VALUES, measured=(10, 40), held=30, repeats=2)
    assert [(p.measured, p.tau, p.params) for p in points] == [(10, 1.0, 3), (40, 1.0, 3)]
    assert max(p.rmse for p in points) < 1e-9
    assert [len(codes) for codes in oracle.seen] == [10, 10, 40, 40]
    assert np.array_equal(oracle.seen[0], oracle.seen[2][:10]), "more are added to fewer"
    assert not np.array_equal(oracle.seen[0], oracle.seen[1]), "repeats draw otherwise"
    low, high = predictor_curve(Ridge(), SPACE, CODES, VALUES, measured=(10, 80), held=30, repeats=3)
    assert low.tau_range[0] <= low.tau <= low.tau_range[1]
    assert high.tau > low.tau + 0.1
    assert high.rmse < low.rmse
    with pytest.raises(UsageError, match="there are 120"):
        predictor_curve(Ridge(), SPACE, CODES, VALUES, measured=(100,), held=30)


@pytest.mark.parametrize("name", ["forest", "neighbours", "gaussian_process"])
def test_without_scikit_learn_it_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RunError, match=r"pip install 'supernet\[search\]'"):
        SMALL[name].fit(SPACE, CODES, VALUES)


def test_settings_have_names() -> None:
    built = settings.build("predictors", "mlp", settings.parse(["hidden=8", "encoding=ordinal", "cosine=false"]))
    assert built == MLP(hidden=8, encoding="ordinal", cosine=False)
    meta = settings.build("predictors", "rank_weighted", settings.parse(['archives=["a","b"]']))
    assert meta.archives == ("a", "b")
