"""How networks are fine-tuned before they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from small_runs import trained_run
from supernet import deploy
from supernet.io.config import Exporting, Training
from supernet.nn import Supernet
from supernet.runs.export import export, named


def test_networks_are_tuned_on_the_processor_and_in_the_arithmetic_of_their_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []
    tune = deploy.retrained

    def noted(*given: Any, **options: Any) -> Supernet:
        seen.append(options)
        return tune(*given, **options)

    monkeypatch.setattr(deploy, "retrained", noted)
    run = trained_run(
        tmp_path / "r",
        train=Training(steps=2, batch_size=32, accelerator="cpu", precision="bf16-mixed", monitor_every=0),
        export=Exporting(finetune_steps=1, formats=("program",), calibration_images=32),
    )
    export(run, named(run, [run.net.space.largest()]))
    assert seen == [
        {"steps": 1, "start": "inherited", "seed": run.config.seed, "accelerator": "cpu", "precision": "bf16-mixed"}
    ]
