"""What a method derives for each task is exported with the head of this task alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from supernet.errors import UsageError
from supernet.io import schema
from supernet.io.config import Config, Exporting, Named, Training
from supernet.nn.headless import classifier
from supernet.report.reading import read_run
from supernet.report.sections.exports import exports as exports_section
from supernet.runs.export import export, headed, named, of_clients
from supernet.runs.run import Run
from supernet.runs.train import train

HEADS = ("mask=pixels:3", "objects=boxes:7")
SCENES = {"task": "both", "scenes": 24, "size": 8, "downscale": 4, "digits": 1, "kinds": 2}


@pytest.mark.slow  # a training and two files
def test_each_task_has_a_file_with_its_head_alone(tmp_path: Path) -> None:
    config = Config(
        space=Named("fbnetv5", {"variant": "tiny", "heads": HEADS}),
        method=Named("fbnetv5", {"rewards.worth": "loss"}),
        data=Named("digit_scenes", SCENES),
        train=Training(steps=2, batch_size=4, accelerator="cpu"),
        export=Exporting(formats=("program",)),
    )
    run = train(Run.create(config, tmp_path / "run"))
    assert run is not None
    assert list(run.derived_by_task) == ["mask", "objects"]
    rows = {row.name: row for row in export(run)}
    assert [row.task for row in rows.values()] == ["mask", "objects"]
    assert set(rows) == {"derived-mask", "derived-objects"}
    for task, row in zip(("mask", "objects"), rows.values(), strict=True):
        assert row.verified is not None
        assert {name.partition(".")[0] for name in row.verified.validation} == {task, "loss"}
        assert row.arch == run.derived_by_task[task].options()
    shown = run.place.read("samples.json", list[schema.Sample])
    assert {(one.network, bool(one.masks), bool(one.boxes)) for one in shown} == {
        ("derived-mask", True, False),
        ("derived-objects", False, True),
    }
    section = exports_section(read_run(tmp_path / "run"))
    assert section is not None
    assert {(network, score) for network, score, *_ in section["by_task"]} >= {
        ("derived-mask", "mask.miou"),
        ("derived-objects", "objects.map"),
    }
    (pick,) = headed(named(run, [run.net.space.largest()]), "mask")
    assert (pick.name, pick.task) == ("arch-1-mask", "mask")
    kept = schema.Export(name=pick.name, arch=pick.arch.options(), values={}, task="mask")
    run.place.write("exports.json", [kept])
    assert [p.name for p in named(run, [run.net.space.largest(), run.net.space.smallest()])] == ["arch-1", "arch-2"]
    assert headed([replace(pick, task="objects")], "mask") == []


@pytest.mark.slow  # a training and a file
def test_a_client_has_a_file_of_its_own_net(tmp_path: Path) -> None:
    config = Config(
        space=Named("nasbench201", {"channels": 4, "cells": 1}),
        method=Named("spider", {"clients.clients": 2, "weights.lr": 0.1, "own.lr": 0.1}),
        data=Named("digits", {}),
        train=Training(steps=4, batch_size=256, accelerator="cpu"),
        export=Exporting(formats=("program",)),
    )
    run = train(Run.create(config, tmp_path / "run"))
    assert run is not None
    with pytest.raises(UsageError, match="has no net that client 2 has for its own; those of clients 0 to 1 are there"):
        of_clients(run, [0, 2])
    (row,) = export(run, of_clients(run, [1]))
    assert (row.name, row.arch) == ("client-1", run.derived_by_task["client/1"].options())
    assert row.verified is not None
    inside = torch.export.load(tmp_path / "run" / row.files["program"]).state_dict.values()
    of_server, own = (
        classifier(net).weight
        for net in (run.net, run.load()["personal"][1])  # type: ignore[index]
    )
    assert any(torch.equal(tensor, own) for tensor in inside)
    assert not any(torch.equal(tensor, of_server) for tensor in inside)
