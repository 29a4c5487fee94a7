"""Configurations: what is read, what is refused and in which words, and that nothing is lost on the way."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from supernet.errors import UsageError
from supernet.io.config import Config, Exporting, Judging, Named, Searching, Training, Transfer

FULL = Config(
    space=Named("nasbench201", {"channels": 4}),
    method=Named("spos", {"weights": {"lr": 0.1}}),
    data=Named("digits"),
    train=Training(steps=3, average=0.5),
    search=Searching(
        objectives=("accuracy", "latency_ms"), constraints={"macs": 2e6, "params": (None, 3.0)}, shifting={}
    ),
    export=Exporting(count=1),
    judge=Judging(retrain=4),
    seed=2**63 - 1,
    transfer=Transfer("runs/a", 10, 1, 8, 8, classifier="head"),
)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(FULL.to_json()))
    assert Config.read(tmp_path / "config.json") == FULL
    assert Config.from_json({}) == Config()
    (tmp_path / "c.toml").write_text('seed = 3\n[search]\nobjectives = ["accuracy"]\nconstraints = {macs = 20}\n')
    found = Config.read(tmp_path / "c.toml")
    assert found == replace(Config(), seed=3, search=Searching(objectives=("accuracy",), constraints={"macs": 20.0}))


REFUSED: dict[str, Any] = {
    "train.steps is 0; it must be a whole number of at least 1": {"train": {"steps": 0}},
    "train.steps is 2.0; it must be a whole number": {"train": {"steps": 2.0}},
    "train.steps is True; it must be a whole number": {"train": {"steps": True}},
    "train.average is nan; it must be a number above 0": {"train": {"average": math.nan}},
    "train.average is 1; it must be a number below 1": {"train": {"average": 1}},
    "train.precision is 'float64'; it must be one of 32-true, bf16-mixed": {"train": {"precision": "float64"}},
    "search.objectives[1] is ['accuracy', 3]; it must be a text": {"search": {"objectives": ["accuracy", 3]}},
    "search.objectives is 'accuracy'; it must be a list": {"search": {"objectives": "accuracy"}},
    "it must be a list of length 2": {"search": {"constraints": {"macs": [1]}}},
    "There is no setting train.step; allowed are accelerator": {"train": {"step": 1}},
    "There is no setting sapce; allowed are data": {"sapce": {}},
    "The settings of train must be a table of names and values; got 3": {"train": 3},
    "The settings must be a table of names and values; got [1]": [1],
    "The settings of space are not complete: missing 1 required positional argument: 'name'": {"space": {}},
    "seed is -1; it must be a whole number of at least 0": {"seed": -1},
    "seed is 18446744073709551616; it must be a whole number of at most": {"seed": 2**64},
    "judge.retrain is 2; a ranking needs at least 3 architectures": {"judge": {"retrain": 2}},
    "the table t.csv and 4 trainings were asked for": {"judge": {"table": "t.csv", "retrain": 4}},
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_wrong_is_named(words: str) -> None:
    with pytest.raises(UsageError) as told:
        Config.from_json(REFUSED[words])
    assert words in str(told.value)


def test_a_section_built_in_python_checks_itself() -> None:
    with pytest.raises(UsageError, match=r"train\.batch_size is 'many'"):
        Training(batch_size="many")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"export\.finetune_steps is -1"):
        replace(Exporting(), finetune_steps=-1)
    assert Searching(objectives=["accuracy"]).objectives == ("accuracy",)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("deep.json", b"[" * 100_000),
        ("deep.toml", b"a = " + b"[" * 100_000),
        ("latin.json", b'{"seed": "\xff"}'),
        ("nan.json", b'{"seed": NaN}'),
        ("range.json", b'{"train": {"steps": 0}}'),
        ("range.toml", b"train.average = nan"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    for path in (tmp_path / name, tmp_path / "none.toml"):
        with pytest.raises(UsageError, match=str(path)):
            Config.read(path)


def test_of_several_that_the_user_has_named_the_wrong_one_is_named() -> None:
    with pytest.raises(UsageError, match=r"constraints\.params is 'abc'; it must be a number or a list"):
        Searching(constraints={"macs": 2e6, "params": "abc"})  # type: ignore[dict-item]
    with pytest.raises(UsageError, match=r"constraints\.macs is \[1.0, 2.0, 3.0\]; it must be a list"):
        Searching(constraints={"macs": [1.0, 2.0, 3.0]})  # type: ignore[dict-item]
