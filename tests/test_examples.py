"""The worked examples run, at a tiny setting."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from supernet.io.config import Config
from supernet.nn.output import as_output
from supernet.runs.naming import build_data, build_space

EXAMPLES = Path(__file__).parents[1] / "examples"


def imported(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize(("name", "score"), [("segmentation", "miou"), ("detection", "map")])
def test_an_example_declares_trains_searches_judges_exports_and_verifies(
    name: str, score: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = imported(name).main(tmp_path, scenes=40, steps=3, budget=4, alone=3)
    assert 0 <= checked.scores_file[score] <= 1
    assert checked.scores_file == pytest.approx(checked.scores_module, abs=1e-3)
    assert (tmp_path / f"{name}.onnx").stat().st_size > 10_000
    assert "Too few architectures to say" in capsys.readouterr().out


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
