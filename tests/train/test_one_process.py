"""A training in this process alone: what Fabric would do, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import supernet.train.processes.launch as launching
from small_nets import images, operations_net
from supernet.errors import UsageError
from supernet.methods import darts, sandwich
from supernet.train import Recipe, checkpoint, fit
from supernet.train.processes._one_process import OneProcess, is_alone
from supernet.train.processes.launch import launch, precision_of

CPU = {"accelerator": "cpu", "devices": 1, "strategy": "auto"}


def trained(recipe: Recipe, precision: str, out: Path) -> dict[str, torch.Tensor]:
    fit(operations_net(), recipe, images(), steps=6, batch_size=16, accelerator="cpu", precision=precision,
        micro_batch=5, average=0.9, progress=False, seed=3, out=out)  # fmt: skip
    newest = checkpoint.latest(out / "checkpoints")
    assert newest is not None
    return checkpoint.load(newest)[0]


@pytest.mark.parametrize("recipe", [sandwich(), darts()], ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_it_trains_as_fabric_does(
    recipe: Recipe, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = trained(recipe, precision, tmp_path / "alone")
    launched: list[str] = []
    with_fabric = launching._launched

    def launch_fabric(**asked: object) -> object:
        launched.append(str(asked["precision"]))
        return with_fabric(**asked)  # type: ignore[arg-type]

    monkeypatch.setattr(launching, "is_alone", lambda **_: False)
    monkeypatch.setattr(launching, "_launched", launch_fabric)
    fabric = trained(recipe, precision, tmp_path / "fabric")
    assert launched == [precision]
    assert alone.keys() == fabric.keys()
    assert all(torch.equal(alone[name], fabric[name]) for name in alone)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_it_says_of_itself_what_fabric_says(precision: str) -> None:
    alone = launch(**CPU, precision=precision)  # type: ignore[arg-type]
    fabric = launching._launched(**CPU, precision=precision)  # type: ignore[arg-type]
    assert isinstance(alone, OneProcess)
    assert precision_of(alone) == precision_of(fabric) == precision
    for name in ("device", "world_size", "global_rank", "is_global_zero"):
        assert getattr(alone, name) == getattr(fabric, name), name
    x = torch.ones(2, 2)
    for one in (alone, fabric):
        with one.autocast():
            assert (x @ x).dtype == (torch.float32 if precision == "32-true" else torch.bfloat16)
        assert torch.equal(torch.as_tensor(one.all_reduce(x, reduce_op="sum")), x)
        assert torch.equal(torch.as_tensor(one.all_gather(x)), x)
        one.barrier()


def test_what_is_more_than_one_process_on_the_cpu_is_left_to_fabric(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LT_DEVICES", "LT_ACCELERATOR", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert is_alone(accelerator="cpu", devices=1, strategy="auto")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert is_alone(accelerator="auto", devices=1, strategy="auto")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    assert not is_alone(accelerator="auto", devices=1, strategy="auto")
    assert is_alone(accelerator="cpu", devices=1, strategy="auto")
    for changed in ({"accelerator": "cuda"}, {"accelerator": "tpu"}, {"devices": 2}, {"strategy": "ddp"}):
        assert not is_alone(**{**CPU, **changed}), changed  # type: ignore[arg-type]
    for name, value in (("LT_DEVICES", "2"), ("WORLD_SIZE", "1")):
        with monkeypatch.context() as told:
            told.setenv(name, value)
            assert not is_alone(accelerator="cpu", devices=1, strategy="auto"), name


def test_what_fabric_refuses_is_refused_as_before() -> None:
    for asked in ({**CPU, "accelerator": "abacus"}, {**CPU, "strategy": "fsdp"}, {**CPU, "devices": 0}):
        with pytest.raises(UsageError):
            launch(**asked, precision="32-true")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="64-true"):
        launch(**CPU, precision="64-true")  # type: ignore[arg-type]
