"""What a run directory may hold, and how damage is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from report_run import EVALUATIONS, build_run, write
from supernet.errors import RunError, UsageError
from supernet.report.run import read_run


def test_reads_every_file(tmp_path: Path) -> None:
    run = read_run(build_run(tmp_path))
    assert run.config["seed"] == 0
    assert run.environment["torch"] == "2.9.1"
    assert len(run.train) == 120 + 12  # a record every 10 steps, an evaluation every 100
    assert run.train[0].step == 10
    assert set(run.train[0].scalars) == {"loss", "lr", "images_per_s", "grad_norm"}
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


def test_values_without_a_number_are_left_out(tmp_path: Path) -> None:
    line = '{"arch": {"a": 1}, "values": {"accuracy": NaN, "macs": 5, "params": null, "latency_ms": Infinity}}\n'
    (tmp_path / "search.jsonl").write_text(line)
    assert read_run(tmp_path).search[0].values == {"macs": 5.0}


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


@pytest.mark.parametrize(
    "name",
    ["config.json", "environment.json", "space.json", "front.json", "exports.json"],
)
def test_a_cut_file_is_named(tmp_path: Path, name: str) -> None:
    text = (build_run(tmp_path) / name).read_text()
    (tmp_path / name).write_text(text[: len(text) // 2])
    with pytest.raises(RunError, match=f"{name} is damaged"):
        read_run(tmp_path)


@pytest.mark.parametrize("name", ["train.jsonl", "search.jsonl"])
def test_a_cut_line_is_named_unless_it_is_the_last(tmp_path: Path, name: str) -> None:
    lines = (build_run(tmp_path) / name).read_text().splitlines(keepends=True)
    whole = read_run(tmp_path)
    (tmp_path / name).write_text("".join(lines)[:-5])  # stopped while writing
    cut = read_run(tmp_path)
    assert (whole.torn, cut.torn) == ((), (name,))
    assert len(whole.train) + len(whole.search) - len(cut.train) - len(cut.search) == 1
    for broken in ([*lines[:4], lines[4][:9] + "\n", *lines[5:]], [lines[0][:9]]):
        (tmp_path / name).write_text("".join(broken))
        with pytest.raises(RunError, match=rf"{name} is damaged in line {min(len(broken), 5)}: "):
            read_run(tmp_path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(RunError, match=r"config\.json cannot be read"):
        read_run(tmp_path)


OBJECTIVE = {"name": "accuracy", "goal": "max"}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("config.json", [1], r"config\.json is damaged: found \[1\], needed an object"),
        ("space.json", {"size": 12, "choices": []}, r"at size: found 12, needed a whole number written as text"),
        ("space.json", {"size": "1e5", "choices": []}, "needed a whole number written as text"),
        ("space.json", {"size": "8"}, "needed an object with 'choices'"),
        ("space.json", {"size": "8", "choices": [{"name": 3, "options": []}]}, r"at choices\[0\]\.name: found 3"),
        ("front.json", {"objectives": [], "points": []}, r"length >= 1 - at `\$\.objectives`"),
        ("front.json", {"objectives": [{"name": "a", "goal": "up"}], "points": []}, r"'up' - at `\$\.objectives"),
        (
            "front.json",
            {"objectives": [OBJECTIVE], "points": [{"arch": {}, "values": {"macs": 1}}]},
            r"points\[0\]\.values has no value for 'accuracy'",
        ),
        (
            "front.json",
            {"objectives": [OBJECTIVE], "points": [], "constraints": {"macs": [1]}},
            r"length 2 - at `\$\.constraints",
        ),
        (
            "front.json",
            {"objectives": [OBJECTIVE], "points": [], "range": {"macs": [1, None]}},
            "got `null` - at `.*range",
        ),
        ("exports.json", {}, "needed a list"),
        ("exports.json", [{"name": "a", "arch": {}, "values": {"macs": "1"}}], 'found "1", needed a number'),
        ("exports.json", [{"name": "a", "arch": {}, "values": {"macs": True}}], "found true, needed a number"),
        (
            "exports.json",
            [{"name": "a", "arch": {}, "values": {}, "diagram": {"nodes": []}}],
            r"exports\.json is damaged at \[0\]\.diagram: .*needed a diagram",
        ),
    ],
)
def test_damage_is_located(tmp_path: Path, name: str, value: Any, message: str) -> None:
    write(tmp_path / name, value)
    with pytest.raises(RunError, match=message):
        read_run(tmp_path)


def test_damaged_line_is_counted(tmp_path: Path) -> None:
    lines = [json.dumps({"step": 1, "loss": 2.0}), "", json.dumps({"loss": 2.0})]
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    with pytest.raises(RunError, match=r"train\.jsonl is damaged at line 3: .* needed an object with 'step'"):
        read_run(tmp_path)
