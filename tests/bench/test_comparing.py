"""Comparing runs: the figures, the verdicts, and what cannot be compared."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bench_runs import ARCHS, PARAMS, TRUE, N, scores, write_run
from supernet import rank
from supernet.bench import RunTable, compare_runs
from supernet.bench.spent import Spent
from supernet.errors import RunError, UsageError

FAIR = {"method": {"name": "fairnas"}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A poor and a good cell, three seeds each."""
    path = tmp_path_factory.mktemp("runs")
    for seed in range(3):
        write_run(path / f"poor/seed-{seed}", scores(6.0, seed), seed=seed)
        write_run(path / f"good/seed-{seed}", scores(1.0, seed), seed=seed, settings=FAIR)
    return path


@pytest.fixture(scope="module")
def table(folder: Path) -> RunTable:
    return compare_runs([folder / "poor", folder / "good"])


def test_runs_that_differ_in_their_seed_share_a_row(table: RunTable) -> None:
    assert [(row.name, row.seeds) for row in table.rows] == [("poor", [0, 1, 2]), ("good", [0, 1, 2])]
    assert table.baseline == "poor"
    assert table["good"].changes == {"method": "fairnas"}


def test_the_figures_are_the_judges(table: RunTable) -> None:
    good = np.stack([scores(1.0, seed) for seed in range(3)])
    poor = np.stack([scores(6.0, seed) for seed in range(3)])
    expected = [stats.kendalltau(row, TRUE).statistic for row in good]
    tau = table["good"].figures["kendall_tau"]
    assert tau.trainings == pytest.approx(expected)
    assert (tau.value, tau.std) == pytest.approx((np.mean(expected), np.std(expected, ddof=1)))
    assert table["good"].minus_baseline["kendall_tau"] == rank.difference(rank.TAU, good, poor, TRUE)
    assert table["good"].minus_free["parameter count"] == rank.difference(rank.TAU, good, PARAMS, TRUE)
    assert table.free["parameter count"]["kendall_tau"].value == pytest.approx(stats.kendalltau(PARAMS, TRUE).statistic)
    top = np.sort(TRUE)[-24:]  # 20 % of 120
    inside = np.isin(TRUE, top)
    expected = [stats.kendalltau(row[inside], TRUE[inside]).statistic for row in good]
    assert table["good"].figures["tau_in_true_top@0.2"].trainings == pytest.approx(expected)
    favourites = [TRUE[row.argmax()] for row in good]
    assert [table.best - lost for lost in table["good"].figures["regret@1"].trainings] == pytest.approx(favourites)
    assert (table["poor"].minus_baseline, table["poor"].paired) == ({}, None)
    expected = [stats.kendalltau(stats.rankdata(row) + stats.rankdata(PARAMS), TRUE).statistic for row in poor]
    added = table["poor"].added
    assert added.trainings == pytest.approx(expected)
    assert f"{added.value:.2f} ± {added.std:.2f}" in table.to_text().splitlines()[2]


def test_the_paired_test_is_that_of_scipy(table: RunTable) -> None:
    taus = [table[cell].figures["kendall_tau"].trainings for cell in ("good", "poor")]
    paired = table["good"].paired
    assert paired is not None
    assert paired.p_value == pytest.approx(stats.ttest_rel(*taus).pvalue)
    assert (paired.seeds, paired.mean) == ((0, 1, 2), pytest.approx(np.mean(np.subtract(*taus))))


