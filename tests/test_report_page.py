"""The page: its parts, its verdict, its safety."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from report_run import EVALUATIONS, build_run, write, write_lines
from supernet.report import write_report
from supernet.report.header import header
from supernet.report.html import Html
from supernet.report.page import render
from supernet.report.run import read_run
from supernet.report.sections import SECTIONS

ALL = ["front", "networks", "exports", "training", "progress", "space", "reproduce"]


def sections(directory: Path) -> dict[str, Html]:
    run = read_run(directory)
    return {section.id: section.body for make in SECTIONS if (section := make(run)) is not None}


def words(markup: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", markup))


def chart_data(body: Html, chart: str) -> dict[str, object]:
    found = re.search(rf'<script type="application/json" id="{chart}-data">(.*?)</script>', body, re.S)
    assert found is not None
    data: dict[str, object] = json.loads(found[1])
    return data


def test_writes_one_file_that_needs_no_other(tmp_path: Path) -> None:
    before = {path.name for path in build_run(tmp_path).iterdir()}
    page = write_report(tmp_path)
    assert page == tmp_path / "report.html"
    assert {path.name for path in tmp_path.iterdir()} - before == {"report.html"}
    text = page.read_text(encoding="utf-8")
    outside = re.sub(r"<script>.*?</script>", "", text, flags=re.S)
    assert re.findall(r'\s(?:src|srcset|data)="', outside) == []
    assert "<link" not in outside
    assert "url(" not in outside
    links = set(re.findall(r'href="([^"]*)"', outside))
    assert {link for link in links if not link.startswith("#")} == {
        f"export/{name}.{kind}" for name in ("small", "medium", "large") for kind in ("onnx", "pt2")
    }
    for link in links:
        assert not link.startswith("#") or f'id="{link[1:]}"' in outside


def test_writing_again_gives_the_same_page(tmp_path: Path) -> None:
    first = write_report(build_run(tmp_path)).read_bytes()
    assert write_report(tmp_path).read_bytes() == first


def test_policy_allows_exactly_the_scripts_of_the_page(tmp_path: Path) -> None:
    text = render(read_run(build_run(tmp_path)))
    scripts = re.findall(r"<script>(.*?)</script>", text, re.S)
    digests = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts}
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert set(re.findall(r"'sha256-([^']*)'", policy[1])) == digests
    assert len(scripts) == 3
    assert policy[1].startswith("default-src 'none'; ")


def test_all_sections_in_order(tmp_path: Path) -> None:
    assert list(sections(build_run(tmp_path))) == ALL


def without(*names: str) -> Callable[[Path], None]:
    def remove(directory: Path) -> None:
        for name in names:
            (directory / name).unlink()

    return remove


@pytest.mark.parametrize(
    ("change", "present", "verdict"),
    [
        (
            without("exports.json"),
            ["front", "training", "progress", "space", "reproduce"],
            "Best: 96.9 % accuracy at 7.10 M MACs",
        ),
        (
            without("front.json", "exports.json"),
            ["front", "training", "progress", "space", "reproduce"],
            "Best: 98.6 % accuracy at",
        ),
        (
            without("exports.json", "front.json", "search.jsonl"),
            ["training", "space", "reproduce"],
            "Trained for 1,200 steps: the largest subnet reaches 97.7 %",
        ),
        (
            without("front.json", "exports.json", "search.jsonl", "train.jsonl", "space.json"),
            ["reproduce"],
            "A run that has not been trained yet",
        ),
    ],
)
def test_a_part_of_a_run_gives_a_part_of_the_page(
    tmp_path: Path, change: Callable[[Path], None], present: list[str], verdict: str
) -> None:
    change(build_run(tmp_path))
    assert list(sections(tmp_path)) == present
    assert verdict in words(header(read_run(tmp_path)))


def test_verdict_names_the_best_by_validation_and_shows_its_test_figure(tmp_path: Path) -> None:
    exports = json.loads((build_run(tmp_path) / "exports.json").read_text())
    exports[0]["verified"]["accuracy_test"] = 0.9999  # luck in the test set must not choose the winner
    write(tmp_path / "exports.json", exports)
    said = words(header(read_run(tmp_path)))
    assert "Best: 96.4 % test accuracy at 7.10 M MACs" in said
    assert "large is the best of 3 exported networks on validation data" in said
    assert "small gives up 4.4 points for 4.7 times fewer MACs" in said


def test_front_chart_holds_every_architecture(tmp_path: Path) -> None:
    run = read_run(build_run(tmp_path))
    assert run.front is not None
    data = chart_data(sections(tmp_path)["front"], "chart-front")
    count = EVALUATIONS + len(run.front.points) + 3
    assert len(data["items"]) == count
    evaluated, front, exported = data["views"][0]["traces"]
    assert len(evaluated["x"]) == EVALUATIONS
    assert front["x"] == sorted(front["x"])
    assert front["y"] == sorted(front["y"])  # no point on the front is dominated
    for x, y, index in zip(front["x"], front["y"], front["customdata"], strict=True):
        shown = {label: exact for label, _, exact in data["items"][index]["values"]}
        assert (shown["MACs"], shown["accuracy"]) == (f"{x:,.0f}", repr(y))
    assert exported["x"] == [export.values["macs"] for export in run.exports]
    assert [view["layout"]["xaxis"]["title"]["text"] for view in data["views"]] == ["MACs", "Parameters"]
    assert data["views"][1]["traces"][1]["mode"] == "markers"  # no line along what was no objective
    assert data["items"][data["start"]]["title"] == "large"


def test_a_few_poor_architectures_do_not_flatten_the_rest(tmp_path: Path) -> None:
    lines = (build_run(tmp_path) / "search.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    for row in rows[:5]:
        row["values"]["accuracy"] = 0.1
    write_lines(tmp_path / "search.jsonl", rows)
    body = sections(tmp_path)["front"]
    low, _ = chart_data(body, "chart-front")["views"][0]["layout"]["yaxis"]["range"]
    assert 0.85 < low < 0.93
    assert re.search(r"\b([5-9]|1\d) poor architectures lie below the picture", words(body))


def test_exports_table_states_its_conditions(tmp_path: Path) -> None:
    (build_run(tmp_path) / "export" / "large.pt2").unlink()
    said = words(sections(tmp_path)["exports"])
    assert "Latency (ms), 1 thread" in said
    assert "93.9 – 97.9 %" in said  # Wilson interval of 347 right among 360
    assert "with 1 thread" in said
    assert "(360 images; below it the 95 % interval)" in said
    assert "on 720 images" in said
    assert "fine-tuned for 200 steps" in said
    assert "large.pt2 missing" in said
    assert "1.1e-06" in said


def test_training_tells_what_went_wrong(tmp_path: Path) -> None:
    rows = [{"step": step, "loss": float("nan") if step == 3 else 1.0 / step} for step in range(1, 6)]
    rows.append({"step": 5, "accuracy/smallest": 0.9, "accuracy/largest": 0.8})
    write_lines(tmp_path / "train.jsonl", rows)
    body = sections(tmp_path)["training"]
    assert "not a finite number in 1 of 5 records" in words(body)
    assert "the largest subnet (80.0 %) is below the smallest (90.0 %)" in words(body)
    assert chart_data(body, "chart-loss")["traces"][0]["y"] == [1.0, 0.5, None, 0.25, 0.2]


def test_long_logs_are_thinned(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.jsonl", ({"step": step, "loss": 1.0} for step in range(30001)))
    body = sections(tmp_path)["training"]
    steps = chart_data(body, "chart-loss")["traces"][0]["x"]
    assert (len(steps), steps[0], steps[-1]) == (2000, 0, 30000)
    assert "2,000 evenly spread records are drawn" in words(body)


def test_progress_counts_and_ends_at_the_front(tmp_path: Path) -> None:
    run = read_run(build_run(tmp_path))
    body = sections(tmp_path)["progress"]
    data = chart_data(body, "chart-progress")
    by_name = {trace["name"]: trace for trace in data["traces"]}
    best = max(p.values["accuracy"] for p in run.search if run.feasible(p.values))
    assert by_name["best so far"]["y"][-1] == best
    area = by_name["dominated area"]["y"]
    assert area == sorted(area)
    assert 0.5 < area[-1] <= 1
    kept, missed = by_name["keeps the limits"]["y"], by_name["breaks a limit"]["y"]
    assert [a + b for a, b in zip(kept, missed, strict=True)] == [24] * 10
    assert sum(kept) == sum(p.values["macs"] <= 8e6 for p in run.search)


def test_space_shows_what_the_front_uses(tmp_path: Path) -> None:
    run = read_run(build_run(tmp_path))
    assert run.front is not None
    used = sum(point.arch["stage1.depth"] == 1 for point in run.front.points)
    body = sections(tmp_path)["space"]
    first = body[body.index("stage1.depth") :]
    assert f'title="in {used} of {len(run.front.points)} architectures on the front">1<' in first[:300]
    assert "stage4.depth &gt; 1" in body
    assert "9f3c2a" in body


def test_configuration_is_flat_and_complete(tmp_path: Path) -> None:
    said = words(sections(build_run(tmp_path))["reproduce"])
    for expected in ("supernet run --out runs/demo", "schedule.warmup60", "options.widths16, 24, 32", "seed0"):
        assert expected in said


def test_shows_how_far_the_ranking_can_be_trusted(tmp_path: Path) -> None:
    row = {"measure": "kendall_tau", "ranking": "supernet", "value": 0.5512, "low": 0.49, "high": 0.61}
    rows = [row, row | {"ranking": "parameter count", "value": 0.58}, row | {"measure": "regret@1", "value": None}]
    found = {"truth": "a <table>", "sentences": ["It does not beat parameter count (τ 0.55)."], "rows": rows}
    write(build_run(tmp_path) / "judge.json", found)
    body = words(sections(tmp_path)["ranking"])
    for text in ("does not beat parameter count", "kendall_tau", "0.551", "0.49 … 0.61", "0.58", "a &lt;table&gt;"):
        assert text in body
    assert "regret@1" not in body
