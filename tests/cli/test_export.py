"""`supernet export`: which networks, in which formats."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from command_line import supernet
from quick_runs import SMALL_SPACE

pytestmark = pytest.mark.slow  # whole runs, or processes of their own


def rows(run: Path) -> list[dict[str, Any]]:
    """What is known of the exported networks."""
    found: list[dict[str, Any]] = json.loads((run / "exports.json").read_text())
    return found


def test_architectures_by_name_in_two_spellings(whole: Path) -> None:
    arch, again = (point["arch"] for point in json.loads((whole / "front.json").read_text())["points"][:2])
    text = ",".join(f"{name}={option}" for name, option in arch.items())
    program = ("export", whole, "--format", "program")
    done = supernet(*program, "--arch", text, "--arch", json.dumps(arch), "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["exports"] == rows(whole)[1:]
    assert [row["name"] for row in rows(whole)] == ["best", "arch-1"]  # two spellings of one, beside the earlier
    assert rows(whole)[1]["arch"] == arch
    assert rows(whole)[1]["files"] == {"program": "export/arch-1.pt2"}
    assert supernet(*program, "--arch", json.dumps(again), "--arch", text).code == 0
    assert {row["name"]: row["arch"] for row in rows(whole)[1:]} == {"arch-1": arch, "arch-2": again}


def test_finetuning_changes_the_exported_network(whole: Path) -> None:
    before = (whole / "export/best.pt2").read_bytes()
    done = supernet("export", whole, "--exports", 1, "--format", "program", "--finetune-steps", 3)
    assert done.code == 0, done.err
    assert (whole / "export/best.pt2").read_bytes() != before


def test_a_file_for_one_image_at_a_time(whole: Path) -> None:
    done = supernet("export", whole, "--exports", 1, "--format", "program", "--fixed-batch")
    assert done.code == 0, done.err
    network = torch.export.load(whole / rows(whole)[0]["files"]["program"]).module()
    assert network(torch.zeros(1, 1, 8, 8)).shape == (1, 10)
    with pytest.raises(Exception, match="1"):
        network(torch.zeros(2, 1, 8, 8))


def test_a_format_of_ones_own_beside_another(whole: Path) -> None:
    done = supernet("export", whole, "--best", "--format", "program", "--format", "own_formats:rough")
    assert done.code == 0, done.err
    row = next(row for row in rows(whole) if row["name"] == "best")
    assert row["files"] == {"program": "export/best.pt2", "rough": "export/best.rough"}
    exact, rough = row["compared"]["program"], row["compared"]["rough"]
    assert exact["validation"] == row["verified"]["validation"] != rough["validation"]
    assert (rough["runtime"], rough["max_difference"]) == ("own runtime 1", pytest.approx(100, rel=1e-4))
    told = [line for line in done.out.splitlines() if "best." in line]
    assert [line.split()[-1] for line in told] == ["export/best.pt2", "export/best.rough"]
    assert f"{rough['validation']['accuracy']:.1%}" in told[1]


def test_a_file_that_lies_is_no_export(whole: Path) -> None:
    before = rows(whole)
    done = supernet("export", whole, "--best", "--format", "program", "--format", "own_formats:liar")
    assert (done.code, rows(whole)) == (1, before)
    assert "best.lie does not compute what the subnet computes" in done.err


def test_formats_that_there_are_not_and_that_are_not_installed(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = supernet("export", whole, "--best", "--format", "tflite")
    assert done.code == 2
    assert "There is no format named 'tflite'; there are executorch, int8, onnx, openvino, program." in done.err
    find = importlib.util.find_spec
    missing = ("openvino", "torchao")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in missing else find(name, *rest))
    done = supernet("export", whole, "--best", "--format", "openvino", "--format", "int8")
    assert done.code == 1
    assert "pip install 'supernet[openvino]'" in done.err
    assert "pip install 'supernet[int8]'" in done.err
    done = supernet("run", "--out", tmp_path / "new", *SMALL_SPACE, "--steps", 1, "--format", "openvino")
    assert done.code == 1
    assert not (tmp_path / "new").exists()  # refused before the training
    done = supernet("search", whole, "--overwrite", "--objectives", "accuracy_int8", "--budget", 2)
    assert done.code == 1
    assert "pip install 'supernet[int8]'" in done.err
    done = supernet("export", whole, "--best", "--format", "openvino", "--format", "program")
    assert done.code == 0
    assert "best could not be written as openvino" in done.out


def test_darts_exports_what_it_derives(tmp_path: Path) -> None:
    out = tmp_path / "d"
    options = ("--method", "darts", "--batch-size", 16, "--steps", 3, "--monitor-every", 0, "-D", "validation=0.5")
    assert supernet("train", "--out", out, *SMALL_SPACE, *options).code == 0
    done = supernet("export", out, "--format", "program")
    assert done.code == 0, done.err
    assert [row["name"] for row in rows(out)] == ["derived"]
