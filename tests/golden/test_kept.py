"""Runs of earlier formats still open, resume, and are searched, taken out and shown."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from command_line import supernet
from supernet import zoo
from supernet.train import load_weights

KEPT = Path(__file__).with_name("kept")


@pytest.mark.parametrize("version", sorted(path.name for path in KEPT.iterdir() if path.is_dir()))
@pytest.mark.slow
def test_a_kept_run_goes_on(version: str, tmp_path: Path) -> None:
    run = Path(shutil.copytree(KEPT / version / "run", tmp_path / "run"))
    net = zoo.nasbench201(channels=4, cells=1, in_channels=1, statistics="calibrate")
    before = torch.cat([p.detach().flatten() for p in net.parameters()])
    load_weights(net, run)
    assert not torch.equal(before, torch.cat([p.detach().flatten() for p in net.parameters()]))
    for verb in (
        ("train", "--out", run, "--resume"),
        ("report", run),
        ("export", run, "--best", "--format", "program"),
        ("search", run, "--out", tmp_path / "search", "--objectives", "accuracy,macs", "--budget", 8),
        ("cite", run),
    ):
        done = supernet(*verb)
        assert done.code == 0, (verb, done.err)
    assert (run / "checkpoints" / "step-000000040.safetensors").is_file()
    assert len((tmp_path / "search" / "search.jsonl").read_text().splitlines()) == 8
    assert json.loads((run / "exports.json").read_text())
