"""Trainings that run in processes of their own: to be killed, or to train together."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import socket
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from family_trainings import FAMILIES
from small_nets import images, operations_net, plain_net, sgd
from supernet import Choice, ElasticConv2d, OpChoice, Supernet
from supernet.data import FewerClasses, ImageData
from supernet.errors import RunError
from supernet.methods import darts, fairnas, mean_teacher, nasvit, pi_nas, spos, sum_nas
from supernet.nn.channels import Channels
from supernet.train import Context, Edit, Phase, ProjectLargest, Recipe, Step, adam, fit

STEPS = 160


def context() -> ForkServerContext:
    """Processes that start from one that has imported everything: no second of `import torch` for each."""
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(["lightning_fabric", "supernet.data", "supernet.methods", "safetensors.torch"])
    return forking


def to_be_killed(run: Path) -> None:
    """A second-order DARTS training that writes a checkpoint after every step."""
    fit(
        operations_net(),
        darts(order=2, architecture=adam(0.01, betas=(0.5, 0.999), weight_decay=1e-3)).with_weights(lr=0.1),
        images(),
        steps=STEPS,
        batch_size=8,
        out=run,
        resume=True,
        accelerator="cpu",
        checkpoint_every=1,
        log_every=7,
        progress=False,
    )


def shared_recipe(name: str) -> Recipe:
    """Without momentum and clipping: rounding errors stay as small as they are."""
    if name in FAMILIES:
        return FAMILIES[name].recipe()
    if name == "fairnas":
        return replace(fairnas(), weights=sgd(0.2))
    if name == "sum_nas":
        return replace(sum_nas(inner_momentum=0.0, inner_lr=0.2), weights=sgd(1.0))
    if name == "spine":
        return two_phases()
    if name == "rewriting":
        return growing_recipe()
    if name == "nasvit":  # gradients that are joined by more than a sum
        return replace(nasvit(mixed=None, combine=ProjectLargest(begin=0.0)), weights=sgd(0.2))
    if name == "pi_nas":  # a queue that takes the keys of all processes, a teacher and a neck beside the supernet
        rates = {"weights": sgd(0.2), "head": sgd(0.2)}
        return pi_nas(queue=64, hidden=8, width=4, decay=0.5, views=2, linear_epochs=50, **rates)
    recipe = darts(order=2, first="weights")
    return replace(
        recipe, weights=sgd(0.2), parts={"architecture": replace(recipe.parts["architecture"], updates=sgd(5.0))}
    )


@dataclass(frozen=True)
class Perturb:
    """Noise on the weights, a rating, and a decision in the end."""

    def __call__(self, context: Context) -> dict[str, float]:
        with context.step.seeded("noise"), torch.no_grad():
            for parameter in context.net.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.02)
        if context.step.done == 4:
            context.restriction.decide("block", "conv1")
        rated = context.step.rate([context.net.space.smallest()], data="train")
        return {"rated": rated[0]}


def half(data: ImageData) -> ImageData:
    """Five classes of ten."""
    return FewerClasses((0, 2, 4, 6, 8))(data)


def two_phases() -> Recipe:
    """A teacher, an edit that draws and rates, and a second phase with other images, batches and rates."""
    inner = replace(fairnas(), weights=sgd(0.2))
    taught = mean_teacher(inner, decay=0.5, weight=1.0)
    phases = (
        Phase(name="first", share=1, program=taught.programs[0], edits=(Edit(name="perturb", apply=Perturb()),)),
        Phase(
            name="second",
            share=1,
            program=mean_teacher(replace(spos(), weights=sgd(0.2)), weight=1.0).programs[0],
            updates={"weights": sgd(0.1)},
            batch=0.5,
            data=half,
            edits=(Edit(name="perturb", apply=Perturb(), every=2),),
        ),
    )
    return replace(taught, program=phases)


class Growing(nn.Module):
    """Filters with a name, and as many blocks as it is built with."""

    def __init__(self, blocks: int, choice: Choice) -> None:
        super().__init__()
        hidden = Channels("hidden", 8)
        self.stem, self.read = ElasticConv2d(1, hidden, 3, stride=2), ElasticConv2d(hidden, 6, 1)
        self.blocks = nn.Sequential(
            *(OpChoice(choice, {"conv": nn.Conv2d(6, 6, 3, padding=1), "skip": nn.Identity()}) for _ in range(blocks))
        )
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 10))
        self.choice = choice

    def rebuilt(self, blocks: int) -> nn.Module:
        return Growing(blocks, self.choice)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.blocks(self.read(self.stem(x).relu()).relu()))
        return out


def shared_net(name: str, seed: int = 0) -> Supernet:
    if name in FAMILIES:
        return FAMILIES[name].net(seed)
    if name != "rewriting":
        return plain_net(seed=seed)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return Supernet(Growing(1, Choice("block", ("conv", "skip"))))


@dataclass(frozen=True)
class Cut:
    """Of the filters those of the largest weights stay, in this order; once there are four, the first one twice."""

    def __call__(self, context: Context) -> None:
        assert context.rewriter is not None
        weight = context.net.get_parameter("module.stem.weight")
        order = weight.detach().square().sum((1, 2, 3)).argsort(descending=True).tolist()
        context.rewriter.take("hidden", order[:-2] if len(order) > 4 else [*order, order[0]], share=True)


@dataclass(frozen=True)
class Grow:
    """Three blocks."""

    def __call__(self, context: Context) -> None:
        assert context.rewriter is not None
        context.rewriter.rebuild({"blocks": 3})


def growing_recipe() -> Recipe:
    """Filters are cut, the network is built anew with more blocks, and they are cut again until some are doubled."""
    recipe = replace(fairnas(), weights=sgd(0.2))
    edits = (Edit(name="cut", apply=Cut()),)
    phases = (
        Phase(name="cut", share=1, program=recipe.programs[0], edits=edits),
        Phase(name="grown", share=1, program=recipe.programs[0], enter=Grow(), edits=edits),
    )
    return replace(recipe, program=phases)


def together(
    net: Supernet,
    name: str,
    *,
    batch_size: int,
    devices: int = 1,
    out: Path | None = None,
    strategy: str = "ddp",
    **more: Any,
) -> Supernet:
    """The net of a training of a few steps, on one or several processes."""
    family = FAMILIES.get(name)
    trained = fit(
        net,
        shared_recipe(name),
        images(),
        steps=6 if family is None else family.steps,
        batch_size=batch_size,
        out=out,
        accelerator="cpu",
        devices=devices,
        strategy=strategy if devices > 1 else "auto",
        progress=False,
        **more,
    )
    return trained.net


def launched(number: int, port: int) -> None:
    """Make this process one of two, as torchrun would."""
    os.environ |= {
        "LOCAL_RANK": str(number),
        "NODE_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def rank(number: int, port: int, folder: Path, names: Sequence[str], strategies: Sequence[str]) -> None:
    """One of two processes, each of which begins with other weights; what goes wrong in a training is written down."""
    launched(number, port)
    for name, strategy in itertools.product(names, strategies):
        place = folder / f"{name}-{strategy}"
        try:
            net = together(shared_net(name, seed=number), name, batch_size=8, devices=2, out=place, strategy=strategy)
            weights = {key: tensor.contiguous() for key, tensor in net.state_dict().items()}  # of whatever layout
            safetensors.torch.save_file(
                {key: tensor.clone() for key, tensor in weights.items()},
                folder / f"{name}-{strategy}-{number}.safetensors",
            )
        except Exception:  # the next one is another matter
            (folder / f"{name}-{strategy}-{number}.error").write_text(traceback.format_exc())


class Leaves:
    """A monitor with which the process ends, as if it were killed, after the third step."""

    every = 3

    def __call__(self, step: Step) -> dict[str, float]:
        os._exit(9)


def left_alone(number: int, port: int, folder: Path) -> None:
    """One of two processes, of which the second ends within the training; the first writes down what it is told."""
    launched(number, port)
    common = {"steps": 6, "batch_size": 8, "accelerator": "cpu", "devices": 2, "strategy": "ddp", "progress": False}
    try:
        fit(plain_net(), shared_recipe("fairnas"), images(), monitors=[Leaves()] if number else [], **common)  # type: ignore[arg-type]
    except RunError as error:
        (folder / "told").write_text(str(error))


def run_pair(function: Callable[..., None], *arguments: Any) -> None:
    """Have two processes run `function(number, port, *arguments)`, and see that both end well."""
    port = free_port()
    processes = [context().Process(target=function, args=(number, port, *arguments)) for number in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(900)
    ended = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
        process.join()
        process.close()
    assert ended == [0, 0], f"the processes have ended with {ended}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
