"""Run directories written by hand, as training and judging leave them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from supernet.bench.study import merged
from supernet.io.config import Config
from supernet.judge import Truth, standing
from supernet.space import Choice, Space

N = 120
WIDE = Space([Choice("kernel", tuple(range(N)))])
ARCHS = [f"kernel={place}" for place in range(N)]
TRUE = np.random.default_rng(0).normal(90, 2, size=N)
PARAMS = TRUE + np.random.default_rng(1).normal(scale=2.5, size=N)


def scores(noise: float, seed: int) -> np.ndarray:
    """What a supernet with this much error predicts."""
    return TRUE + np.random.default_rng([7, seed]).normal(scale=noise, size=N)


def write_run(
    path: Path,
    predicted: ArrayLike,
    *,
    seed: int = 0,
    settings: dict[str, Any] | None = None,
    archs: list[str] = ARCHS,
    true: ArrayLike = TRUE,
    params: ArrayLike = PARAMS,
    space: str = "0123456789abcdef",
    backwards: float | None = 100,
    derived: int | None = None,
) -> Path:
    """A trained and judged run: 100 steps of 32 images, 64 images a second in the first half, 128 in the second."""
    config = Config.from_json(merged({"train": {"steps": 100, "batch_size": 32}, "seed": seed}, settings or {}))
    path.mkdir(parents=True)
    choices = [{"name": "kernel", "options": [3, 5, 7], "when": None}, {"name": "depth", "options": [1, 2]}]
    files: dict[str, Any] = {
        "config.json": config.to_json(),
        "space.json": {"fingerprint": space, "size": "3", "choices": choices},
        "training.json": {"recipe": {}, "steps": 100, "batch_size": config.train.batch_size},
        "environment.json": {"cpu": "abacus", "accelerator": None, "threads": 1},
        "judge.json": {"truth": "Truth(all)"},
    }
    if derived is not None:  # the place of the architecture that the method has derived
        truth = Truth.of([WIDE.arch({"kernel": place}) for place in range(N)], TRUE)
        found = standing(truth, WIDE.arch({"kernel": derived}))
        chances = {"supernet": derived / N, "random order": 0.05}
        rows = [{"measure": "sampling_mass@0.05", "ranking": name, "value": v} for name, v in chances.items()]
        files["judge.json"] |= {"derived": msgspec.to_builtins(found), "rows": rows}
    for name, value in files.items():
        (path / name).write_text(json.dumps(value))
    rows = [{"step": 50, "examples_per_s": 64.0}, {"step": 100, "examples_per_s": 128.0}]
    if backwards is not None:
        rows[-1] |= {"forwards": 2 * backwards, "backwards": backwards}
    (path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = zip(
        archs, np.asarray(true).tolist(), np.asarray(predicted).tolist(), np.asarray(params).tolist(), strict=True
    )
    lines = ["arch,true,supernet 0,parameter count", *(",".join(map(str, row)) for row in columns)]
    (path / "ranking.csv").write_text("\n".join(lines) + "\n")
    return path
