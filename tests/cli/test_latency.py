"""`latency build`: from a space or a run directory to files and sentences."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from supernet import OpChoice, Supernet
from supernet.cli.latency import latency_build
from supernet.errors import UsageError
from supernet.io.config import Config
from supernet.measure import LatencyPredictor, LatencyTable, read_latency
from supernet.runs.run import Run

pytestmark = pytest.mark.slow  # whole runs, or processes of their own

torch.set_num_threads(1)
SPACE = f"{__name__}:chain"


def chain(num_classes: int) -> Supernet:
    ops = [
        {"conv": nn.Conv2d(1, 1, 3, padding=1), "pool": nn.AvgPool2d(3, 1, 1), "skip": nn.Identity()} for _ in "1234"
    ]
    head = nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))
    return Supernet(nn.Sequential(*(OpChoice(f"op{n}", op) for n, op in enumerate(ops)), head))


def built(path: Path) -> LatencyTable | LatencyPredictor:
    return read_latency(path, chain(10), input_shape=(1, 8, 8))


def test_a_space_becomes_a_table_a_check_and_a_predictor(tmp_path, capsys):
    out = tmp_path / "chain.json"
    latency_build(built={"space": SPACE}, out=out, seconds=0, repeats=1, learn=20, check=4)
    said = capsys.readouterr().out
    assert f": {out}\n" in said
    assert "4 networks measured whole" in said
    assert "Kendall's τ with measured latency: predicted" in said
    assert "learned from 20 networks" in said
    assert isinstance(built(out), LatencyTable)
    assert isinstance(built(tmp_path / "chain-learned.json"), LatencyPredictor)
    latency_build(built={"space": SPACE}, out=out, seconds=0, repeats=1, check=4, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["table"] == str(out)
    assert told["check"]
    with pytest.raises(UsageError, match="made with repeats=1, not 2"):
        latency_build(built={"space": SPACE}, out=out, seconds=0, repeats=2, check=0)
    latency_build(built={"space": SPACE}, out=out, seconds=0, repeats=2, check=0, overwrite=True)


def test_a_run_directory_keeps_its_table(tmp_path, capsys):
    run = tmp_path / "run"
    config = Config.from_json({"space": {"name": SPACE}, "method": {"name": "spos"}})
    Run.create(config, run, overwrite=False, resume=False, say=print).directory.begin()
    latency_build(run, seconds=0, repeats=1, check=0, batch_size=2, figure="p10")
    subject = built(run / "latency.json").subject
    assert (subject.device["batch_size"], subject.device["threads"], subject.figure) == (2, 1, "p10_ms")
    assert "networks measured whole" not in capsys.readouterr().out


def test_a_request_names_a_run_or_a_space(tmp_path):
    with pytest.raises(UsageError, match="made for a run directory or for a --space; give one"):
        latency_build()
    with pytest.raises(UsageError, match="made for a run directory or for a --space; give one"):
        latency_build(tmp_path, built={"space": "mbconv"})
    with pytest.raises(UsageError, match="says itself which space and data"):
        latency_build(tmp_path, built={"data": "digits"})
