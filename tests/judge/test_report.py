"""The rank report: verdicts, sentences, and what is written."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import kendalltau, rankdata

from supernet.errors import UsageError
from supernet.judge import RankReport, specialisation
from supernet.quantity import Quantity
from supernet.rank import (
    TAU,
    add_ranks,
    difference,
    estimate,
    kendall_tau,
    partial_tau,
    sampling_mass_curve,
    top_id_curve,
)
from supernet.space import Choice, Space

SPACE = Space([Choice(f"e{i}", tuple("abcde")) for i in range(6)])


def scores(knows: float, true: np.ndarray, seed: int) -> np.ndarray:
    return knows * true + np.random.default_rng(seed).normal(size=true.shape)


TRUE = np.random.default_rng(0).normal(size=200)
PARAMS = scores(1.0, TRUE, 1)


@pytest.mark.parametrize(("knows", "verdict"), [(4.0, "beats"), (1.05, "does not beat"), (0.2, "is worse than")])
def test_the_verdict_is_where_the_paired_interval_lies(knows, verdict):
    supernet = scores(knows, TRUE, 2)
    report = RankReport.of(supernet, TRUE, baselines={"parameter count": PARAMS}, n_bootstrap=300)
    tau = report["kendall_tau"]
    expected = difference(TAU, supernet, PARAMS, TRUE, n_bootstrap=300)
    assert tau.differences["parameter count"] == expected
    side = "beats" if expected.low > 0 else "is worse than" if expected.high < 0 else "does not beat"
    assert tau.verdict("parameter count") == side == verdict
    ours = estimate(TAU, supernet, TRUE, n_bootstrap=300)
    theirs = estimate(TAU, PARAMS, TRUE, n_bootstrap=300)
    said = "is not shown to beat" if verdict == "does not beat" and expected.value > 0 else verdict
    assert report.sentences()[0] == (
        f"This supernet {said} parameter count (τ {ours.value:.2f} [{ours.low:.2f}, {ours.high:.2f}] "
        f"against {theirs.value:.2f} [{theirs.low:.2f}, {theirs.high:.2f}])."
    )


def test_verdicts_turn_round_where_low_is_good():
    report = RankReport.of(scores(4.0, TRUE, 2), TRUE, baselines={"parameter count": PARAMS}, n_bootstrap=199)
    for comparison in report.comparisons:
        verdict = comparison.verdict("parameter count")
        assert (verdict is None) == comparison.measure.name.startswith(("regret", "best_rank", "ndcg"))
    with pytest.raises(UsageError, match="no interval, so there is no verdict"):
        report["regret@1"].sentence("parameter count")


def test_what_is_better_by_less_than_the_interval_is_called_not_shown():
    """Twelve architectures decide nothing: the sentence says which side the figures are on, the verdict stays."""
    rng = np.random.default_rng(3)
    true = rng.normal(size=12)
    noisy, worse = true + rng.normal(0, 1.0, 12), true + rng.normal(0, 1.6, 12)
    said = set()
    for one, other in ((noisy, worse), (worse, noisy)):
        tau = RankReport.of(one, true, baselines={"other": other}, n_bootstrap=199)["kendall_tau"]
        assert tau.verdict("other") == "does not beat"
        ahead = tau.differences["other"].value > 0
        said.add(ahead)
        assert ("is not shown to beat other" if ahead else "does not beat other") in tau.sentence("other")
    assert said == {True, False}


def test_everything_is_in_it():
    supernet = np.stack([scores(2.0, TRUE, seed) for seed in (5, 6, 7)])
    macs = scores(1.0, TRUE, 9)
    report = RankReport.of(
        supernet, TRUE, baselines={"parameter count": PARAMS, "MACs": macs}, seeds=(5, 6, 7), n_bootstrap=199
    )
    names = [comparison.measure.name for comparison in report.comparisons]
    assert names == [
        *("kendall_tau", "spearman_rho", "pearson_r"),
        *("top_id_rate@0.05", "precision@0.05", "ndcg@0.05", "tau_in_true_top@0.05", "tau_in_predicted_top@0.05"),
        *("top_id_rate@0.1", "precision@0.1", "ndcg@0.1", "tau_in_true_top@0.1", "tau_in_predicted_top@0.1"),
        *("top_id_rate@0.2", "precision@0.2", "ndcg@0.2", "tau_in_true_top@0.2", "tau_in_predicted_top@0.2"),
        *("best_rank@1", "regret@1", "best_rank@10", "regret@10"),
    ]
    assert (report.n, report.seeds, report.omitted) == (200, (5, 6, 7), {})
    tau = report["kendall_tau"].supernet
    assert tau.trainings == pytest.approx([kendall_tau(row, TRUE) for row in supernet])
    partial = report.partial["MACs"]
    assert partial.trainings == pytest.approx([partial_tau(row, TRUE, macs) for row in supernet])
    assert partial.low < partial.value < partial.high
    assert abs(report["kendall_tau"].random.value) < 0.03
    assert report["top_id_rate@0.1"].random.value == pytest.approx(0.1, abs=0.02)
    ours = report.top_id.lines[0]
    each = [top_id_curve(row, TRUE) for row in supernet]
    assert ours.values == pytest.approx(np.mean(each, axis=0))
    assert (ours.low == np.min(each, axis=0)).all()
    assert report.top_id.random[[0, 99, 199]].tolist() == [0.005, 0.5, 1]
    assert "3 trainings (τ" in report.sentences()[-1]
    assert str(report["kendall_tau"].supernet) in repr(report)


def test_json_and_csv_hold_the_same_figures():
    report = RankReport.of(scores(2.0, TRUE, 2), TRUE, baselines={"parameter count": PARAMS}, n_bootstrap=199)
    data = json.loads(json.dumps(report.to_json(), allow_nan=False))
    rows = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert len(rows) == 3 * len(report.comparisons) + 2
    for measure in data["measures"]:
        mine = {row["ranking"]: row for row in rows if row["measure"] == measure["measure"]}
        assert set(mine) == {"supernet", "random order", "parameter count"}
        assert float(mine["supernet"]["value"]) == measure["supernet"]["value"]
        assert mine["parameter count"]["verdict"] == (measure["verdicts"]["parameter count"] or "")
    assert data["sentences"] == report.sentences()
    assert data["partial_tau"]["parameter count"]["value"] == float(rows[-2]["value"])
    added = data["combined_tau"]["parameter count"]
    assert added["supernet"]["value"] == float(rows[-1]["value"])
    assert rows[-1]["measure"] == "added_tau with parameter count"
    assert rows[-1]["verdict"] == added["verdicts"]["parameter count"]


@pytest.mark.parametrize(
    ("knows", "said"),
    [(1.0, "rank better than"), (0.45, "are not shown to rank better than"), (-1.0, "rank worse than")],
)
def test_added_ranks_against_the_baseline_alone(knows, said):
    """Two equally good rankings with errors of their own rank better together; a wrong one does harm."""
    supernet = scores(knows, TRUE, 2)
    report = RankReport.of(supernet, TRUE, baselines={"parameter count": PARAMS}, n_bootstrap=300)
    found = report.combined["parameter count"]
    expected = kendalltau(rankdata(supernet) + rankdata(PARAMS), TRUE).statistic
    assert found.supernet.value == pytest.approx(expected)
    assert found.baselines["parameter count"] == report["kendall_tau"].baselines["parameter count"]
    (sentence,) = [sentence for sentence in report.sentences() if "added" in sentence]
    assert sentence.startswith(f"Its ranks and those of parameter count, added, {said} parameter count alone (τ ")


def test_ranks_are_added_whatever_the_scales():
    a, b = np.array([0.5, 0.5, 0.1, 0.9]), np.array([3.0, 1e9, 2.0, 1e8])
    assert add_ranks(a, b).tolist() == (rankdata(a) + rankdata(b)).tolist()
    assert add_ranks(a, b, a).tolist() == (2 * rankdata(a) + rankdata(b)).tolist()
    with pytest.raises(UsageError, match="Ranks of 1 rankings"):
        add_ranks(a)
    with pytest.raises(UsageError, match="4 ranking 1 and 3 ranking 2 scores"):
        add_ranks(a, b[:3])


def test_the_text_is_a_table_of_the_main_measures():
    report = RankReport.of(scores(2.0, TRUE, 2), TRUE, baselines={"parameter count": PARAMS}, n_bootstrap=199)
    head, *lines = report.text().splitlines()
    assert head.split() == ["supernet", "random", "order", "parameter", "count"]
    tau = report["kendall_tau"]
    assert lines[0].split() == [
        *("Kendall", "τ"),
        *str(tau.supernet).split(),
        *str(tau.random).split(),
        *str(tau.baselines["parameter count"]).split(),
    ]
    assert [line.split("  ")[0] for line in lines][1:6] == [
        "Spearman ρ",
        "Top 5 % ID rate",
        "P@top 5 %",
        "nDCG of the top 5 %",
        "τ within the true top 5 %",
    ]
    assert lines[-1].startswith("Regret of the best of the predicted top 10")
    assert not any("predicted top 5 %" in line for line in lines)


def test_plots_show_the_report():
    codes = SPACE.unindex(np.random.default_rng(0).choice(SPACE.size, 200, replace=False))
    supernet = scores(2.0, TRUE, 2)
    clusters = specialisation(SPACE, codes, supernet, TRUE, shared=3)
    probabilities = np.random.default_rng(1).dirichlet(np.ones(200))
    report = RankReport.of(
        supernet,
        TRUE,
        baselines={"parameter count": PARAMS},
        probabilities=probabilities,
        clusters=clusters,
        n_bootstrap=199,
    )
    figures = report.plot()
    assert set(figures) == {"top_id", "scatter", "mass", "clusters"}
    lines = {trace.name: trace for trace in figures["top_id"].data}
    assert set(lines) == {"supernet", "parameter count", "random, k / N"}
    assert np.asarray(lines["supernet"].y) == pytest.approx(top_id_curve(supernet, TRUE))
    assert np.asarray(lines["random, k / N"].y) == pytest.approx(np.arange(1, 201) / 200)
    assert np.asarray(figures["mass"].data[0].y) == pytest.approx(sampling_mass_curve(probabilities, TRUE))
    assert len(figures["clusters"].data[0].x) == len(clusters.clusters)
    assert report.to_json()["clusters"]["shared"] == 3


@pytest.mark.slow
def test_long_curves_are_thinned_where_they_matter_least():
    x, y = np.random.default_rng(0).normal(size=(2, 15_625))
    report = RankReport.of(x, y, baselines={}, shares=(), n_bootstrap=199)
    k = report.top_id.shown()
    assert len(k) <= 400
    assert k[:20].tolist() == list(range(1, 21))
    assert k[-1] == 15_625


def test_few_architectures_get_what_they_support():
    report = RankReport.of(scores(2.0, TRUE[:9], 2), TRUE[:9], baselines={"params": PARAMS[:9]}, n_bootstrap=199)
    assert "10 architectures cannot be picked of 9" in report.omitted["regret@10"]
    assert "at least 10 architectures" in report.omitted["tau_in_true_top@0.1"]
    with pytest.raises(UsageError, match="cannot be picked of 9"):
        report["regret@10"]
    with pytest.raises(UsageError, match="no measure 'tau'"):
        report["tau"]
    same = RankReport.of(TRUE, TRUE, baselines={"oracle": TRUE}, n_bootstrap=199)
    assert "ranks exactly like" in same.partial["oracle"].reason
    assert same["kendall_tau"].verdict("oracle") == "does not beat"


def test_noise_is_said_to_be_noise():
    noise = np.random.default_rng(12).normal(size=200)
    text = " ".join(RankReport.of(noise, TRUE, baselines={}, n_bootstrap=199).sentences())
    assert "It may be a random order" in text
    assert "another seed may rank differently" in text


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"baselines": {"params": PARAMS[:-1]}}, "199 params and 200 true"),
        ({"baselines": {}, "seeds": (1, 2)}, "2 seeds were given for 1 training"),
        ({"baselines": {}, "picks": 0}, "pick at least 1"),
        ({"baselines": {}, "shares": (2.0,)}, "share of top architectures is 2.0"),
        ({"baselines": {}, "probabilities": np.full(200, 0.1)}, "sum to 20"),
    ],
)
def test_bad_requests_are_refused(options, says):
    with pytest.raises(UsageError, match=says):
        RankReport.of(PARAMS, TRUE, **options)


# -- the verdict -------------------------------------------------------------------------------------------------


def judged(knows: float, n: int = 200, **options: Any) -> RankReport:
    """A supernet that knows more or less of the truth, beside a parameter count that knows 1."""
    options = {"baselines": {"parameter count": PARAMS[:n]}, "n_bootstrap": 300} | options
    return RankReport.of(scores(knows, TRUE[:n], 2), TRUE[:n], **options)


def percent(tau: float) -> str:
    return f"{50 * (1 + tau):.0f} %"


def test_a_ranking_that_beats_the_baseline_is_to_be_picked_by() -> None:
    report = judged(4.0)
    tau = report["kendall_tau"]
    ours, theirs = tau.supernet, tau.baselines["parameter count"]
    assert tau.verdict("parameter count") == "beats"
    regret = report["regret@1"].supernet.value
    assert report.verdict() == (
        "Pick by this ranking: of two of these architectures it puts the better one first in "
        f"{percent(ours.value)} ({percent(ours.low).split()[0]} to {percent(ours.high)}) of cases, "
        f"parameter count in {percent(theirs.value)}; its favourite is {regret:.3g} below the best of all 200."
    )
    pairs = [(i, j) for i in range(200) for j in range(i)]
    right = np.mean([(report.predicted[0, i] > report.predicted[0, j]) == (TRUE[i] > TRUE[j]) for i, j in pairs])
    assert percent(ours.value) == f"{100 * right:.0f} %"


def test_a_ranking_that_fails_among_the_best_is_said_to() -> None:
    """It knows the poor from the good and nothing among the best fifth."""
    rng = np.random.default_rng(8)
    good = np.quantile(TRUE, 0.8) <= TRUE
    supernet = np.where(good, 3 + rng.normal(size=200), TRUE + 0.2 * rng.normal(size=200))
    report = RankReport.of(supernet, TRUE, baselines={"parameter count": PARAMS}, n_bootstrap=300)
    assert report["tau_in_true_top@0.2"].supernet.low <= 0
    assert report.verdict().startswith("Pick by this ranking: ")
    assert report.verdict().endswith(
        "; but it is not shown to order the top 20 % among themselves, so train several of its favourites."
    )


def test_a_ranking_that_is_not_better_than_the_baseline_is_not_trusted() -> None:
    report = judged(1.05)
    assert report["kendall_tau"].verdict("parameter count") == "does not beat"
    verdict = report.verdict()
    assert verdict.startswith("Not shown to be better than sorting by parameter count: of two of these architectures ")
    assert report.combined["parameter count"].verdict("parameter count") == "beats"
    added = report.combined["parameter count"].supernet.value
    assert verdict.endswith(f"; the ranks of both added are right in {percent(added)}, so pick by these.")
    same = RankReport.of(PARAMS, TRUE, baselines={"parameter count": PARAMS}, n_bootstrap=300).verdict()
    assert same.endswith("; with 200 architectures the two cannot be told apart.")


def test_a_ranking_that_is_worse_than_the_baseline_is_refused() -> None:
    report = judged(0.2)
    assert report["kendall_tau"].verdict("parameter count") == "is worse than"
    theirs = report["kendall_tau"].baselines["parameter count"].value
    assert report.verdict().startswith("Do not pick by this ranking: of two of these architectures ")
    assert f"of cases, sorting by parameter count in {percent(theirs)}" in report.verdict()


def test_the_strongest_of_several_baselines_decides() -> None:
    both = {"MACs": scores(0.1, TRUE, 9), "parameter count": PARAMS}
    assert "sorting by parameter count" in judged(1.05, baselines=both).verdict()
    both = {"MACs": scores(8.0, TRUE, 9), "parameter count": PARAMS}
    verdict = judged(1.05, baselines=both).verdict()
    assert verdict.startswith("Do not pick by this ranking")
    assert "sorting by MACs" in verdict


def test_few_architectures_say_nothing() -> None:
    report = judged(1.0, n=9)
    tau = report["kendall_tau"].supernet
    assert report.verdict() == (
        "Too few architectures to say: with 9 of them, this ranking may put anything from "
        f"{percent(tau.low)} to {percent(tau.high)} of pairs in the right order; judge on 30 or more."
    )


def test_noise_is_not_to_be_picked_by() -> None:
    noise = np.random.default_rng(12).normal(size=200)
    verdict = RankReport.of(noise, TRUE, baselines={}, n_bootstrap=199).verdict()
    assert verdict.startswith("Do not pick by this ranking: it cannot be told from a random order (")


# -- figures that are undefined ------------------------------------------------------------------------------------


def strict(report: RankReport) -> dict[str, Any]:
    return json.loads(json.dumps(report.to_json(), allow_nan=False))


@pytest.mark.parametrize("n", [4, 60])
@pytest.mark.parametrize("flat", ["predicted", "true"])
def test_a_constant_ranking_is_a_dash_with_a_reason(flat: str, n: int) -> None:
    lists = {"predicted": scores(2.0, TRUE[:n], 2), "true": TRUE[:n]} | {flat: np.full(n, 0.25)}
    codes = SPACE.unindex(range(n))
    report = RankReport.of(**lists, baselines={"parameter count": PARAMS[:n]}, n_bootstrap=199)
    reason = f"The {flat} scores of all {n} architectures are 0.25; a constant ranks nothing. Give scores that differ."
    for comparison in report.comparisons:
        assert not comparison.supernet.defined
        assert (str(comparison.supernet), comparison.supernet.reason) == ("–", reason)
        assert comparison.verdict("parameter count") is None
        assert comparison.baselines["parameter count"].defined == (flat == "predicted")
    assert report.verdict() == f"No verdict: {reason}"
    assert report.sentences()[0] == f"Kendall τ is undefined: {reason}"
    assert report.text().splitlines()[1].split()[:4] == ["Kendall", "τ", "–", "–"]
    assert report.text().splitlines()[-1] == f"–: {reason}"
    told = strict(report)
    assert told["measures"][0]["supernet"]["value"] is None
    assert told["measures"][0]["supernet"]["reason"] == reason
    rows = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert {(row["value"], row["reason"]) for row in rows if row["ranking"] == "supernet"} == {("", reason)}
    assert set(report.plot()) == {"top_id", "scatter"}
    assert len(report.top_id.lines) == (1 if flat == "predicted" else 0)
    assert len(codes) == n


def test_a_baseline_that_ranks_nothing_is_a_dash_beside_the_others() -> None:
    """All architectures of a space may have as many parameters."""
    macs = scores(1.0, TRUE, 9)
    report = judged(4.0, baselines={"parameter count": np.full(200, 7.0), "MACs": macs})
    alone = judged(4.0, baselines={"MACs": macs})
    assert report["kendall_tau"].supernet == alone["kendall_tau"].supernet
    assert report["kendall_tau"].baselines["MACs"] == alone["kendall_tau"].baselines["MACs"]
    assert not report["kendall_tau"].baselines["parameter count"].defined
    assert not report.partial["parameter count"].defined
    assert not report.combined["parameter count"].supernet.defined
    assert report.sentences()[0].startswith("This supernet cannot be compared with parameter count: The parameter ")
    assert report.verdict() == alone.verdict()
    assert [line.name for line in report.top_id.lines] == ["supernet", "MACs"]
    strict(report)


def test_a_figure_without_resamples_that_define_it_keeps_its_value() -> None:
    """One architecture differs: most resamples of four hold it, of a hundred equal ones beside it a third do not."""
    predicted = np.zeros(100)
    predicted[0] = 1
    true = np.zeros(100)
    true[50] = 1
    report = RankReport.of(predicted, true, baselines={}, n_bootstrap=199)
    tau = report["kendall_tau"].supernet
    assert tau.value == pytest.approx(kendalltau(predicted, true).statistic)
    assert (tau.low, tau.high) == (None, None)
    assert "undefined in" in tau.reason
    assert report.verdict() == f"No verdict: {tau.reason} Judge on more architectures."
    strict(report)


def test_mass_of_a_flat_truth_is_left_out_with_a_reason() -> None:
    report = RankReport.of(TRUE[:9], np.ones(9), baselines={}, probabilities=np.full(9, 1 / 9), n_bootstrap=199)
    assert report.mass is None
    assert "a constant ranks nothing" in report.omitted["mass"]


def test_files_hold_values_as_people_know_them_also_where_less_is_better():
    codes = SPACE.unindex(np.random.default_rng(0).choice(SPACE.size, 60, replace=False))
    perplexity, loss = np.exp(scores(1.0, TRUE[:60], 3)), np.exp(scores(1.0, TRUE[:60], 4))
    found = RankReport.of(
        -loss,
        -perplexity,
        baselines={"MACs": PARAMS[:60]},
        archs=SPACE.wrap(codes),
        clusters=specialisation(SPACE, codes, -loss, -perplexity),
        n_bootstrap=199,
    )
    found = replace(found, metric=Quantity("perplexity"), score=Quantity("loss"))
    rows = list(csv.DictReader(io.StringIO(found.scores_csv())))
    assert [float(row["true"]) for row in rows] == perplexity.tolist()
    assert [float(row["supernet 0"]) for row in rows] == loss.tolist()
    assert [float(row["MACs"]) for row in rows] == PARAMS[:60].tolist()
    told = json.loads(json.dumps(found.to_json()))
    assert (told["metric"], told["score"]["name"]) == ({"name": "perplexity", "goal": "min", "unit": ""}, "loss")
    families = [(family["true"], family["predicted"]) for family in told["clusters"]["clusters"]]
    assert families == [(-family.true, -family.predicted) for family in found.clusters.clusters]
    assert families == sorted(families), "the truly best first, which has the least"
    assert f"the best architecture reaches {perplexity.min():.4g}." in " ".join(found.sentences())
    assert found["kendall_tau"].supernet.value == pytest.approx(kendalltau(loss, perplexity).statistic)
