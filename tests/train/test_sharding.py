"""Weights that are shared out: what each process holds and sends, checkpoints, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import sharded_trainings
from child_trainings import run_pair
from family_trainings import blocks_net, elastic_net
from sharded_trainings import STEPS, recipe
from small_nets import images, plain_net
from supernet.errors import UsageError
from supernet.methods import spos
from supernet.train import checkpoint, fit, load_weights
from supernet.train.processes.shared_weight import cut_of

# -- one tensor --------------------------------------------------------------------------------------------------------

SHAPES = ((8, 3), (7, 3), (3, 9), (1, 5, 8), (2, 2), (9,), (), (5, 4, 3, 3), (1, 1))


@pytest.mark.parametrize("world", [2, 3, 4])
@pytest.mark.parametrize("shape", SHAPES)
def test_pieces_are_the_whole_once(shape: tuple[int, ...], world: int) -> None:
    whole = torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape)
    cut = cut_of(whole, world)
    pieces = [cut.piece(whole, rank) for rank in range(world)]
    if cut.axis is None:
        assert len(shape) < 2 or max(shape) < world, "it has an axis that could be cut"
        assert all(torch.equal(piece, whole) for piece in pieces)
        return
    assert torch.equal(torch.cat(pieces, cut.axis), whole)
    assert all(piece.shape[cut.axis] <= -(-shape[cut.axis] // world) for piece in pieces), (
        "one holds more than its part"
    )


def test_filters_come_back_in_their_layout() -> None:
    filters = torch.rand(4, 3, 3, 3).to(memory_format=torch.channels_last)
    assert cut_of(filters, 2).layout == torch.channels_last
    assert cut_of(filters.contiguous(), 2).layout == torch.contiguous_format


def test_one_process_has_nothing_to_share_out() -> None:
    with pytest.raises(UsageError, match=r"by a training of one process\. Give devices=2 or more"):
        fit(plain_net(), spos(), images(), steps=1, accelerator="cpu", strategy="fsdp", progress=False)


# -- two processes -----------------------------------------------------------------------------------------------------


def alone(out: Path, **options: Any) -> Path:
    """The run of a training by one process, with batches as large as those of two together."""
    given: dict[str, Any] = {"steps": STEPS, "batch_size": 16, "average": 0.9, "progress": False}
    fit(elastic_net(), recipe(), images(), accelerator="cpu", out=out, **given | options)
    return out


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes have found of every case, and the runs that they have left."""
    folder = tmp_path_factory.mktemp("sharded")
    alone(folder / "begun by one", stop_after=3)
    run_pair(sharded_trainings.both, folder)
    return folder


def of(folder: Path, case: str) -> list[Any]:
    """What each process has found of a case."""
    told = [json.loads((folder / f"{case}-{number}.json").read_text()) for number in (0, 1)]
    for one in told:
        assert "error" not in one, one["error"]
    return [one["found"] for one in told]


def tensors(run: Path) -> dict[str, Tensor]:
    newest = checkpoint.latest(run / "checkpoints")
    assert newest is not None
    assert newest.name == f"step-{STEPS:09d}.safetensors"
    return checkpoint.load(newest)[0]


pair = pytest.mark.slow  # processes of their own


@pair
def test_each_process_holds_half_of_weights_and_momentum(found: Path) -> None:
    held = [one["held"] for one in of(found, "counts")]
    parameters = dict(blocks_net().named_parameters())
    matrices = {name: p.nbytes for name, p in parameters.items() if p.ndim > 1}
    vectors = {name: p.nbytes for name, p in parameters.items() if p.ndim == 1}
    assert all(p.shape[0] % 2 == 0 for p in parameters.values()), "halves are meant"
    for one in held:
        assert one["weights"] == sum(matrices.values()) / 2 + sum(vectors.values())
        assert one["beside"] == 0, "the whole weights are still there"
        used = [sum(size for name, size in sizes.items() if _runs(name)) for sizes in (matrices, vectors)]
        assert one["momentum"] == used[0] / 2 + used[1]


def _runs(name: str) -> bool:
    """Whether a weight is of the architecture that `counts` trains."""
    return not name.startswith(("module.2.", "module.3.")) or "2.candidates.conv3" in name


