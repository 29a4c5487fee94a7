"""Several runs on one page: what stands beside each other, what is said not to compare, and what a damage costs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from report_run import build_run, cell_diagram, judge_run, write
from supernet.report import write_comparison, write_report
from supernet.report.comparison.beginning import beginning
from supernet.report.comparison.members import read_members
from supernet.report.comparison.page import sections

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two judged runs that differ in seed and method."""
    place = tmp_path_factory.mktemp("built")
    for seed, name in enumerate(("a", "b")):
        judge_run(build_run(place / name, seed=seed), seed=seed)
    change(place / "b", "config.json", lambda found: found.update(method={"name": "fairnas", "options": {}}))
    return place


@pytest.fixture
def runs(built: Path, tmp_path: Path) -> list[Path]:
    """The same, for a test of its own."""
    return [shutil.copytree(built / name, tmp_path / name) for name in ("a", "b")]


def change(run: Path, name: str, by: Change) -> None:
    found = json.loads((run / name).read_text())
    by(found)
    write(run / name, found)


def parts(runs: list[Path]) -> dict[str, str]:
    return {section.id: str(section.body) for section in sections(read_members(runs), runs[0].parent)}


def words(markup: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", markup))


def cells(body: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.S)
    return [[words(cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)] for row in rows]


def chart(body: str, name: str) -> dict[str, Any]:
    found = re.search(rf'id="{name}-data">(.*?)</script>', body, re.S)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_table_says_of_each_run_what_its_own_page_does(runs: list[Path]) -> None:
    write_report(runs[0])
    change(runs[0], "exports.json", lambda rows: rows[0]["verified"]["test"].update(accuracy=0.9999))  # type: ignore[index]
    body = parts(runs)["table"]
    head, *rows = cells(body)
    found = [dict(zip(head, row, strict=True)) for row in rows]
    assert [(row["Run"], row["Method"], row["Seed"], row["Steps"]) for row in found] == [
        ("a", "sandwich", "0", "1,200"),
        ("b", "fairnas", "1", "1,200"),
    ]
    for run, row in zip(runs, found, strict=True):
        best = json.loads((run / "exports.json").read_text())[2]
        judged = json.loads((run / "judge.json").read_text())["rows"]
        taus = {line["ranking"]: line["value"] for line in judged if line["measure"] == "kendall_tau"}
        assert row["Best network"] == "large", "luck in the test set must not choose"
        assert row["Test accuracy"] == f"{best['verified']['test']['accuracy']:.1%}".replace("%", " %")
        assert row["MACs"] == f"{best['values']['macs'] / 1e6:.2f} M"
        assert row["Ranking τ"] == f"{taus['supernet']:.2f} parameter count {taus['parameter count']:.2f}"
    assert re.findall(r'<a href="([^"]*)"', body) == ["a/report.html"], "of the one that has a page"


def test_fronts_and_curves_of_all_runs_are_in_one_chart(runs: list[Path]) -> None:
    found = parts(runs)
    fronts = chart(found["fronts"], "chart-fronts")
    for number, run in enumerate(runs):
        points = json.loads((run / "front.json").read_text())["points"]
        trace = fronts["traces"][number] | fronts["views"][0]["traces"][number]
        assert trace["name"] == run.name
        assert sorted(zip(trace["x"], trace["y"], strict=True)) == sorted(
            (p["values"]["macs"], p["values"]["accuracy"]) for p in points
        )
        assert fronts["items"][trace["customdata"][0]]["title"].startswith(run.name)
    curves = chart(found["trainings"], "chart-trainings")
    labels = re.findall(r"<option[^>]*>([^<]*)</option>", found["trainings"])
    assert labels[0] == "loss by step"
    assert {"accuracy of largest", "rank/kendall_tau", "grad_norm", "lr"} <= set(labels)
    assert "entropy of the options" not in labels
    for run in runs:
        rows = [{"step": step, "choices": {"op": [share, 1 - share]}} for step, share in ((1, 0.5), (2, 1.0))]
        (run / "choices.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with_choices = parts(runs)["trainings"]
    place = re.findall(r"<option[^>]*>([^<]*)</option>", with_choices).index("entropy of the options")
    assert chart(with_choices, "chart-trainings")["views"][place]["traces"][1]["y"] == [1.0, 0.0]
    lr = curves["views"][labels.index("lr")]["traces"][1]
    log = [json.loads(line) for line in (runs[1] / "train.jsonl").read_text().splitlines()]
    assert lr["y"] == [row["lr"] for row in log if "lr" in row]
    colours = [[trace["line"]["color"] for trace in drawn["traces"]] for drawn in (fronts, curves)]
    assert colours[0] == colours[1]
    assert len(set(colours[0])) == 2


def test_the_loss_is_also_drawn_by_the_work_that_it_took(runs: list[Path]) -> None:
    for factor, run in enumerate(runs, start=1):
        log = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
        rows = [row | {"backwards": factor * row["step"], "seconds": 6.0 * factor} for row in log if "loss" in row]
        (run / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = parts(runs)
    labels = re.findall(r"<option[^>]*>([^<]*)</option>", found["trainings"])
    assert labels[:3] == ["loss by step", "loss by backward passes", "loss by minutes of training"]
    views = chart(found["trainings"], "chart-trainings")["views"]
    assert [max(trace["x"]) for trace in views[1]["traces"]] == [1200, 2400]
    assert [max(trace["x"]) for trace in views[2]["traces"]] == pytest.approx([12.0, 24.0])
    head, *rows = cells(found["table"])
    assert [row[head.index("Training, minutes")] for row in rows] == ["12", "24"]


def test_only_what_differs_is_listed(runs: list[Path]) -> None:
    change(runs[1], "config.json", lambda found: found["train"].update(batch_size=128))
    change(runs[1], "environment.json", lambda found: found.update(threads=4))
    body = parts(runs)["settings"]
    asked, machines = re.findall(r"<tbody>(.*?)</tbody>", body, re.S)
    rows = cells(asked)
    assert ["train.batch_size", "64", "128"] in rows
    assert ["method.options.distill", "yes", "–"] in rows
    assert {row[0] for row in rows} == {
        *("method.name", "method.options", "method.options.random_subnets", "method.options.distill"),
        *("train.batch_size", "seed"),
    }
    assert cells(machines) == [["threads", "2", "4"]]


def test_networks_stand_beside_each_other_as_drawings(runs: list[Path]) -> None:
    arch = json.loads((runs[1] / "exports.json").read_text())[0]["arch"]
    told = {"space": "9f3c2a", "decisions": arch, "diagram": cell_diagram().to_json()}
    write(runs[1] / "derived.json", told)
    body = parts(runs)["networks"]
    assert re.findall(r"<h3>([^<]*)</h3>", body) == ["a: large", "b: large", "b: derived"]
    assert body.count('class="graph"') == 1
    best = json.loads((runs[1] / "exports.json").read_text())[2]["arch"]
    write(runs[1] / "derived.json", told | {"decisions": best})
    body = parts(runs)["networks"]
    assert re.findall(r"<h3>([^<]*)</h3>", body) == ["a: large", "b: large"], "the same network stands once"
    assert "the best by validation, derived by the method" in words(body)


def other_data(run: Path) -> None:
    change(run, "data.json", lambda found: found.update(name="mnist"))


def other_objectives(run: Path) -> None:
    objectives = [{"name": "accuracy", "goal": "max", "unit": ""}, {"name": "params", "goal": "min", "unit": ""}]
    change(run, "front.json", lambda found: found.update(objectives=objectives))


def other_units(run: Path) -> None:
    objectives = [{"name": "accuracy", "goal": "max", "unit": ""}, {"name": "macs", "goal": "min", "unit": "GMAC"}]
    change(run, "front.json", lambda found: found.update(objectives=objectives))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (other_data, "it is of other data (mnist, 1,000 / 360 / 360 examples"),
        (other_objectives, "its objectives are accuracy and params, and there they are accuracy and macs (MAC)"),
        (other_units, "its objectives are accuracy and macs (GMAC), and there they are accuracy and macs (MAC)"),
        (lambda run: (run / "front.json").unlink(), "b has no front: it was not searched."),
    ],
)
def test_fronts_that_do_not_compare_are_left_out_with_the_reason(
    runs: list[Path], make: Callable[[Path], None], sentence: str
) -> None:
    make(runs[1])
    body = parts(runs)["fronts"]
    assert "chart-fronts" not in body
    assert sentence in words(body)


def test_latencies_compare_on_one_machine_only(runs: list[Path]) -> None:
    goals = [{"name": "accuracy", "goal": "max", "unit": ""}, {"name": "latency_ms", "goal": "min", "unit": "ms"}]
    for run in runs:
        points = json.loads((run / "front.json").read_text())["points"]
        timed = [p | {"values": p["values"] | {"latency_ms": p["values"]["macs"] / 1e6}} for p in points]
        write(run / "front.json", {"objectives": goals, "points": timed})
    assert "chart-fronts" in parts(runs)["fronts"]
    change(runs[1], "environment.json", lambda found: found.update(threads=8))
    body = parts(runs)["fronts"]
    assert "chart-fronts" not in body
    assert "latencies were measured on 2 × x86-64 with 8 threads, and there on 2 × x86-64 with 2 threads" in words(body)
    assert any("Latencies were measured on different machines" in s for s in beginning(read_members(runs))["cautions"])


def test_the_top_says_what_does_not_compare(runs: list[Path]) -> None:
    found = beginning(read_members(runs))
    assert found["cautions"] == []
    assert re.fullmatch(r"Best by validation: [ab], with 9\d\.\d\u202f% test accuracy", found["verdict"])
    other_data(runs[1])
    change(runs[1], "space.json", lambda found: found.update(fingerprint="other"))
    change(runs[1], "judge.json", lambda found: found.update(truth="another"))
    found = beginning(read_members(runs))
    assert found["verdict"] == "2 runs beside each other"
    told = " ".join(found["cautions"])
    for words_ in ("trained on different data or splits (a: digits", "different spaces (a; b)", "different truths"):
        assert words_ in told


def test_a_damaged_run_costs_only_its_own_part(runs: list[Path], tmp_path: Path) -> None:
    whole = parts(runs)
    for name in ("train.jsonl", "front.json", "exports.json", "config.json"):
        (runs[1] / name).write_text('{"a": ')
    page = write_comparison(runs, tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count('<p class="warning" role="note"><b>b</b>: ') == 3  # a log without its last line's end is whole
    head, first, second = cells(parts(runs)["table"])
    assert first == cells(whole["table"])[1]
    assert (second[0], second[head.index("Best network")]) == ("b", "–")
    assert "The last line of train.jsonl of b has no end" in page
    assert "b: no configuration" in page


def test_markup_in_the_files_of_a_run_stays_text(runs: list[Path], tmp_path: Path) -> None:
    attack = "<img src=x onerror=alert(1)>"
    evil = runs[1].rename(tmp_path / attack)
    change(evil, "config.json", lambda found: found.update({attack: attack, "method": {"name": attack}}))
    change(evil, "data.json", lambda found: found.update(name=attack))
    change(evil, "exports.json", lambda rows: rows[2].update(name=attack))  # type: ignore[index]
    page = write_comparison([runs[0], evil], tmp_path / "page.html").read_text(encoding="utf-8")
    outside = re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    assert "<img" not in outside
    assert "&lt;img src=x onerror=alert(1)&gt;" in outside
