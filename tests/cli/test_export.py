"""`supernet export`: which networks, in which formats."""

from __future__ import annotations

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


def test_darts_exports_what_it_derives(tmp_path: Path) -> None:
    out = tmp_path / "d"
    options = ("--method", "darts", "--batch-size", 16, "--steps", 3, "--monitor-every", 0, "-D", "validation=0.5")
    assert supernet("train", "--out", out, *SMALL_SPACE, *options).code == 0
    done = supernet("export", out, "--format", "program")
    assert done.code == 0, done.err
    assert [row["name"] for row in rows(out)] == ["derived"]
