"""All that a configuration says of the training reaches it, whoever trains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from supernet.io.config import Config, Named, Training
from supernet.runs import fitting
from supernet.runs.run import Run
from supernet.train import GradientConflict, SubnetScores

ASKED: dict[str, Any] = {
    "steps": 7,
    "batch_size": 24,
    "micro_batch": 8,
    "precision": "bf16-mixed",
    "average": 0.9,
    "accelerator": "cpu",
    "devices": 2,
    "strategy": "fsdp",
    "init": "weights.safetensors",
    "checkpoint_every": 5,
}
WATCHED = {"monitor_every": 3, "conflict_every": 4}


class SeenError(Exception):
    """What was handed over; nothing is trained."""


def test_every_setting_of_the_training_is_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def noted(*given: Any, **options: Any) -> None:
        raise SeenError(given, options)

    monkeypatch.setattr(fitting, "fit", noted)
    config = Config(space=Named("small_nets:operations_net"), train=Training(**ASKED, **WATCHED), seed=11)
    plain = Training()
    assert all(getattr(plain, name) != value for name, value in (ASKED | WATCHED).items())
    assert set(ASKED) | set(WATCHED) == set(vars(plain))  # a new setting has to be thought of here
    run = Run.create(config, tmp_path / "run")
    recipe = replace(run.recipe, name="another")
    with pytest.raises(SeenError) as seen:
        fitting.fitted(run, recipe, resume=True, checkpoint_every=config.train.checkpoint_every)
    (_, by, _), options = seen.value.args
    assert by.name == "another"
    monitors = {type(monitor): monitor.every for monitor in options.pop("monitors")}
    assert (monitors[SubnetScores], monitors[GradientConflict]) == (3, 4)
    assert options == ASKED | {"seed": 11, "resume": True, "out": run.directory}