@pair
def test_a_step_brings_what_runs_and_sums_its_gradients(found: Path) -> None:
    """Every matrix that runs forward and backward, its gradient once; in all, nothing else."""
    matrices = sum(p.nbytes for name, p in blocks_net().named_parameters() if _runs(name) and p.ndim > 1)
    for one in of(found, "counts"):
        assert len(one["steps"]) == 3
        for step in one["steps"]:
            assert step == {"gathered": 2 * matrices, "summed": matrices}


@pair
def test_no_whole_weight_is_kept_for_the_backward_pass(found: Path) -> None:
    for one in of(found, "keeps_nothing"):
        assert one["read"] == 6
        assert one["alive"] == 0
        assert one["kept"] == {"whole": 0, "place": 3}, "two convolutions and a linear layer need theirs again"
        assert one["off"] < 1e-5
        assert one["layouts"] == ["_Parameters"]


@pair
def test_weights_that_no_path_uses_stay_as_they_are(found: Path) -> None:
    used = sorted(name for name in blocks_net().state_dict() if not name.startswith(("module.2.", "module.3.")))
    first, second = of(found, "leaves_unused")
    assert first == second
    assert first == sorted([*used, "module.2.candidates.conv1.weight", "module.2.candidates.conv1.bias"])


@pair
def test_micro_batches_change_rounding_alone(found: Path) -> None:
    assert 0 < max(of(found, "small_pieces")) < 1e-5


@pair
def test_a_resumed_training_ends_with_the_same_bits(found: Path) -> None:
    of(found, "resumes")
    whole, torn = tensors(found / "whole"), tensors(found / "torn")
    assert whole.keys() == torn.keys()
    assert {name.split("/")[0] for name in whole} == {"net", "average", "optimizer"}
    assert all(torch.equal(tensor, torn[name]) for name, tensor in whole.items())


@pair
def test_checkpoints_are_those_of_one_process(found: Path, tmp_path: Path) -> None:
    """One process may end what two have begun, and two what one has begun; all files hold the same."""
    of(found, "goes_on")
    expected = tensors(alone(tmp_path / "alone"))
    shutil.copytree(found / "begun by two", tmp_path / "two")
    ended = [tensors(found / "begun by one"), tensors(alone(tmp_path / "two", resume=True))]
    for one in (*ended, tensors(found / "whole")):
        assert one.keys() == expected.keys()
        for name, tensor in expected.items():
            assert one[name].shape == tensor.shape
            torch.testing.assert_close(one[name], tensor, atol=2e-5, rtol=2e-3)
    net = elastic_net(seed=1)
    load_weights(net, found / "whole")
    assert torch.equal(net.get_parameter("module.0.weight"), tensors(found / "whole")["average/module.0.weight"])


@pair
def test_once_for_all_is_that_of_whole_weights(found: Path) -> None:
    for one in of(found, "once_for_all"):
        assert one["differ"] < 1e-5
        assert one["moved"] > 1e-2


@pair
def test_monitors_and_log_say_the_same(found: Path) -> None:
    for rows in of(found, "measures"):
        assert len(rows["ddp"]) == len(rows["fsdp"]) == 2
        for expected, row in zip(rows["ddp"], rows["fsdp"], strict=True):
            assert row == pytest.approx(expected, rel=1e-4, abs=1e-6)
        assert "conflict/momentum" in rows["fsdp"][-1]


SENTENCES = {
    "copies": "UsageError: This method copies the network in the middle of a step, while processes share its weights",
    "lists": "UsageError: This method reads weights elsewhere than in layers",
    "shares": "UsageError: The part 'inside' has parameters of the supernet, which processes were to share out",
    "recurrent": "UsageError: The layer module.memory is torch's LSTM, which keeps a list of its weights for itself",
    "loss": "NotFiniteError: The loss became nan at step 0",
    "piece": "RunError: The weights of module.4.bias are no longer finite after step 1.",
}


@pair
@pytest.mark.parametrize("name", SENTENCES)
def test_what_cannot_be_is_said_by_both(name: str, found: Path) -> None:
    first, second = (one[name] for one in of(found, "refuses"))
    assert first.startswith(SENTENCES[name])
    assert second == first
    if first.startswith("UsageError"):
        assert first.endswith("Train it with strategy='ddp', where every process holds all weights.")
