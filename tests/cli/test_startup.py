"""What a command imports: packages that it does not need are seconds before its first step."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "lightning_fabric",
    "matplotlib",
    "mlxtend",
    "numba",
    "onnx",
    "onnxruntime",
    "pandas",
    "peft",
    "PIL",
    "plotly",
    "pymoo",
    "ray",
    "sacrebleu",
    "scipy",
    "sklearn",
    "timm",
    "torchmetrics",
    "torchvision",
    "transformers",
}
"""Packages that a training of a supernet on digits needs nothing of; PyTorch brings its own."""

PROGRAM = """
import gc, json, sys
from supernet.cli.app import main
sys.argv = ["supernet", *sys.argv[1:]]
try:
    main()
except SystemExit as stop:
    assert not stop.code
json.dump([sorted(sys.modules), gc.get_stats()[2]["collections"]], open("loaded.json", "w"))
"""


@pytest.mark.slow
def test_a_training_imports_what_it_needs(tmp_path: Path) -> None:
    small = ("--space", "nasbench201", "-S", "channels=4", "-S", "cells=1", "--method", "spos", "--steps", "2")
    command = [sys.executable, "-c", PROGRAM, "train", "--out", "run", *small]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    loaded, collections = json.loads((tmp_path / "loaded.json").read_text())
    assert "torch" in loaded
    assert not {name.partition(".")[0] for name in loaded} & HEAVY
    assert collections <= 1, "looks through all objects"