def test_verdicts(folder: Path, table: RunTable, tmp_path: Path) -> None:
    said = table.sentences()
    assert re.match(
        r"good ranks better than poor: τ \+0\.\d\d \[\+0\.\d\d, \+0\.\d\d\] \(3 seeds each; paired t over 3 ", said[0]
    )
    assert re.match(r"poor does not beat parameter count \(τ 0\.\d\d \[.*\] against 0\.\d\d \[", said[1])
    assert said[2].startswith("good beats parameter count (τ ")
    assert len(said) == 3
    turned = compare_runs([folder / "good", folder / "poor"])
    assert turned.sentences()[0].startswith("poor ranks worse than good: τ -0.")
    write_run(tmp_path / "noise", scores(60.0, 0))
    (said,) = compare_runs([tmp_path / "noise"]).sentences()
    assert re.match(r"noise is worse than parameter count \(τ -?0\.\d\d \[.*\] against 0\.\d\d \[", said)
    for seed in range(3):
        write_run(tmp_path / f"other/seed-{seed}", scores(1.0, 10 + seed), seed=seed, settings={"train": {"steps": 99}})
    pair = [folder / "good", tmp_path / "other"]
    for paths in (pair, pair[::-1]):  # whichever of the two happens to be ahead
        said = compare_runs(paths).sentences()
        assert re.match(r"\w+ is not shown to rank otherwise than \w+: τ [+-]0\.\d\d \[-0\.\d\d, \+0\.\d\d\]", said[0])


def test_one_seed_is_said_to_be_one(tmp_path: Path) -> None:
    write_run(tmp_path / "a", scores(6.0, 0))
    write_run(tmp_path / "b", scores(1.0, 0), settings=FAIR)
    found = compare_runs([tmp_path / "a", tmp_path / "b"])
    assert found.sentences()[0].endswith("(1 seed each; other seeds may say otherwise).")
    assert found["b"].paired is None
    assert any("leaves out how trainings differ" in note for note in found.notes)


def test_text_and_files(table: RunTable, tmp_path: Path) -> None:
    text = table.to_text().splitlines()
    assert text[0].split()[:3] == ["cell", "seeds", "τ"]
    tau = table["good"].figures["kendall_tau"]
    (line,) = [line for line in text if line.startswith("good  ")]
    assert f"{tau.value:.2f} ± {tau.std:.2f}" in line
    favourites = [TRUE[scores(1.0, seed).argmax()] for seed in range(3)]
    assert f"{np.mean(favourites):.2f} ± {np.std(favourites, ddof=1):.2f}" in line
    assert any(line.startswith("parameter count") for line in text)
    table.write(tmp_path)
    rows = {row["row"]: row for row in csv.DictReader((tmp_path / "comparison.csv").read_text().splitlines())}
    assert list(rows) == ["poor", "good", "parameter count", "random order"]
    assert float(rows["good"]["kendall_tau"]) == tau.value
    difference = table["good"].minus_baseline["kendall_tau"]
    assert float(rows["good"]["kendall_tau minus baseline high"]) == difference.high
    assert rows["good"]["backwards"] == "100.0"
    kept = json.loads((tmp_path / "comparison.json").read_text())
    assert [cell["name"] for cell in kept["cells"]] == ["poor", "good"]
    run = kept["cells"][1]["runs"][2]
    assert (run["seed"], run["spent"]["steps"]) == (2, 100)
    assert run["figures"]["kendall_tau"] == tau.trainings[2]
    assert kept["cells"][1]["settings"]["train.steps"] == 100
    page = (tmp_path / "comparison.md").read_text()
    assert "| good | method=fairnas | 0, 1, 2 |" in page
    assert all(f"- {sentence}" in page for sentence in table.sentences())
    lengths = {line.count("|") for line in page.splitlines() if line.startswith("| ")}
    assert len(lengths) == 2  # two tables, each of one width
    assert "![Kendall τ by cell, one dot per seed](comparison.svg)" in page
    assert not (tmp_path / "budget.svg").exists()  # both cells have one length


