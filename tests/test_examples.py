"""The worked examples run, at a tiny setting."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from printed import EXAMPLES, TINY, ran
from supernet.io.config import Config
from supernet.nn.output import as_output
from supernet.runs.naming import build_data, build_space


def test_every_example_has_a_tiny_setting() -> None:
    assert set(TINY) == {path.stem for path in EXAMPLES.glob("*.py")}
    assert TINY["detection"].told("detection") == "detection.main(out, scenes=40, steps=3, budget=4, alone=3)"
    told = TINY["language_modelling"].told("language_modelling")
    assert told.startswith("supernet run --data language_modelling:data --space language_modelling:net --method")


@pytest.mark.slow
def test_the_example_of_the_command_line_trains_searches_and_exports(tmp_path: Path) -> None:
    before = sys.argv, dict(os.environ), list(sys.path)
    found = ran("language_modelling", tmp_path / "here")
    assert (sys.argv, dict(os.environ), sys.path) == before
    assert "\nderived architecture: '1<-0=" in found.text
    assert found.text.endswith("report: out/report.html")
    assert (tmp_path / "here/export/derived.pt2").is_file()
    assert str(tmp_path) not in found.text


@pytest.mark.slow
@pytest.mark.parametrize(("name", "score"), [("segmentation", "miou"), ("detection", "map")])
def test_an_example_declares_trains_searches_judges_exports_and_verifies(name: str, score: str, tmp_path: Path) -> None:
    text, checked = ran(name, tmp_path)
    assert 0 <= checked.scores_file[score] <= 1
    assert checked.scores_file == pytest.approx(checked.scores_module, abs=1e-3)
    assert (tmp_path / f"{name}.onnx").stat().st_size > 10_000
    assert "Too few architectures to say" in text


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_can_be_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 160


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_serves_the_command_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = {"translation": {"number": 60, "length": 96, "vocabulary": 600}, "regression": {"tones": 40}}
    tiny["language_modelling"] = {"number": 400, "length": 8, "vocabulary": 300}
    tiny["pretrained"] = {}
    options = tiny.get(path.stem, {"scenes": 12})
    monkeypatch.syspath_prepend(EXAMPLES)
    config = Config.from_json({"data": {"name": f"{path.stem}:data", "options": options}})
    found = build_data(config)
    net = build_space(f"{path.stem}:net", {}, found)
    assert net.space.size > 1
    batch = next(found.train.batches(2))
    found.task.check(as_output(net(batch.x, net.space.largest())), batch, data=found.name, classes=found.num_classes)
