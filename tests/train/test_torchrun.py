"""`torchrun --max-restarts`: a training of several processes outlives the death of one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

pytestmark = pytest.mark.slow  # whole runs, or processes of their own
OPTIONS = [
    "--method",
    "spos",
    "--steps",
    "24",
    "--batch-size",
    "16",
    "--monitor-every",
    "0",
    "--accelerator",
    "cpu",
    "--devices",
    "2",
]


def trained(out: Path, *, dies: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "OMP_NUM_THREADS": "1",
        "DIES": dies,
    }
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "--max-restarts",
        "1",
    ]
    command = ["-m", "supernet", "train", "--out", str(out), "--space", "torchrun_nets:dies_once", *OPTIONS]
    return subprocess.run(
        [*torchrun, "--max-restarts", "1", *command, "--checkpoint-every", "6"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("dies", ["0", "1"])
def test_a_process_that_dies_costs_no_bit(dies: str, tmp_path: Path) -> None:
    whole, torn = trained(tmp_path / "whole", dies=""), trained(tmp_path / "torn", dies=dies)
    assert whole.returncode == 0, whole.stderr[-2000:]
    assert torn.returncode == 0, torn.stderr[-2000:]
    assert "SIGKILL" in torn.stderr or "exitcode: -9" in torn.stderr, "nobody died"
    last = {out: sorted((tmp_path / out / "checkpoints").iterdir())[-1] for out in ("whole", "torn")}
    assert last["torn"].name == last["whole"].name == "step-000000024.safetensors"
    torn_tensors, whole_tensors = (load_file(last[out]) for out in ("torn", "whole"))
    assert torn_tensors.keys() == whole_tensors.keys()
    assert all(torch.equal(tensor, whole_tensors[name]) for name, tensor in torn_tensors.items())
