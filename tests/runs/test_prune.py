"""A trained model, cut to a share of its cost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import cut_model
import supernet.runs.prune as module
from command_line import supernet
from supernet import data, measure
from supernet.errors import UsageError
from supernet.measure.option_damage import OptionDamage
from supernet.runs.prune import prune
from supernet.runs.pruning import Pruned, Pruning

FEW = {"model": "cut_model:build", "images": 64, "checks": 4, "width": (0.5, 1.0)}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(cut_model.saved(tmp_path_factory.mktemp("weights")))


@pytest.fixture(scope="module")
def pruned(weights: str, tmp_path_factory: pytest.TempPathFactory) -> Pruned:
    asked = Pruning(**FEW, weights=weights, keep={"params": "70%", "macs": "80%"})  # type: ignore[arg-type]
    return prune(asked, data.digits(), tmp_path_factory.mktemp("out") / "small", progress=False)


def test_both_limits_are_kept_and_no_subnet_within_them_has_a_smaller_estimate(pruned: Pruned) -> None:
    net, (whole, kept) = pruned.net, pruned.costs["params"]
    assert kept <= 0.7 * whole == 0.7 * sum(p.numel() for p in cut_model.build().parameters())
    assert pruned.costs["macs"][1] <= 0.8 * pruned.costs["macs"][0]
    rows = (pruned.folder.parent / "damage.jsonl").read_text().splitlines()
    told: dict[str, dict[int, float]] = {}
    for row in map(json.loads, rows):
        told.setdefault(row["choice"], {})[row["option"]] = row["damage"]
    damage = OptionDamage({name: tuple(found[code] for code in sorted(found)) for name, found in told.items()})
    archs = list(net.space.enumerate())
    assert len(set(archs)) == net.space.size, "the number that is told"
    assert len(rows) == sum(map(len, net.space.choices)), "every option is rated once"
    costs, codes = measure.cost_model(net), net.space.codes(archs)
    allowed = (costs.params(codes) <= 0.7 * whole) & (costs.macs(codes) <= 0.8 * pruned.costs["macs"][0])
    best = min(damage.estimate(arch) for arch, fits in zip(archs, allowed, strict=True) if fits)
    assert pruned.solution.value == pytest.approx(best)
    assert pruned.solution.gap == 0
    assert damage.estimate(pruned.arch) == pytest.approx(best)


def test_the_folder_loads_without_this_package_and_is_the_subnet(pruned: Pruned) -> None:
    tensors = load_file(pruned.folder / "model.safetensors")
    alone = pruned.net.extract(pruned.arch).state_dict()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in alone.items())
    assert pruned.difference <= 1e-5
    assert "supernet" not in (pruned.folder / "network.py").read_text()


def test_the_report_says_how_far_damage_adds_up(pruned: Pruned) -> None:
    told = json.loads((pruned.folder.parent / "pruned.json").read_text())
    estimated, measured = np.asarray(told["checked"]).T
    assert len(estimated) == 5
    assert told["damage"] == measured[0]
    assert told["estimated_damage"] == pytest.approx(estimated[0])
    assert told["additivity_error"] == pytest.approx(np.abs(estimated - measured).mean() / np.abs(measured).mean())
    assert told["scores"]["model"]["accuracy"] > told["scores"]["cut"]["accuracy"] > 0.2


def test_sorting_by_importance_damages_less_than_leaving_the_order(weights: str, tmp_path: Path) -> None:
    found = {
        sort: prune(
            Pruning(**FEW, weights=weights, keep={"params": "70%"}, sort=sort, depth="none"),  # type: ignore[arg-type]
            data.digits(),
            tmp_path / str(sort),
            progress=False,
        ).solution.value
        for sort in ("taylor", None)
    }
    assert found["taylor"] < found[None]


def test_stopped_work_goes_on_bit_for_bit(weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Pruning(**FEW, weights=weights, keep={"params": "70%"}, finetune_steps=6)  # type: ignore[arg-type]
    prune(asked, data.digits(), tmp_path / "whole", progress=False)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for place in ("smallest_sum", "_finetune", "save_folder"):
        with monkeypatch.context() as patch:
            patch.setattr(module, place, stop)
            with pytest.raises(KeyboardInterrupt):
                prune(asked, data.digits(), tmp_path / "parts", resume=True, progress=False)
    lines = (tmp_path / "parts" / "damage.jsonl").read_bytes()
    prune(asked, data.digits(), tmp_path / "parts", resume=True, progress=False)
    assert (tmp_path / "parts" / "damage.jsonl").read_bytes() == lines, "nothing is measured twice"
    for name in ("pruned.json", "model/model.safetensors"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_training_after_the_cut_trains_what_is_left(weights: str, tmp_path: Path) -> None:
    asked = Pruning(**FEW, weights=weights, keep={"macs": "50%"}, finetune_steps=40)  # type: ignore[arg-type]
    scores = prune(asked, data.digits(), tmp_path / "out", progress=False).scores
    assert scores["finetuned"]["accuracy"] > scores["cut"]["accuracy"] + 0.02


@pytest.mark.parametrize(
    ("keep", "told"),
    [
        ({}, "Nothing says"),
        ({"energy": "60%"}, "can limit params, macs, latency_ms"),
        ({"params": "much"}, "is no amount"),
        ({"params": "160%"}, "more than all"),
        ({"params": "-3"}, "is no amount"),
    ],
)
def test_amounts_that_are_none_are_refused(keep: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Pruning(model="cut_model:build", keep=keep)


def test_less_than_the_smallest_subnet_has_is_refused(weights: str, tmp_path: Path) -> None:
    asked = Pruning(**FEW, weights=weights, keep={"params": "1%"})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="the smallest one has params"):
        prune(asked, data.digits(), tmp_path / "out", progress=False)
    assert not list(tmp_path.iterdir()), "no option was rated"


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "cut_model:nothing"},
        {"arguments": {"num_classes": 3}, "weights": None},
        {"exclude": ("nothing.*",)},
        {"keep": {"params": "1%"}},
    ],
)
def test_a_request_that_was_refused_is_corrected_in_the_same_directory(
    wrong: dict[str, Any], weights: str, tmp_path: Path
) -> None:
    right = {**FEW, "weights": weights, "keep": {"params": "70%"}}
    with pytest.raises(UsageError):
        prune(Pruning(**{**right, **wrong}), data.digits(), tmp_path, progress=False)
    assert prune(Pruning(**right), data.digits(), tmp_path, progress=False).folder.is_dir()


def test_a_wrong_request_to_go_on_leaves_what_there_is(weights: str, tmp_path: Path) -> None:
    asked = Pruning(**FEW, weights=weights, keep={"params": "70%"})  # type: ignore[arg-type]
    prune(asked, data.digits(), tmp_path, progress=False)
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(UsageError, match=r"says keep\.params"):
        prune(replace(asked, keep={"params": "60%"}), data.digits(), tmp_path, resume=True, progress=False)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_directory_with_other_files_and_other_settings_are_refused(weights: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    asked = Pruning(**FEW, weights=weights, keep={"params": "70%"})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no pruning has made"):
        prune(asked, data.digits(), tmp_path, progress=False)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "prune.json").write_text('{"model": "other:model"}')
    with pytest.raises(UsageError, match="other settings"):
        prune(asked, data.digits(), tmp_path / "out", resume=True, progress=False)
    with pytest.raises(UsageError, match="--resume"):
        prune(asked, data.digits(), tmp_path / "out", progress=False)


def test_the_command_prints_costs_and_scores(weights: str, tmp_path: Path) -> None:
    done = supernet(
        *("prune", "cut_model:build", "--weights", weights, "--data", "digits", "--keep", "params=70%"),
        *("--width", "0.5,1", "--images", "64", "--checks", "0", "--out", str(tmp_path / "out"), "--json"),
    )
    told = json.loads(done.out)
    assert told["costs"]["params"]["kept"] <= 0.7 * told["costs"]["params"]["model"]
    assert told["tau_of_estimates"] is None
