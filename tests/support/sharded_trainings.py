"""What two processes do that share weights out; each case leaves a file of what it has found."""

from __future__ import annotations

import copy
import json
import traceback
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from child_trainings import launched
from family_trainings import blocks_net, elastic_net
from small_nets import images, plain_net, sgd
from supernet import Supernet, zoo
from supernet.errors import RunError, UsageError
from supernet.methods import ofa, sandwich, spos
from supernet.nn import OpChoice
from supernet.train import (
    Context,
    CrossEntropy,
    Fixed,
    GradientConflict,
    Part,
    Recipe,
    Setting,
    SubnetScores,
    TrainPaths,
    adam,
    fit,
    shared_weight,
)
from supernet.train.move import Outcome
from supernet.train.processes import launch
from supernet.train.shared_weight import SharedWeight, local_of
from supernet.train.sharding import Sharding, mesh_of

STEPS = 6


def recipe() -> Recipe:
    """Sandwiches, by Adam with clipped gradients."""
    return replace(sandwich(), weights=adam(0.01, weight_decay=0.1, clip_norm=1.0))


def trained(net: Supernet, of: Recipe, **options: Any) -> Supernet:
    """The net of a training by two processes that share its weights out, unless told otherwise."""
    given: dict[str, Any] = {"steps": STEPS, "batch_size": 8, "devices": 2, "strategy": "fsdp", "progress": False}
    return fit(net, of, images(), accelerator="cpu", **given | options).net


# -- cases -----------------------------------------------------------------------------------------------


def resumes(number: int, folder: Path) -> Any:
    """The same training in one go and in two."""
    common: dict[str, Any] = {"average": 0.9, "checkpoint_every": 3}
    trained(elastic_net(), recipe(), out=folder / "whole", **common)
    trained(elastic_net(), recipe(), out=folder / "torn", stop_after=3, **common)
    trained(elastic_net(seed=1), recipe(), out=folder / "torn", resume=True, **common)


def goes_on(number: int, folder: Path) -> Any:
    """A training that one process has begun; and one that one process shall end."""
    trained(elastic_net(seed=1), recipe(), out=folder / "begun by one", resume=True, average=0.9)
    trained(elastic_net(), recipe(), out=folder / "begun by two", stop_after=3, average=0.9)


def counts(number: int, folder: Path) -> Any:
    """Bytes that this process holds of weights and momentum, and that a step brings and sums."""
    held: dict[str, int] = {}
    moved = {"gathered": 0, "summed": 0}
    before = shared_weight._gather_into, shared_weight._sum_into

    def gather(into: Tensor, mine: Tensor) -> None:
        moved["gathered"] += into.nbytes
        before[0](into, mine)

    def add(into: Tensor, mine: Tensor) -> None:
        moved["summed"] += mine.nbytes
        before[1](into, mine)

    def look(context: Context) -> str | None:
        stepper = context.steppers["weights"]
        held["weights"] = sum(local_of(p).nbytes for p in stepper.parameters)
        states = [state for state in stepper.states[0].values()]
        held["momentum"] = sum(local_of(state["momentum_buffer"]).nbytes for state in states)
        return None

    net = blocks_net()
    arch = net.space.arch({"block0": "conv3", "block1": "skip"})
    alone = Recipe(name="one", program=TrainPaths(sampler=Fixed(arch)), weights=sgd(0.1, momentum=0.9))
    per_step = []
    shared_weight._gather_into, shared_weight._sum_into = gather, add  # type: ignore[assignment]

    def until(context: Context) -> str | None:
        per_step.append(dict(moved))
        moved.update(gathered=0, summed=0)
        return look(context)

    try:
        trained(net, alone, until=until, steps=3, micro_batch=None)
    finally:
        shared_weight._gather_into, shared_weight._sum_into = before
    return {"held": held, "steps": per_step}


def keeps_nothing(number: int, folder: Path) -> Any:
    """How many whole weights are alive between a forward and its backward pass; gradients against those of one."""
    plain, net = elastic_net(), elastic_net()
    fabric = launch(accelerator="cpu", devices=2, strategy="fsdp", precision="32-true")
    x = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(number))
    arch = net.space.arch({"width": 5, "depth": 1, "kernel": 3})
    sharding, read = Sharding(net, mesh_of(fabric), []), []
    usual = SharedWeight.read

    def watched(weight: SharedWeight) -> Tensor:
        whole = usual(weight)
        read.append(weakref.ref(whole))
        return whole

    SharedWeight.read = watched  # type: ignore[method-assign]
    try:
        with sharding.read_whole():
            loss = net(x, arch).square().sum()
            alive = sum(one() is not None for one in read)
            loss.backward()
    finally:
        SharedWeight.read = usual  # type: ignore[method-assign]
    net_gradients = [shared_weight.whole_of(p.grad) for p in net.parameters() if p.grad is not None]
    plain(x, arch).square().sum().backward()
    off = 0.0
    for mine, gradient in zip(net_gradients, [p.grad for p in plain.parameters()], strict=True):
        assert gradient is not None
        torch.distributed.all_reduce(gradient)
        off = max(off, float((mine - gradient / 2).abs().max()))
    layouts = [type(module._parameters).__name__ for module in net.modules()]
    return {"alive": alive, "read": len(read), "off": off, "layouts": sorted(set(layouts))}


def once_for_all(number: int, folder: Path) -> Any:
    """Phases, sorted channels, a teacher that is taken on the way, elastic kernels that are transformed."""
    found = {}
    for strategy in ("ddp", "fsdp"):
        net = zoo.ofa_mbv3(width=0.1, classes=10, in_channels=1, resolution=8) if False else small_ofa()
        net = trained(net, ofa(epochs=None) if False else small_ofa_recipe(), steps=14, strategy=strategy)
        found[strategy] = net.state_dict()
    return max(float((found["ddp"][k].double() - found["fsdp"][k].double()).abs().max()) for k in found["ddp"])
