"""`supernet run`: everything at once, stopped and gone on with, and what it prints."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from command_line import supernet
from quick_runs import QUICK

pytestmark = pytest.mark.slow  # whole runs, or processes of their own


def test_it_leaves_everything(whole_run: Path) -> None:
    for name in ("config.json", "environment.json", "space.json", "train.jsonl", "front.json", "exports.json"):
        assert (whole_run / name).is_file(), name
    assert len((whole_run / "search.jsonl").read_text().splitlines()) == 12
    (row,) = json.loads((whole_run / "exports.json").read_text())
    assert row["name"] == "best"
    assert row["verified"]["max_difference"] < 1e-3
    assert row["verified"]["images_test"] == 359
    assert set(row["files"]) == {"onnx", "program"}
    assert all((whole_run / file).is_file() for file in row["files"].values())
    assert row["diagram"]["nodes"]
    page = (whole_run / "report.html").read_text()
    assert "nasbench201" in page
    assert "https://" not in page.split("<body")[1].replace("https://plotly.com", "")[:2000]


def test_resumed_after_a_stop_it_finds_the_same(trained: Path, tmp_path: Path) -> None:
    options = ("--budget", 8, "--exports", 1, "--format", "program")
    whole = Path(shutil.copytree(trained, tmp_path / "whole"))
    assert supernet("run", "--out", whole, *options, "--resume").code == 0
    assert json.loads((whole / "config.json").read_text())["search"]["budget"] == 8
    for settings in ("config.json", *(path.name for path in whole.glob("search*.json"))):  # what is on disk by then
        (trained / settings).write_bytes((whole / settings).read_bytes())
    lines = (whole / "search.jsonl").read_text().splitlines(keepends=True)
    (trained / "search.jsonl").write_text("".join(lines[:3]) + lines[3][:20])
    done = supernet("run", "--out", trained, "--resume")
    assert done.code == 0, done.err
    assert (trained / "search.jsonl").read_bytes() == (whole / "search.jsonl").read_bytes()


def test_it_judges_its_ranking_if_asked_to(tmp_path: Path) -> None:
    out = tmp_path / "r"
    quick = (*QUICK, "-S", "statistics=calibrate", "--budget", 4, "--exports", 1, "--format", "program")
    done = supernet("run", "--out", out, *quick, "--retrain", 4, "--retrain-steps", 2)
    assert done.code == 0, done.err
    told = json.loads((out / "judge.json").read_text())
    assert "2 steps of 32 examples" in told["truth"]
    verdict = done.out.index(told["verdict"])
    assert done.out.index("export/best.pt2") < verdict < done.out.index("Kendall τ  ") < done.out.index("report: ")
    assert told["sentences"][0] not in done.out
    assert (out / "ranking.csv").read_text().count("\n") == 5
    assert "Is the ranking right?" in (out / "report.html").read_text()
    before = (out / "retrained.jsonl").read_bytes()
    done = supernet("run", "--out", out, "--resume", "--verbose")
    assert done.code == 0, done.err
    assert (out / "retrained.jsonl").read_bytes() == before
    assert told["sentences"][0] in done.out
    done = supernet("judge", out, "--retrain-steps", 3)  # other trainings than those that are there
    assert done.code == 2
    assert "retrained.jsonl" in done.err


def test_own_space_method_and_data_and_the_result_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_for_cli.py").write_text(
        "from torch import nn\n"
        "from supernet import Choice, ElasticConv2d, ElasticLinear\n"
        "from supernet import methods\n"
        "def space(num_classes, wide=8):\n"
        "    w = Choice('w', (4, wide))\n"
        "    return nn.Sequential(ElasticConv2d(1, w), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),\n"
        "                         ElasticLinear(w, num_classes))\n"
        "def method(rate=0.1):\n"
        "    return methods.spos().with_weights(lr=rate)\n"
    )
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 255, (90, 8, 8), dtype=np.uint8), np.arange(90) % 3
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=y)
    monkeypatch.chdir(tmp_path)
    own = ("--space", "mine_for_cli:space", "-S", "wide=6", "--method", "mine_for_cli:method", "-M", "rate=0.05")
    small = ("--data", "mine.npz", "--steps", 4, "--batch-size", 16, "--budget", 2, "--exports", 1)
    done = supernet("run", "--out", "r", *own, *small, "--format", "program", "--json")
    assert done.code == 0, done.err
    assert json.loads(Path("r/space.json").read_text())["size"] == "2"
    found = json.loads(done.out)
    assert found["run"] == "r"
    assert found["front"]["evaluations"] == 2
    assert found["front"]["points"] == json.loads(Path("r/front.json").read_text())["points"]
    assert found["exports"] == json.loads(Path("r/exports.json").read_text())
    assert found["exports"][0]["files"] == {"program": "export/best.pt2"}
    assert (found["judgement"], found["problems"]) == (None, [])
    assert "architectures evaluated" in done.err


def test_after_a_derivation_there_is_a_search_only_where_it_is_asked_for(tmp_path: Path) -> None:
    out, quick = (
        tmp_path / "d",
        ("--space", "small_nets:operations_net", "--steps", 2, "--batch-size", 16, "--monitor-every", 0),
    )
    deriving = ("--method", "darts", "-D", "validation=0.5", "--format", "program", "--exports", 1)
    done = supernet("run", "--out", out, *quick, *deriving, "--calibration-images", 32)
    assert done.code == 0, done.err
    assert "darts has derived its architecture, so nothing is searched; ask for it with --search" in done.out
    assert not (out / "search.jsonl").exists()
    (row,) = json.loads((out / "exports.json").read_text())
    derived = json.loads((out / "derived.json").read_text())["decisions"]
    assert (row["name"], row["arch"]) == ("derived", derived)
    page = (out / "report.html").read_text()
    assert "The method has derived its architecture itself, so nothing was searched." in page
    done = supernet("export", out, "--best", "--json")
    assert done.code == 0, done.err
    assert [row["arch"] for row in json.loads(done.out)["exports"]] == [derived]
    assert "the architecture that the method derived" in done.err
    assert supernet("export", out, "--best", "--arch", "a").code == 2
    done = supernet("run", "--out", out, "--resume", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["front"] is None
    searched = shutil.copytree(out, tmp_path / "s")
    small = tmp_path / "small.json"
    small.write_text(json.dumps(json.loads((out / "config.json").read_text()) | {"search": {"budget": 2}}))
    for run, asked in ((out, ("--search", "--config", small)), (searched, ("--budget", 3))):
        done = supernet("run", "--out", run, "--resume", *asked)
        assert done.code == 0, done.err
        assert (run / "front.json").is_file()
        names = [row["name"] for row in json.loads((run / "exports.json").read_text())]
        assert {"derived", "best"} <= set(names)
        assert "so nothing was searched" not in (run / "report.html").read_text()
    assert len((searched / "search.jsonl").read_text().splitlines()) == 3
    assert supernet("run", "--out", searched, "--resume").code == 0  # a search on record was asked for
