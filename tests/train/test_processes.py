"""Two processes train what one would on the joined batch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from child_trainings import context, free_port, left_alone, rank, run_pair, shared_net, together
from family_trainings import FAMILIES
from supernet.train import checkpoint

pytestmark = pytest.mark.slow  # whole runs, or processes of their own


NAMES = ("fairnas", "darts", "sum_nas", "spine", "rewriting", "nasvit", "pi_nas", *FAMILIES)
"""Several paths with unused parameters; second-order, inner steps; parts, edits, phases; rewriting; joins; queues; and
one of each family of methods."""
STRATEGIES = ("ddp", "fsdp")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two processes have left what they trained: the same two for all trainings, as each takes long to begin."""
    folder = tmp_path_factory.mktemp("trained")
    run_pair(rank, folder, NAMES, STRATEGIES)
    return folder


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", NAMES)
def test_two_processes_are_one_with_twice_the_batch(name: str, strategy: str, trained: Path, tmp_path: Path) -> None:
    """Both ranks get the weights of rank 0."""
    for number in (0, 1):
        told = trained / f"{name}-{strategy}-{number}.error"
        assert not told.exists(), told.read_text()
    first, second = (
        safetensors.torch.load_file(trained / f"{name}-{strategy}-{number}.safetensors") for number in (0, 1)
    )
    start = shared_net(name).state_dict()
    alone = together(shared_net(name), name, batch_size=16, out=tmp_path / "alone").state_dict()
    assert set(first) == set(alone)
    for key, value in alone.items():
        assert torch.equal(first[key], second[key]), f"the processes differ in {key}"
        torch.testing.assert_close(first[key], value, atol=2e-5, rtol=2e-4)
    moved = [
        float((first[key] - value).abs().max())
        for key, value in start.items()
        if key in first and value.numel() > 1
        if first[key].shape == value.shape
    ]
    assert not moved or max(moved) > 1e-3, "the case shows nothing"
    runs = [trained / f"{name}-{strategy}", tmp_path / "alone"]
    saved, single = (_tensors(run) for run in runs)
    assert set(saved) == set(single)
    for key, value in single.items():
        torch.testing.assert_close(saved[key], value, atol=2e-5, rtol=2e-4)
    rows, expected = (json.loads((run / "train.jsonl").read_text().splitlines()[-1]) for run in runs)
    assert rows["loss"] == pytest.approx(expected["loss"], rel=1e-4), "the log is about one process alone"
    for logged in ("rated", "term/consistency") if name == "spine" else ():
        assert rows[logged] == pytest.approx(expected[logged], rel=1e-3)


def test_a_process_that_is_left_alone_says_so(tmp_path: Path) -> None:
    port = free_port()
    processes = [context().Process(target=left_alone, args=(number, port, tmp_path)) for number in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0, 9]
    told = (tmp_path / "told").read_text()
    assert told.startswith("Another process of this training has ended or no longer answers (")
    assert "resuming goes on" in told


def _tensors(run: Path) -> dict[str, torch.Tensor]:
    newest = checkpoint.latest(run / "checkpoints")
    assert newest is not None
    return checkpoint.load(newest)[0]