def test_without_matplotlib_the_page_has_no_drawing(
    table: RunTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert table.write(tmp_path) == ["comparison.md", "comparison.csv", "runs.csv", "comparison.json"]
    assert "svg" not in (tmp_path / "comparison.md").read_text()


def test_a_dash_where_a_figure_is_undefined(tmp_path: Path) -> None:
    """A supernet whose subnets are all equally accurate ranks nothing; the others are compared all the same."""
    write_run(tmp_path / "a", scores(1.0, 0))
    write_run(tmp_path / "b", np.full(N, 0.1), settings=FAIR)
    for paths in ([tmp_path / "a", tmp_path / "b"], [tmp_path / "b", tmp_path / "a"]):
        found = compare_runs(paths)
        assert found["a"].figures["kendall_tau"].value == pytest.approx(
            stats.kendalltau(scores(1.0, 0), TRUE).statistic
        )
        assert not found["b"].figures["kendall_tau"].defined
        (line,) = [line for line in found.to_text().splitlines() if line.startswith("b  ")]
        assert line.split()[2] == "–"
        assert any("The figures of b are undefined" in note and "constant" in note for note in found.notes)
        found.write(tmp_path / "out")
        assert json.loads((tmp_path / "out/comparison.json").read_text())["n"] == N
        rows = csv.DictReader((tmp_path / "out/comparison.csv").read_text().splitlines())
        assert {row["row"]: row["kendall_tau"] for row in rows}["b"] == ""


# -- budgets ------------------------------------------------------------------------------------------------


def test_what_a_run_spent(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a", scores(1.0, 0))
    found = Spent.read(path)
    # 50 steps of 32 images at 64 and at 128 images a second
    assert (found.steps, found.forwards, found.backwards, found.images, found.training_seconds) == (
        100,
        200,
        100,
        3200,
        37.5,
    )
    assert (found.training_memory_bytes, found.threads) == (None, 1)


def test_the_log_tells_how_long_the_steps_took(tmp_path: Path) -> None:
    """Steps that draw no training images, as at the end of a cycle of CDARTS, take time too."""
    path = write_run(tmp_path / "a", scores(1.0, 0))
    rows = [{"step": 50, "examples_per_s": 0.0, "seconds": 2.5}, {"step": 100, "examples_per_s": 64.0, "seconds": 9.0}]
    (path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert Spent.read(path).training_seconds == 11.5
    (path / "train.jsonl").write_text(json.dumps({"step": 50, "examples_per_s": 0.0}) + "\n")
    assert Spent.read(path).training_seconds == 0


def test_unequal_budgets_are_told(tmp_path: Path) -> None:
    write_run(tmp_path / "a", scores(1.0, 0))
    write_run(tmp_path / "b", scores(1.0, 1), settings=FAIR, backwards=500)
    notes = " ".join(compare_runs([tmp_path / "a", tmp_path / "b"]).notes)
    assert "budgets differ" in notes
    assert "a 3,200, b 16,000; forward, a 6,400, b 32,000." in notes


def test_trainings_stopped_at_one_step_are_no_line_over_the_budget(tmp_path: Path) -> None:
    """They differ in what was asked for alone, and have spent the same."""
    for steps in (300, 400):
        path = write_run(tmp_path / f"runs/asked-{steps}", scores(1.0, 0), settings={"train": {"steps": steps}})
        asked = json.loads((path / "training.json").read_text())
        (path / "training.json").write_text(json.dumps(asked | {"steps": steps}))
    found = compare_runs([tmp_path / "runs"])
    found.write(tmp_path / "out")
    assert not found.lengths()
    assert not (tmp_path / "out/budget.svg").exists()
    (note,) = [note for note in found.notes if "stopped early" in note]
    assert "asked-300 after 100 of 300 steps" in note
    assert "asked-400 after 100 of 400 steps" in note
    (path / "counts.json").write_text("[]")  # a training that ended of itself
    assert "asked-400" not in " ".join(compare_runs([tmp_path / "runs"]).notes)


def test_equal_budgets_are_not(table: RunTable) -> None:
    assert not [note for note in table.notes if "budget" in note]


def test_an_unknown_budget_is_told(tmp_path: Path) -> None:
    write_run(tmp_path / "a", scores(1.0, 0), backwards=None)
    assert any("log of a does not count backwards" in note for note in compare_runs([tmp_path / "a"]).notes)


def test_a_log_that_was_cut_short(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a", scores(1.0, 0))
    (path / "train.jsonl").write_text("")
    with pytest.raises(RunError, match="empty, so it is not the log of a training"):
        compare_runs([path])


# -- what can be compared ---------------------------------------------------------------------------------------


def test_other_spaces_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "a", scores(1.0, 0))
    write_run(tmp_path / "b", scores(1.0, 1), seed=1, space="f" * 16)
    with pytest.raises(UsageError, match=r"different spaces.*0123456789abcdef.*ffffffffffffffff"):
        compare_runs([tmp_path / "a", tmp_path / "b"])


def test_other_truths_are_refused(tmp_path: Path) -> None:
    true = TRUE.copy()
    true[17] = 12.5
    write_run(tmp_path / "a", scores(1.0, 0))
    write_run(tmp_path / "b", scores(1.0, 1), seed=1, true=true)
    with pytest.raises(UsageError, match=r"different truths \(.* and 12\.5 for kernel=17\)"):
        compare_runs([tmp_path / "a", tmp_path / "b"])


def test_shared_architectures_only(tmp_path: Path) -> None:
    """In another order, and with a third of the architectures missing."""
    order = np.random.default_rng(3).permutation(N)[:80]
    one, other = scores(2.0, 0), scores(1.0, 1)
    write_run(tmp_path / "a", one)
    taken = {"archs": [ARCHS[place] for place in order], "true": TRUE[order], "params": PARAMS[order]}
    write_run(tmp_path / "b", other[order], settings=FAIR, **taken)
    found = compare_runs([tmp_path / "a", tmp_path / "b"])
    assert found.n == 80
    assert any("(80, 120)" in note and "the 80 that they share" in note for note in found.notes)
    for cell, predicted in (("a", one), ("b", other)):
        expected = stats.kendalltau(predicted[order], TRUE[order]).statistic
        assert found[cell].figures["kendall_tau"].value == pytest.approx(expected)


def test_too_few_shared_architectures(tmp_path: Path) -> None:
    few = slice(91, None)
    write_run(tmp_path / "a", scores(1.0, 0)[:100], archs=ARCHS[:100], true=TRUE[:100], params=PARAMS[:100])
    write_run(tmp_path / "b", scores(1.0, 1)[few], archs=ARCHS[few], true=TRUE[few], params=PARAMS[few], seed=1)
    with pytest.raises(UsageError, match="only 9 are common to all; at least 30"):
        compare_runs([tmp_path / "a", tmp_path / "b"])


def test_few_architectures_have_no_tau_in_their_top(tmp_path: Path) -> None:
    few = slice(0, 12)
    write_run(tmp_path / "a", scores(1.0, 0)[few], archs=ARCHS[few], true=TRUE[few], params=PARAMS[few])
    found = compare_runs([tmp_path / "a"])
    assert "tau_in_true_top@0.2" not in found["a"].figures
    assert "τ in top" not in found.to_text()


def test_supernets_of_other_width_may_order_by_cost_differently(tmp_path: Path) -> None:
    write_run(tmp_path / "a", scores(1.0, 0))
    write_run(tmp_path / "b", scores(1.0, 1), settings=FAIR, params=-PARAMS)
    assert any(
        "differently by parameter count" in note for note in compare_runs([tmp_path / "a", tmp_path / "b"]).notes
    )


def test_a_run_that_was_not_judged(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a", scores(1.0, 0))
    (path / "ranking.csv").unlink()
    with pytest.raises(UsageError, match=r"has not been judged.*supernet judge"):
        compare_runs([path])


def test_a_damaged_ranking(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a", scores(1.0, 0))
    text = (path / "ranking.csv").read_text()
    (path / "ranking.csv").write_text(text.replace("kernel=5,9", "kernel=5,nine"))
    with pytest.raises(RunError, match="damaged in the column 'true'"):
        compare_runs([path])
    (path / "ranking.csv").write_text(text.replace("kernel=5,", "kernel=5,nan,9,"))
    with pytest.raises(RunError, match=r"ranking\.csv is damaged"):
        compare_runs([path])
    (path / "ranking.csv").write_text(text.replace("supernet 0", "supernet"))
    with pytest.raises(RunError, match="ranking of one training"):
        compare_runs([path])


def test_the_same_seed_twice(tmp_path: Path) -> None:
    for name in "ab":
        write_run(tmp_path / name, scores(1.0, 0))
    with pytest.raises(UsageError, match="same settings and the same seed 0"):
        compare_runs([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(UsageError, match="given twice"):
        compare_runs([tmp_path / "a", tmp_path / "a"])


def test_wrong_requests(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one run"):
        compare_runs([])
    with pytest.raises(UsageError, match="holds no run"):
        compare_runs([tmp_path])
    with pytest.raises(UsageError, match="no row 'fair' to compare with; there are good, poor"):
        compare_runs([folder], baseline="fair")


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        ("spos/seed-0", "spos/seed-1", "spos"),
        ("spos-0", "spos-1", "spos"),
        ("fair_seed0", "fair_seed1", "fair"),
        ("x", "y", "sandwich"),  # nothing in common: the method of the configuration
    ],
)
def test_names_of_rows(tmp_path: Path, first: str, second: str, name: str) -> None:
    for seed, path in enumerate((first, second)):
        write_run(tmp_path / path, scores(1.0, seed), seed=seed)
    assert [row.name for row in compare_runs([tmp_path / first, tmp_path / second]).rows] == [name]


def test_settings_that_rank_the_same_do_not_part_runs(tmp_path: Path) -> None:
    write_run(tmp_path / "a/0", scores(1.0, 0))
    write_run(
        tmp_path / "a/1", scores(1.0, 1), seed=1, settings={"train": {"monitor_every": 7}, "search": {"budget": 9}}
    )
    write_run(tmp_path / "a/2", scores(1.0, 2), seed=2, settings={"train": {"batch_size": 64}})
    rows = compare_runs([tmp_path / "a"]).rows
    assert [(row.name, row.seeds) for row in rows] == [("a", [0, 1]), ("a (2)", [2])]
    assert rows[1].changes == {"train.batch_size": 64}


def test_an_empty_option_is_a_setting(tmp_path: Path) -> None:
    """No augmentation at all is something else than the default."""
    write_run(tmp_path / "a", scores(1.0, 0), settings={"data": {"name": "digits"}})
    write_run(tmp_path / "b", scores(1.0, 0), settings={"data": {"name": "digits", "options": {"augment": {}}}})
    found = compare_runs([tmp_path / "a", tmp_path / "b"])
    assert found["b"].changes == {"data.augment": {}}
    assert compare_runs([tmp_path / "b", tmp_path / "a"])["a"].changes == {"data.augment": "(default)"}


def test_runs_that_were_searched(tmp_path: Path) -> None:
    for seed, (poor, good) in enumerate([(0.5, 0.6), (0.5, 0.7), (0.5, 0.8)]):
        for cell, best, settings in (("poor", poor, None), ("good", good, FAIR)):
            path = write_run(tmp_path / f"{cell}/{seed}", scores(1.0, 0), seed=seed, settings=settings)
            (path / "ranking.csv").unlink()
            objectives = [{"name": "accuracy", "goal": "max"}]
            points = [{"arch": {}, "values": {"accuracy": value, "macs": 1.0}} for value in (best, 0.1)]
            (path / "front.json").write_text(json.dumps({"objectives": objectives, "points": points}))
    found = compare_runs([tmp_path / "poor", tmp_path / "good"])
    assert found["good"].figures["found_accuracy"].trainings == (0.6, 0.7, 0.8)
    (said,) = found.sentences()
    assert said.startswith("good found +20.0 % of accuracy compared with poor (3 seeds each; paired t over 3 seeds")
    assert "inherited weights" in found.notes[0]
    assert "0.700 ± 0.100" in found.to_text()
    found.write(tmp_path / "out")
    assert not (tmp_path / "out/comparison.svg").exists()
    judged = write_run(tmp_path / "judged", scores(1.0, 0), settings={"train": {"steps": 3}})
    with pytest.raises(UsageError, match="searched but not judged"):
        compare_runs([judged, tmp_path / "poor"])


def test_derived_architectures_stand_beside_a_random_one(tmp_path: Path) -> None:
    places = (3, 70, 41)
    for seed, place in enumerate(places):
        write_run(tmp_path / f"d/seed-{seed}", scores(6.0, seed), seed=seed, derived=place)
        write_run(tmp_path / f"s/seed-{seed}", scores(1.0, seed), seed=seed, settings=FAIR)
    table = compare_runs([tmp_path / "d", tmp_path / "s"])
    ranks = N + 1 - stats.rankdata(TRUE)
    figures = table["d"].figures
    assert figures["derived_true"].trainings == pytest.approx(TRUE[list(places)])
    assert figures["derived_rank"].trainings == pytest.approx(ranks[list(places)])
    assert figures["derived_rank"].std == pytest.approx(np.std(ranks[list(places)], ddof=1))
    assert figures["derived_regret"].value == pytest.approx(np.mean(TRUE.max() - TRUE[list(places)]))
    assert figures["sampling_mass@0.05"].trainings == pytest.approx(np.asarray(places) / N)
    assert table.free["random order"]["sampling_mass@0.05"].value == 0.05
    assert {"derived_rank", "sampling_mass@0.05"}.isdisjoint(table["s"].figures)
    assert table.free["random order"]["derived_rank"].value == pytest.approx((N + 1) / 2)
    head, _, *lines = table.to_text().splitlines()
    assert [word in head for word in ("derived", "its rank", "its regret")] == [True] * 3
    cells = {line.split("  ")[0]: line for line in lines}
    assert f"{TRUE[list(places)].mean():.2f} ± {TRUE[list(places)].std(ddof=1):.2f}" in cells["d"]
    assert f"{TRUE.mean():.2f}" in cells["random order"]
    assert any(re.match(r"d derives architectures of true score .* of 120 \(expected of", s) for s in table.sentences())
    assert not any(sentence.startswith("s derives") for sentence in table.sentences())
    table.write(tmp_path)
    rows = {row["row"]: row for row in csv.DictReader((tmp_path / "comparison.csv").read_text().splitlines())}
    assert float(rows["d"]["derived_true std"]) == figures["derived_true"].std
    assert (rows["s"]["derived_rank"], float(rows["random order"]["derived_rank"])) == ("", (N + 1) / 2)
    kept = json.loads((tmp_path / "comparison.json").read_text())["cells"][0]["runs"]
    assert [run["figures"]["derived_rank"] for run in kept] == pytest.approx(ranks[list(places)])
    widths = {line.count("|") for line in (tmp_path / "comparison.md").read_text().splitlines() if line[:2] == "| "}
    assert len(widths) == 2
    write_run(tmp_path / "d/seed-3", scores(6.0, 3), seed=3)  # one of the cell derived nothing that is known
    assert "derived_rank" not in compare_runs([tmp_path / "d"])["d"].figures


def test_a_search_by_a_score_of_which_less_is_better_finds_the_least(tmp_path: Path) -> None:
    error = {"name": "mean_error", "unit": "°C", "goal": "min", "share": False}
    data = {"name": "sensors", "shape": [4], "num_classes": 0, "images": {"train": 8, "validation": 8, "test": 0}}
    for seed in range(2):
        for cell, least, settings in (("poor", 0.5, None), ("good", 0.25, FAIR)):
            path = write_run(tmp_path / f"{cell}/{seed}", scores(1.0, 0), seed=seed, settings=settings)
            (path / "ranking.csv").unlink()
            (path / "data.json").write_text(json.dumps(data | {"task": "Celsius", "scores": [error]}))
            points = [{"arch": {}, "values": {"mean_error": value, "macs": 1.0}} for value in (0.9, least)]
            (path / "front.json").write_text(json.dumps({"objectives": [error], "points": points}))
    found = compare_runs([tmp_path / "poor", tmp_path / "good"])
    assert found["good"].figures["found_mean_error"].trainings == (0.25, 0.25)
    (said,) = found.sentences()
    assert said.startswith("good found -0.25 °C of mean_error (less is better) compared with poor")
    assert not any(word in found.to_text() for word in ("accuracy", "images", "% of"))
    pictures = write_run(tmp_path / "pictures/0", scores(1.0, 0), settings={"train": {"steps": 3}})
    (pictures / "ranking.csv").unlink()
    (pictures / "front.json").write_text(
        json.dumps(
            {"objectives": [{"name": "accuracy", "goal": "max"}], "points": [{"arch": {}, "values": {"accuracy": 0.5}}]}
        )
    )
    with pytest.raises(UsageError, match=r"networks by accuracy and .* by mean_error"):
        compare_runs([tmp_path / "poor", tmp_path / "pictures"])


def test_a_judgement_by_what_is_to_be_small_ranks_by_it_and_is_told_as_it_is_known(tmp_path: Path) -> None:
    error = {"name": "rmse", "goal": "min", "unit": "K"}
    least = 100 - TRUE
    for cell, noise in (("poor", 6.0), ("good", 1.0)):
        path = write_run(tmp_path / cell, 100 - scores(noise, 0), settings=None if cell == "poor" else FAIR, true=least)
        judged = json.loads((path / "judge.json").read_text())
        (path / "judge.json").write_text(json.dumps(judged | {"metric": error, "score": error}))
    found = compare_runs([tmp_path / "poor", tmp_path / "good"])
    assert found["good"].figures["kendall_tau"].value > found["poor"].figures["kendall_tau"].value > 0
    assert found.to_json()["best"] == pytest.approx(least.min())
    assert f"the best there is has {least.min():.4g}. Less is better." in found.to_text()


def test_figures_of_single_runs_are_one_table(tmp_path: Path) -> None:
    for seed in range(3):
        write_run(tmp_path / f"a/{seed}", scores(0.5, seed), seed=seed)
        write_run(tmp_path / f"b/{seed}", scores(1.0, seed), seed=seed, settings=FAIR)
    found = compare_runs([tmp_path / "a", tmp_path / "b"])
    found.write(tmp_path / "out")
    rows = list(csv.DictReader((tmp_path / "out/runs.csv").read_text().splitlines()))
    assert [(row["cell"], row["seed"]) for row in rows] == [(cell, str(seed)) for cell in "ab" for seed in range(3)]
    for cell in ("a", "b"):
        for name, figure in found[cell].figures.items():
            assert [float(row[name]) for row in rows if row["cell"] == cell] == list(figure.trainings)
    assert len({row["kendall_tau"] for row in rows}) == 6
    for row in rows:
        run = found[row["cell"]].runs[int(row["seed"])]
        assert (Path(row["path"]), int(row["steps"])) == (run.path, run.spent.steps)


def test_a_log_of_an_earlier_version_is_read_by_the_name_it_has(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a", scores(1.0, 0))
    log = (path / "train.jsonl").read_text()
    now = Spent.read(path).training_seconds
    (path / "train.jsonl").write_text(log.replace("examples_per_s", "images_per_s"))
    assert Spent.read(path).training_seconds == now > 0
    (path / "train.jsonl").write_text(log.replace("examples_per_s", "per_s"))
    with pytest.raises(RunError, match="`seconds` or `examples_per_s`"):
        Spent.read(path)
