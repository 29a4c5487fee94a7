"""What a run directory may hold, and how damage is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from report_run import EVALUATIONS, JUDGED, build_run, judge_run, write, write_lines
from supernet.errors import UsageError
from supernet.report.reading import read_run


def damage(directory: Path) -> str:
    """The one sentence about the one damaged file."""
    (sentence,) = read_run(directory).damaged
    assert "Repeat the step that writes this file, or move it away" in sentence
    return sentence


def test_reads_every_file(tmp_path: Path) -> None:
    run = read_run(build_run(tmp_path))
    assert run.config["seed"] == 0
    assert run.environment.torch == "2.9.1"
    assert len(run.train) == 120 + 12  # a record every 10 steps, an evaluation every 100
    assert run.train[0].step == 10
    assert set(run.train[0].scalars) == {"loss", "lr", "examples_per_s", "grad_norm"}
    assert run.space is not None
    assert len(run.space.choices) == 16
    assert int(run.space.size) > 2**63
    assert len(run.search) == EVALUATIONS
    assert run.search[-1].generation == 9
    assert run.front is not None
    assert run.front.range == {"macs": (705380.0, 25786740.0)}
    assert [export.name for export in run.exports] == ["small", "medium", "large"]
    assert run.exports[0].diagram is not None
    assert (run.primary.name, run.cost.name) == ("accuracy", "macs")


def test_values_that_are_not_known_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "exports.json", [EXPORT | {"values": {"macs": 5, "latency_ms": None}}])
    assert read_run(tmp_path).exports[0].values == {"macs": 5.0}


def test_options_that_are_tuples_are_those_of_the_space(tmp_path: Path) -> None:
    arch = {"kernel": [3, [5, 7]], "width": 8}
    write_lines(tmp_path / "search.jsonl", [{"arch": arch, "values": {}}])
    write(tmp_path / "space.json", {"size": "1", "choices": [{"name": n, "options": [o]} for n, o in arch.items()]})
    run = read_run(tmp_path)
    assert run.space is not None
    assert {choice.name: choice.options[0] for choice in run.space.choices} == run.search[0].arch


def test_constraints_have_two_open_ends(tmp_path: Path) -> None:
    front = {"objectives": [{"name": "accuracy", "goal": "max"}], "points": []}
    write(tmp_path / "front.json", front | {"constraints": {"macs": [10, 20], "accuracy": [0.5, None]}})
    run = read_run(tmp_path)
    assert run.feasible({"macs": 10.0, "accuracy": 0.5})
    assert not run.feasible({"macs": 9.0, "accuracy": 0.5})
    assert not run.feasible({"macs": 21.0, "accuracy": 0.5})
    assert not run.feasible({"macs": 15.0, "accuracy": 0.4})
    assert not run.feasible({"macs": 15.0})  # not measured, so not known to be kept


def test_refuses_a_directory_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no files of a run"):
        read_run(tmp_path)
    with pytest.raises(UsageError, match="is not a directory"):
        read_run(tmp_path / "nowhere")


FILES = ["config.json", "environment.json", "space.json", "front.json", "exports.json", "judge.json", "counts.json"]


@pytest.mark.parametrize("name", [*FILES, "data.json"])
def test_a_cut_file_is_named_and_the_others_are_read(tmp_path: Path, name: str) -> None:
    judge_run(build_run(tmp_path))
    whole = read_run(tmp_path)
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(text[: len(text) // 2])
    assert f"{name} is damaged: " in damage(tmp_path)
    assert read_run(tmp_path).train == whole.train
    assert whole.damaged == []


@pytest.mark.parametrize("name", ["train.jsonl", "search.jsonl"])
def test_a_cut_line_is_named_unless_it_is_the_last(tmp_path: Path, name: str) -> None:
    lines = (build_run(tmp_path) / name).read_text().splitlines(keepends=True)
    whole = read_run(tmp_path)
    (tmp_path / name).write_text("".join(lines)[:-5])  # stopped while writing
    cut = read_run(tmp_path)
    assert (whole.torn, cut.torn) == ([], [name])
    assert len(whole.train) + len(whole.search) - len(cut.train) - len(cut.search) == 1
    (tmp_path / name).write_text("".join([*lines[:4], lines[4][:9] + "\n", *lines[5:]]))
    assert f"{name} is damaged: line 5: " in damage(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "ranking.csv", "retrained/retrained.json"])
def test_bytes_that_are_no_text(tmp_path: Path, name: str) -> None:
    judge_run(build_run(tmp_path))
    (tmp_path / "retrained").mkdir()
    (tmp_path / name).write_bytes(b"\xff\xfe{")
    (sentence,) = read_run(tmp_path).damaged
    assert f"{name} cannot be read: " in sentence


@pytest.mark.parametrize("name", ["config.json", "exports.json", "train.jsonl", "search.jsonl"])
def test_what_is_nested_too_deeply(tmp_path: Path, name: str) -> None:
    (build_run(tmp_path) / name).write_text("[" * 100_000 + "]" * 100_000 + "\n")
    assert f"{name} is damaged: " in damage(tmp_path)


OBJECTIVE = {"name": "accuracy", "goal": "max"}
EXPORT = {"name": "a", "arch": {}, "values": {}}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("config.json", [1], "config.json is damaged: it must hold a table of names and values."),
        ("space.json", {"size": 12, "choices": []}, "is damaged: size must be a text"),
        ("space.json", {"size": "1e5", "choices": []}, "size must be a text matching"),
        ("space.json", {"size": "8"}, "it must hold a table with 'choices'"),
        ("space.json", {"size": "8", "choices": [{"name": 3, "options": []}]}, "choices[0].name must be a text"),
        ("front.json", {"objectives": [], "points": []}, "objectives must be a list of length of at least 1"),
        (
            "front.json",
            {"objectives": [{"name": "a", "goal": "up"}], "points": []},
            "objectives[0].goal must be an allowed",
        ),
        (
            "front.json",
            {"objectives": [OBJECTIVE], "points": [{"arch": {}, "values": {"macs": 1}}]},
            "points[0].values has no value for 'accuracy'",
        ),
        (
            "front.json",
            {"objectives": [OBJECTIVE], "points": [], "constraints": {"macs": [1]}},
            "constraints[...] must be a list of length 2",
        ),
        (
            "front.json",
            {"objectives": [OBJECTIVE], "points": [], "range": {"macs": [1, None]}},
            "range[...][1] must be a number",
        ),
        ("exports.json", {}, "it must hold a list"),
        ("exports.json", [EXPORT | {"values": {"macs": "1"}}], "[0].values[...] must be a number"),
        ("exports.json", [EXPORT | {"values": {"macs": True}}], "[0].values[...] must be a number"),
        ("exports.json", [EXPORT | {"values": {"macs": 10**400}}], "[0].values[...] must be a number in range"),
        (
            "exports.json",
            [EXPORT | {"diagram": {"nodes": []}}],
            "[0].diagram must be a table with 'edges'",
        ),
        (
            "exports.json",
            [EXPORT | {"diagram": {"nodes": [], "edges": []}}],
            "[0].diagram: A diagram needs at least one node",
        ),
        (
            "counts.json",
            [{"choice": "a", "options": [1, 2], "paths": [1]}],
            "[0] must be a list of 2 paths",
        ),
        (
            "data.json",
            {"num_classes": -1, "images": {"train": 1, "validation": 3}},
            "num_classes must be a whole number of at",
        ),
        ("data.json", {"num_classes": 2, "images": {}}, "images must be a table with 'train'"),
    ],
)
def test_damage_is_located(tmp_path: Path, name: str, value: Any, message: str) -> None:
    write(build_run(tmp_path) / name, value)
    sentence = damage(tmp_path)
    assert f"{name} is damaged" in sentence
    assert message in sentence


def test_a_damaged_line_is_counted(tmp_path: Path) -> None:
    lines = [json.dumps({"step": 1, "loss": 2.0}), "", json.dumps({"loss": 2.0})]
    (tmp_path / "train.jsonl").write_text("\n".join([*lines, ""]))
    assert "train.jsonl is damaged: line 3 must be a table with 'step'" in damage(tmp_path)
    (tmp_path / "train.jsonl").write_text(f'{{"step": 1, "loss": 1{"0" * 400}}}\n')
    assert "train.jsonl is damaged: line 1 " in damage(tmp_path)


def test_what_a_newer_version_adds_is_passed_over(tmp_path: Path) -> None:
    exports = json.loads((build_run(tmp_path) / "exports.json").read_text())
    write(tmp_path / "exports.json", [row | {"energy": {"mj": 3}} for row in exports])
    run = read_run(tmp_path)
    assert [export.name for export in run.exports] == ["small", "medium", "large"]
    assert run.damaged == []


def test_reads_everything_that_a_judgement_wrote(tmp_path: Path) -> None:
    report = judge_run(build_run(tmp_path))
    run = read_run(tmp_path)
    found = run.judgement
    assert found is not None
    assert list(found.sentences) == report.sentences()
    assert len(found.figures) == len([row for row in report.rows() if row["value"] is not None])
    assert {item.measure: item.label for item in found.measures}["kendall_tau"] == "Kendall τ"
    assert found.top_id is not None
    assert found.top_id.share[0] == 1 / JUDGED
    assert [line.name for line in found.top_id.lines] == ["supernet", "parameter count"]
    assert found.clusters is not None
    assert sum(family.size for family in found.clusters.clusters) == JUDGED
    assert [row.true for row in run.scores] == report.true.tolist()
    assert run.scores[5].scores["supernet 1"] == report.predicted[1, 5]
    assert run.scores[5].arch == report.archs[5].options()


def test_a_verdict_alone_is_enough(tmp_path: Path) -> None:
    write(build_run(tmp_path) / "judge.json", {"truth": "t", "sentences": [], "rows": []})
    run = read_run(tmp_path)
    assert run.judgement is not None
    assert (run.judgement.top_id, run.judgement.mass, run.judgement.clusters, run.scores) == (None, None, None, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("depth=2;kernel=3", {"depth": "2", "kernel": "3"}),
        ("depth=2,1%3C-0=3:5", {"depth": "2", "1<-0": "3:5"}),
        ('{"depth": 2}', {"depth": 2}),
        ("{broken", {"architecture": "{broken"}),
        ("|conv~0|+|skip~0|conv~1|", {"architecture": "|conv~0|+|skip~0|conv~1|"}),
    ],
)
def test_architectures_are_read_without_their_space(tmp_path: Path, text: str, expected: dict[str, Any]) -> None:
    judge_run(build_run(tmp_path))
    quoted = '"' + text.replace('"', '""') + '"'
    (tmp_path / "ranking.csv").write_text(f"arch,true,supernet 0\n{quoted},0.5,0.25\n")
    assert read_run(tmp_path).scores[0].arch == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arch,supernet 0\n", "line 1 lacks the columns 'true'"),
        ("arch,true,MACs\n", "lacks the columns"),
        ("", "lacks the columns"),
        ("arch,true,supernet 0\na=1,0.5,0.5\na=2,0.5\n", "line 3 has 2 columns, expected 3 columns"),
        ("arch,true,supernet 0\na=1,good,0.5\n", "line 2 is ['a=1', 'good', '0.5'], expected numbers"),
        ("arch,true,supernet 0\na=1,nan,0.5\n", "expected finite numbers"),
    ],
)
def test_a_damaged_table_is_located(tmp_path: Path, text: str, message: str) -> None:
    judge_run(build_run(tmp_path))
    (tmp_path / "ranking.csv").write_text(text)
    sentence = damage(tmp_path)
    assert "ranking.csv is damaged: " in sentence
    assert message in sentence


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"top_id": {"n": 0, "k": [], "lines": [], "random": [], "quantity": ""}},
            "top_id.n must be a whole number of at least 1",
        ),
        (
            {"mass": {"n": 2, "k": [1, 2], "lines": [], "random": [0], "quantity": ""}},
            "mass must be curves of 2 numbers",
        ),
        ({"clusters": {"shared": 1, "clusters": [{"size": 1}]}}, "clusters.clusters[0] must be a table with 'true'"),
        ({"measures": [{"measure": "kendall_tau"}]}, "measures[0] must be a table with 'label'"),
        ({"sentences": [1]}, "sentences[0] must be a text"),
    ],
)
def test_a_damaged_judgement_is_located(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    judge_run(build_run(tmp_path))
    found = json.loads((tmp_path / "judge.json").read_text())
    write(tmp_path / "judge.json", found | change)
    assert message in damage(tmp_path)
