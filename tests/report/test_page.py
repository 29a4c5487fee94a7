"""The page: its parts, its verdict, its safety."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shlex
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import convert, to_builtins

from report_run import EVALUATIONS, JUDGED, build_run, chart_data, judge_run, write, write_lines
from supernet.io import schema
from supernet.io.config import Judging
from supernet.quantity import Quantity
from supernet.report import page as pages
from supernet.report import write_report
from supernet.report.page import render, rendered
from supernet.report.reading import read_run
from supernet.report.run_files import RunFiles
from supernet.report.sections.header import header as prepare_header

ALL = ["front", "networks", "exports", "training", "progress", "space", "reproduce"]


def sections(directory: Path) -> dict[str, str]:
    return {section.id: section.body for section in pages.sections(read_run(directory))}


def header(run: RunFiles) -> str:
    return rendered("sections/header.html.j2", run=run, **prepare_header(run))


def words(markup: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", markup))


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


CONFLICT = {
    "conflict/paths": (0.5, -0.25),
    "conflict/paths, augmented": (0.4, -0.5),
    "conflict/layer/stem.0": (0.75, 0.125),
    "conflict/layer/block, 3": (0.25, -0.75),
}


def test_cosines_between_gradients_are_a_chart_and_a_file(tmp_path: Path) -> None:
    assert "conflict" not in sections(build_run(tmp_path))["training"]
    log = (tmp_path / "train.jsonl").read_text().splitlines()
    rows = [{"step": 100 * (n + 1)} | {name: values[n] for name, values in CONFLICT.items()} for n in range(2)]
    write_lines(tmp_path / "train.jsonl", [*map(json.loads, log), *rows])
    body = sections(tmp_path)["training"]
    assert '<button type="button" data-csv="chart-conflict">' in body
    chart = chart_data(body, "chart-conflict")
    assert [(line["name"], line["x"], line["y"]) for line in chart["traces"]] == [
        (name.removeprefix("conflict/").removeprefix("layer/"), [100, 200], list(values))
        for name, values in CONFLICT.items()
    ]
    shown = [[change["visible"] for change in view["traces"]] for view in chart["views"]]
    yes, no = True, False
    assert shown == [[yes, yes, no, no], [no, no, yes, yes], [no, no, yes, no], [no, no, no, yes]]
    assert all(label in body for label in ("all together", "every layer"))
    assert "Below 0, what serves one harms the other." in words(body)
    assert "conflict/" not in json.dumps(chart_data(body, "chart-scalars")), "it stands in one chart"


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


def test_the_top_of_the_page_says_how_noisy_the_data_are(tmp_path: Path) -> None:
    build_run(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    images = {"train": 60, "validation": 20, "test": 20}
    data = {"name": "digits, 39.4 % wrong labels", "shape": [1, 8, 8], "num_classes": 10, "images": images}
    write(tmp_path / "data.json", data)
    assert "39.4 %" not in words(header(read_run(tmp_path)))
    write(tmp_path / "config.json", config | {"data": {"name": "digits", "options": {"noise.labels.rate": 0.4}}})
    assert "digits, 39.4 % wrong labels" in words(header(read_run(tmp_path)))


def test_verdict_names_the_best_by_validation_and_shows_its_test_figure(tmp_path: Path) -> None:
    exports = json.loads((build_run(tmp_path) / "exports.json").read_text())
    exports[0]["verified"]["test"]["accuracy"] = 0.9999  # luck in the test set must not choose the winner
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
    assert "(360 examples; below it the 95 % interval)" in said
    assert "on 720 examples" in said
    assert "fine-tuned for 200 steps" in said
    assert "large.pt2 missing" in said
    assert "1.1e-06" in said


def test_training_tells_what_went_wrong(tmp_path: Path) -> None:
    rows = [{"step": step, "loss": None if step == 3 else 1.0 / step} for step in range(1, 6)]
    rows.append({"step": 5, "accuracy/smallest": 0.9, "accuracy/largest": 0.8})
    write_lines(tmp_path / "train.jsonl", rows)
    body = sections(tmp_path)["training"]
    assert "not a finite number in 1 of 5 records" in words(body)
    assert "The largest subnet (80.0 %) is worse than the smallest one (90.0 %)" in words(body)
    assert "does not look healthy" in words(header(read_run(tmp_path)))
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


def test_a_shifting_is_drawn_by_generation(tmp_path: Path) -> None:
    (build_run(tmp_path) / "shifted").mkdir()
    rows = [
        {"generation": 0, "evaluations": 0, "order/found": 3.0, "order/local_tau": -0.25},
        {"generation": 1, "evaluations": 50},
        {"generation": 2, "evaluations": 100, "loss": 1.5, "order/found": 6.0, "order/local_tau": 0.5},
        {"generation": 3, "evaluations": 150, "loss": 1.25},
    ]
    write_lines(tmp_path / "shifted" / "shifting.jsonl", rows)
    assert list(sections(tmp_path)) == [*ALL[:-2], "shifting", *ALL[-2:]]
    body = sections(tmp_path)["shifting"]
    drawn = {
        name: [(trace["x"], trace["y"]) for trace in chart_data(body, f"chart-shifting-{name}")["traces"]]
        for name in ("loss", "order-found", "order-local_tau")
    }
    assert drawn == {
        "loss": [([2, 3], [1.5, 1.25])],
        "order-found": [([0, 2], [3.0, 6.0])],
        "order-local_tau": [([0, 2], [-0.25, 0.5])],
    }
    assert "3 were good before, and 6 are at last. Among the good ones τ went from -0.25 to 0.50." in words(body)


def test_space_shows_what_the_front_uses(tmp_path: Path) -> None:
    run = read_run(build_run(tmp_path))
    assert run.front is not None
    used = sum(point.arch["stage1.depth"] == 1 for point in run.front.points)
    body = sections(tmp_path)["space"]
    first = body[body.index("stage1.depth") :]
    assert f'title="in {used} of {len(run.front.points)} architectures on the front">1<' in first[:300]
    assert "stage4.depth &gt; 1" in body
    assert "9f3c2a" in body
    write(tmp_path / "space.json", {"size": "1", "choices": []})
    assert words(sections(tmp_path)["space"]).strip() == "The space has no choices: it is one network."


def test_configuration_is_flat_and_complete(tmp_path: Path) -> None:
    said = words(sections(build_run(tmp_path))["reproduce"])
    for expected in ("supernet run --out runs/demo", "schedule.warmup60", "options.widths16, 24, 32", "seed0"):
        assert expected in said


def test_shows_how_far_the_ranking_can_be_trusted(tmp_path: Path) -> None:
    row = {"measure": "kendall_tau", "ranking": "supernet", "value": 0.5512, "low": 0.49, "high": 0.61}
    rows = [row, row | {"ranking": "parameter count", "value": 0.58}, row | {"measure": "regret@1", "value": None}]
    said = {
        "verdict": "Pick by parameter count <instead>.",
        "sentences": ["It does not beat parameter count (τ 0.55)."],
    }
    found = {"truth": "a <table>", "rows": rows, **said}
    write(build_run(tmp_path) / "judge.json", found)
    body = words(sections(tmp_path)["ranking"])
    assert body.index("Pick by parameter count &lt;instead&gt;.") < body.index("does not beat parameter count")
    for text in ("does not beat parameter count", "kendall_tau", "0.55", "0.49 … 0.61", "0.58", "a &lt;table&gt;"):
        assert text in body
    assert "regret@1" not in body


def test_a_healthy_training_gets_no_warning(tmp_path: Path) -> None:
    judge_run(build_run(tmp_path))
    assert 'class="warning"' not in render(read_run(tmp_path)).split("</style>")[1]


def test_the_objective_decides_what_a_collapsed_loss_is(tmp_path: Path) -> None:
    judge_run(build_run(tmp_path))
    write_lines(tmp_path / "train.jsonl", ({"step": step, "loss": 2.3026} for step in range(20)))
    training = {"recipe": {}, "steps": 20, "batch_size": 8}
    write(tmp_path / "training.json", training | {"chance": 2.302585})
    assert "for the last 20 lines of the log: 2.303 is what" in words(sections(tmp_path)["training"])
    write(tmp_path / "training.json", training | {"chance": None})
    assert "lines of the log" not in words(sections(tmp_path)["training"])


def test_the_scatter_holds_every_score_of_every_ranking(tmp_path: Path) -> None:
    report = judge_run(build_run(tmp_path))
    data = chart_data(sections(tmp_path)["ranking"], "chart-scatter")
    assert [trace["name"] for trace in data["traces"]] == ["seed 0", "seed 1", "parameter count"]
    expected = [*report.predicted, report.baselines["parameter count"]]
    for trace, scores in zip(data["traces"], expected, strict=True):
        assert trace["x"] == scores.tolist()
        assert trace["y"] == report.true.tolist()
    shown = [[patch["visible"] for patch in view["traces"]] for view in data["views"]]
    assert shown == [[True, True, False], [True, True, False], [False, False, True]]
    everything, best, by_params = (view["layout"]["yaxis"]["range"] for view in data["views"])
    assert everything == by_params
    assert everything[0] < report.true.min() < sorted(report.true)[-JUDGED // 5] - 0.01 < best[0]
    assert len(data["items"]) == JUDGED
    assert data["items"][3]["arch"] == {name: str(option) for name, option in report.archs[3].options().items()}


def test_the_curves_stand_beside_the_random_order(tmp_path: Path) -> None:
    report = judge_run(build_run(tmp_path))
    body = sections(tmp_path)["ranking"]
    data = chart_data(body, "chart-top-id")
    lines = {trace["name"]: trace["y"] for trace in data["traces"]}
    assert lines["supernet"] == report.top_id.lines[0].values.tolist()
    assert lines["parameter count"] == report.top_id.lines[1].values.tolist()
    assert lines["random order"] == [k / JUDGED for k in range(1, JUDGED + 1)]
    assert data["traces"][0]["x"][-1] == 1
    low, high = (trace["y"] for trace in data["traces"] if trace["name"].endswith("range of the trainings"))
    assert all(a <= b <= c for a, b, c in zip(low, lines["supernet"], high, strict=True))
    mass = {trace["name"]: trace["y"] for trace in chart_data(body, "chart-mass")["traces"]}
    assert mass["supernet"] == report.mass.lines[0].values.tolist()


def test_families_are_drawn_by_their_means(tmp_path: Path) -> None:
    report = judge_run(build_run(tmp_path))
    body = sections(tmp_path)["ranking"]
    data = chart_data(body, "chart-clusters")
    (trace,) = data["traces"]
    assert trace["x"] == [cluster.predicted for cluster in report.clusters.clusters]
    assert trace["y"] == [cluster.true for cluster in report.clusters.clusters]
    assert sum(trace["marker"]["size"]) == JUDGED
    assert f"agree in at least {report.clusters.shared} decisions" in words(body)


def test_the_ranking_while_training_is_drawn_without_a_judgement(tmp_path: Path) -> None:
    judge_run(build_run(tmp_path))
    for name in ("judge.json", "ranking.csv"):
        (tmp_path / name).unlink()
    data = chart_data(sections(tmp_path)["ranking"], "chart-rank")
    assert [(trace["name"], trace["x"]) for trace in data["traces"]] == [
        ("Kendall τ", [400, 400, 800, 800, 1200, 1200]),
        ("τ of parameter count", [400, 400, 800, 800, 1200, 1200]),
    ]
    others = chart_data(sections(tmp_path)["training"], "chart-scalars")["traces"]
    assert not [trace["name"] for trace in others if trace["name"].startswith("rank")]


def test_main_measures_come_first_and_in_words(tmp_path: Path) -> None:
    judge_run(build_run(tmp_path))
    main, _, rest = words(sections(tmp_path)["ranking"]).partition("Further measures")
    assert "Kendall τ" in main
    assert "Top 20 % ID rate" in main
    assert "P@top 20 %" in main
    assert "Pearson r" in rest
    assert "Pearson r" not in main
    assert "kendall_tau" not in main.partition("Measure")[2]
    assert "-0.00" not in main


def test_long_rankings_are_thinned(tmp_path: Path) -> None:
    judge_run(build_run(tmp_path))
    lines = "".join(f"edge0=skip,{place / 4000},{place},{-place}\n" for place in range(4000))
    (tmp_path / "ranking.csv").write_text("arch,true,supernet 0,MACs\n" + lines)
    body = sections(tmp_path)["ranking"]
    assert len(chart_data(body, "chart-scatter")["items"]) == 2000
    assert "Of 4,000 architectures 2,000 are drawn" in words(body)


def test_counts_of_candidates_tell_which_were_never_trained(tmp_path: Path) -> None:
    judge_run(build_run(tmp_path))
    body = sections(tmp_path)["training"]
    assert "--share:67%" in body
    assert "0 – 1,200" in words(body)
    assert "Never trained: op = 3, 3; their scores mean nothing" in words(body)
    (tmp_path / "counts.json").unlink()
    assert "Never trained" not in sections(tmp_path)["training"]


def test_the_ranking_is_among_the_figures_at_the_top(tmp_path: Path) -> None:
    report = judge_run(build_run(tmp_path))
    tau = report["kendall_tau"]
    said = words(header(read_run(tmp_path)))
    assert f"τ {tau.supernet.value:.2f}parameter count: {tau.baselines['parameter count'].value:.2f}" in said


def test_a_damaged_file_costs_its_part_and_is_named(tmp_path: Path) -> None:
    (build_run(tmp_path) / "exports.json").write_text("[{")
    (tmp_path / "space.json").write_bytes(b"\xff")
    assert list(sections(tmp_path)) == ["front", "training", "progress", "reproduce"]
    said = words(write_report(tmp_path).read_text().split("</style>")[1])
    assert "exports.json is damaged: " in said
    assert "space.json cannot be read: " in said
    assert "Best: 96.9 % accuracy at 7.10 M MACs" in said


def test_a_run_of_which_nothing_can_be_read_still_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[" * 100_000)
    assert "config.json is damaged: " in words(write_report(tmp_path).read_text().split("</style>")[1])


def retrain(directory: Path, folder: str = "retrained", **changes: Any) -> None:
    """Add an architecture of the exports that was trained for use."""
    (directory / folder).mkdir()
    exports = json.loads((directory / "exports.json").read_text())
    found = {"arch": exports[2]["arch"], "start": "scratch", "steps": 150, "seed": 3, "validation": {"accuracy": 0.995}}
    found |= {"test": {"accuracy": 0.991}, "macs": 7_100_000, "params": 60_000, "files": ["/elsewhere/net.onnx"]}
    write(directory / folder / "retrained.json", found | changes)


def test_the_headline_is_the_best_network_there_is(tmp_path: Path) -> None:
    judge_run(build_run(tmp_path))
    retrain(tmp_path)
    run = read_run(tmp_path)
    said = words(header(run))
    assert "Best: 99.1 % test accuracy at 7.10 M MACs" in said
    assert "retrained, trained alone for 150 steps, is the best of 4 networks on validation data." in said
    body = sections(tmp_path)
    assert 'id="network-3"' in body["networks"]
    assert body["networks"].count('class="chain"') == 4  # drawn as the export of the same architecture
    assert 'href="retrained/net.onnx"' in body["exports"]
    assert "retrained: trained alone from fresh weights for 150 steps, seed 3." in words(body["exports"])
    assert "97.6 – 99.7 %" in words(body["exports"])  # Wilson interval of 357 right among the 360 of data.json
    shutil.rmtree(tmp_path / "retrained")
    retrain(tmp_path, validation={"accuracy": 0.5})
    assert "large is the best of 4 networks" in words(header(read_run(tmp_path)))


def test_every_verb_is_named_with_its_options(tmp_path: Path) -> None:
    build_run(tmp_path)
    for name in ("config.json", "environment.json", "exports.json"):
        value = json.loads((tmp_path / name).read_text())
        if name == "environment.json":
            value["command"] = "supernet train --out x --steps 1200"
        elif name == "exports.json":
            value[2]["name"] = "arch-1"
        else:
            search = {"searcher": "nsga2", "objectives": ["accuracy", "macs"], "budget": 240}
            value["search"] = search | {"constraints": {"macs": 8e6}, "shifting": {"lr": 0.01}}
            value["judge"] = {"table": "truth of mine.csv", "archs": 60}
        write(tmp_path / name, value)
    judge_run(tmp_path)
    retrain(tmp_path, "other")
    retrain(tmp_path)
    write(tmp_path / "retrained" / "environment.json", {"command": "supernet retrain x --best --steps 150"})
    commands = html.unescape(re.findall(r"<pre>(.*?)</pre>", sections(tmp_path)["reproduce"], re.S)[0]).split("\n")
    arch = json.dumps(json.loads((tmp_path / "exports.json").read_text())[2]["arch"], separators=(",", ":"))
    search = f"supernet search {tmp_path} --searcher nsga2 --objectives accuracy,macs --budget 240 --max macs=8000000.0"
    assert commands == [
        "supernet train --out x --steps 1200",
        f"{search} --shift --shift-option lr=0.01",
        f"supernet export {tmp_path} --exports 3 --finetune-steps 200",
        f"supernet export {tmp_path} --arch '{arch}' --finetune-steps 200",
        f"supernet judge {tmp_path} --table 'truth of mine.csv' --archs 60",
        f"supernet retrain {tmp_path} --steps 150 --arch '{arch}' --start scratch --seed 3 --out {tmp_path}/other",
        "supernet retrain x --best --steps 150",
    ]


def test_a_whole_run_needs_one_command(tmp_path: Path) -> None:
    judge_run(build_run(tmp_path))
    assert "<pre>supernet run --out runs/demo</pre>" in sections(tmp_path)["reproduce"]


def test_one_of_a_thing_is_singular(tmp_path: Path) -> None:
    front = json.loads((build_run(tmp_path) / "front.json").read_text())
    arch = {"depth": 1}
    write(tmp_path / "front.json", front | {"points": [{"arch": arch, "values": {"accuracy": 0.9, "macs": 5}}]})
    write(tmp_path / "space.json", {"size": "1", "choices": [{"name": "depth", "options": [1]}]})
    write(tmp_path / "exports.json", json.loads((tmp_path / "exports.json").read_text())[:1])
    write_lines(tmp_path / "train.jsonl", [{"step": 1, "loss": float("nan")}])
    write_lines(tmp_path / "search.jsonl", [{"arch": arch, "values": {"accuracy": 0.9, "macs": 5}, "generation": 0}])
    (tmp_path / "shifted").mkdir()
    rows = [{"generation": place, "order/found": 1.0} for place in range(2)]
    write_lines(tmp_path / "shifted" / "shifting.jsonl", rows)
    write(tmp_path / "counts.json", [{"choice": "depth", "options": [1], "paths": [1]}])
    said = words(render(read_run(tmp_path)).split("</style>")[1])
    assert "1 architecture)" in said
    assert re.findall(r"\b1 (?:evaluated )?(?:architectures|steps|paths|records|choices|networks|images)\b", said) == []


def test_templates_and_assets_are_files_of_the_package() -> None:
    folder = files("supernet.report")
    names = {path.name for place in (folder, folder / "sections", folder / "assets") for path in place.iterdir()}
    assert {"page.html.j2", "macros.html.j2", "front.html.j2", "style.css", "page.js"} <= names


def test_the_derived_architecture_is_set_beside_a_random_one(tmp_path: Path) -> None:
    judge_run(build_run(tmp_path))
    assert "derived" not in words(sections(tmp_path)["ranking"]).lower()
    judged = json.loads((tmp_path / "judge.json").read_text())
    found = {"arch": {"edge0": "conv"}, "n": 15625, "true": 0.9134, "rank": 412, "regret": 0.0231}
    by_chance = {"random_true": 0.871, "random_rank": 7813.0, "random_regret": 0.0655}
    write(tmp_path / "judge.json", judged | {"derived": found | by_chance})
    told = words(sections(tmp_path)["ranking"])
    assert "Rank of 15,625" in told
    assert "derived by the method0.91344120.0231" in told
    assert "a random one, expected0.8717,8130.0655" in told
    shape = {"width": 2.5, "depth": 2, "random_width": 1.75, "random_depth": 2.25}
    write(tmp_path / "judge.json", judged | {"derived": found | by_chance | {"cells": {"normal": shape}}})
    assert "normal2.51.7522.25" in words(sections(tmp_path)["ranking"])
    write(tmp_path / "judge.json", judged | {"omitted": {"derived": "The truth holds no accuracy of it."}})
    assert "Not known of the derived architecture: The truth holds no accuracy" in words(sections(tmp_path)["ranking"])


def test_the_ranking_is_drawn_in_the_quantities_it_is_of(tmp_path: Path) -> None:
    rmse = Quantity("rmse", "°C")
    report = judge_run(build_run(tmp_path), metric=rmse, score=rmse)
    drawn = chart_data(sections(tmp_path)["ranking"], "chart-scatter")
    axes = drawn["views"][0]["layout"]
    assert axes["xaxis"]["title"]["text"] == "RMSE in the supernet (°C)"
    assert axes["yaxis"]["title"]["text"] == "true RMSE (°C)"
    assert "%" not in axes["xaxis"]["tickformat"] + axes["yaxis"]["tickformat"]  # between 0 and 1, and yet no share
    assert drawn["traces"][0]["y"] == (-report.true).tolist()
    best = drawn["views"][1]["layout"]["yaxis"]["range"]
    assert best[0] < min(-report.true) < best[1] < np.median(-report.true), "the fifth with the least error"
    families = chart_data(sections(tmp_path)["ranking"], "chart-clusters")["views"][0]["layout"]
    assert families["yaxis"]["title"]["text"] == "mean true RMSE (°C)"


def test_verbs_that_came_after_a_whole_run_are_named_too(tmp_path: Path) -> None:
    judge_run(build_run(tmp_path))
    networks = json.loads((tmp_path / "exports.json").read_text())
    write(tmp_path / "exports.json", [*networks, networks[0] | {"name": "best"}])
    judging = convert({"retrain": 5, "retrain_steps": 6}, Judging)
    write(tmp_path / "judging.json", to_builtins(schema.Judgement(judging)))
    command = shlex.join(["supernet", "run", "--out", "runs/demo"])
    write(tmp_path / "environment.json", {"command": command})
    commands = html.unescape(re.findall(r"<pre>(.*?)</pre>", sections(tmp_path)["reproduce"], re.S)[0]).split("\n")
    assert commands == [
        command,
        f"supernet export {tmp_path} --best --finetune-steps 200",
        f"supernet judge {tmp_path} --retrain 5 --retrain-steps 6 --archs 300",
    ]


def test_networks_of_one_architecture_share_a_label(tmp_path: Path) -> None:
    networks = json.loads((build_run(tmp_path) / "exports.json").read_text())
    write(tmp_path / "exports.json", [*networks, networks[2] | {"name": "best"}])
    named = chart_data(sections(tmp_path)["front"], "chart-front")["traces"][2]["text"]
    assert named == ["small", "medium", "large, best", ""]


@pytest.mark.parametrize(
    ("shape", "calls"),
    [
        ([1, 8, 8], ("session.run(None, {session.get_inputs()[0].name: batch})", "network(batch)")),
        ({"": {"shape": [8], "dtype": "int64"}}, ("{session.get_inputs()[0].name: batch}", "network(batch)")),
        (
            {name: {"shape": [8], "dtype": "int64"} for name in ("input_ids", "attention_mask")},
            ("{'input_ids': input_ids, 'attention_mask': attention_mask}", "network(input_ids, attention_mask)"),
        ),
    ],
)
def test_files_are_called_by_the_inputs_that_they_have(tmp_path: Path, shape: Any, calls: tuple[str, ...]) -> None:
    judge_run(build_run(tmp_path))
    known = json.loads((tmp_path / "data.json").read_text())
    write(tmp_path / "data.json", known | {"shape": shape})
    said = html.unescape(sections(tmp_path)["exports"])
    assert all(call in said for call in calls)
