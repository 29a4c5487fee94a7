"""Two processes train what one would on the joined batch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from child_trainings import context, free_port, left_alone, rank, shared_net, shared_recipe, together
from supernet.train import checkpoint

pytestmark = pytest.mark.slow  # whole runs, or processes of their own


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
@pytest.mark.parametrize("name", ["fairnas", "darts", "sum_nas", "spine", "rewriting", "nasvit", "pi_nas"])
def test_two_processes_are_one_with_twice_the_batch(name: str, strategy: str, tmp_path: Path) -> None:
    """Several paths with unused parameters; second-order, inner steps; parts, edits, phases; rewriting; joins; queues.

    Both ranks get the weights of rank 0.
    """
    port = free_port()
    processes = [context().Process(target=rank, args=(number, port, tmp_path, name, strategy)) for number in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0, 0]
    for process in processes:
        process.close()
    first, second = (safetensors.torch.load_file(tmp_path / f"{name}-{number}.safetensors") for number in (0, 1))
    start = shared_net(name).state_dict()
    alone = together(shared_net(name), shared_recipe(name), batch_size=16, out=tmp_path / f"{name}-alone").state_dict()
    for key, value in alone.items():
        assert torch.equal(first[key], second[key]), f"the processes differ in {key}"
        torch.testing.assert_close(first[key], value, atol=2e-5, rtol=2e-4)
        moved = key not in start or first[key].shape != start[key].shape or (first[key] - start[key]).abs().max()
        assert moved > 1e-3, "the case shows nothing"
    runs = [tmp_path / f"{name}-{kind}" for kind in ("run", "alone")]
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
    files = sorted(file.name for file in (run / "checkpoints").iterdir())
    assert files == ["step-000000006.safetensors"]
    return checkpoint.load(run / "checkpoints" / files[0])[0]
