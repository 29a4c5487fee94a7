"""What two processes do that share weights out; each case leaves a file of what it has found."""

from __future__ import annotations

import copy
import json
import traceback
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from child_trainings import launched
from family_trainings import blocks_net, elastic_net
from small_nets import images, plain_net, sgd
from supernet import OpChoice, Supernet, zoo
from supernet.errors import RunError, UsageError
from supernet.methods import ofa, sandwich, spos
from supernet.methods.elastic.ofa import Stage
from supernet.train import (
    Context,
    CrossEntropy,
    Fixed,
    GradientConflict,
    Monitor,
    Part,
    Recipe,
    Setting,
    SubnetScores,
    TrainPaths,
    Updates,
    adam,
    fit,
)
from supernet.train.move import Outcome
from supernet.train.processes import shared_weight
from supernet.train.processes.exchange import average
from supernet.train.processes.launch import launch
from supernet.train.processes.sharding import Sharding, mesh_of
from supernet.train.processes.shared_weight import SharedWeight, local_of
from supernet.zoo.elastic.ofa_mobilenetv3 import TINY

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


ORIGINALS: list[nn.Parameter] = []
"""The parameters that the network of `counts` was given with."""


@dataclass(frozen=True)
class Watch:
    """Asked after each step whether to end, it looks at what the process holds, and what it has sent in this step."""

    moved: dict[str, int]
    held: dict[str, int] = field(default_factory=dict)
    steps: list[dict[str, int]] = field(default_factory=list)

    def __call__(self, context: Context) -> str | None:
        stepper = context.steppers["weights"]
        self.held["weights"] = sum(local_of(p).nbytes for p in stepper.parameters)
        self.held["momentum"] = sum(local_of(state["momentum_buffer"]).nbytes for state in stepper.states[0].values())
        self.held["beside"] = sum(p.nbytes for p in ORIGINALS)
        self.steps.append(dict(self.moved))
        self.moved.update(gathered=0, summed=0)
        return None


def counts(number: int, folder: Path) -> Any:
    """Bytes that this process holds of weights and momentum, and that a step brings and sums."""
    moved = {"gathered": 0, "summed": 0}
    watch = Watch(moved)
    before = shared_weight._gather_into, shared_weight._sum_into

    def gather(into: Tensor, mine: Tensor) -> None:
        moved["gathered"] += into.nbytes
        before[0](into, mine)

    def add(into: Tensor, mine: Tensor) -> None:
        moved["summed"] += mine.nbytes
        before[1](into, mine)

    net = blocks_net()
    ORIGINALS.extend(net.parameters())
    arch = net.space.arch({"block0": "conv3", "block1": "skip"})
    alone = Recipe(name="one", program=TrainPaths(sampler=Fixed(arch)), weights=sgd(0.1, momentum=0.9))
    shared_weight._gather_into, shared_weight._sum_into = gather, add

    try:
        trained(net, alone, until=watch, steps=3)
    finally:
        shared_weight._gather_into, shared_weight._sum_into = before
    return {"held": watch.held, "steps": watch.steps}


def keeps_nothing(number: int, folder: Path) -> Any:
    """What is kept of whole weights between a forward and its backward pass; gradients against those of one."""
    plain, net = elastic_net(), elastic_net()
    fabric = launch(accelerator="cpu", devices=2, strategy="fsdp", precision="32-true")
    x = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(number))
    arch = net.space.arch({"width": 5, "depth": 1, "kernel": 3})
    sharding, read = Sharding(net, mesh_of(fabric), []), []
    usual, pack = SharedWeight.read, sharding._pack
    kept = {"whole": 0, "place": 0}

    def packed(tensor: Tensor) -> Any:
        found = pack(tensor)
        kept["whole"] += isinstance(found, Tensor) and sharding.behind(found) is not None
        kept["place"] += not isinstance(found, Tensor)
        return found

    sharding._pack = packed  # type: ignore[method-assign]

    def watched(weight: SharedWeight) -> Tensor:
        whole = usual(weight)
        read.append(weakref.ref(whole))
        return whole

    SharedWeight.read = watched  # type: ignore[method-assign, assignment]
    try:
        with sharding.read_whole():
            loss = net(x, arch).square().sum()
            alive = sum(one() is not None for one in read)
            loss.backward()
    finally:
        SharedWeight.read = usual  # type: ignore[method-assign]
    average(fabric, [p.grad for p in net.parameters() if p.grad is not None])
    net_gradients = [shared_weight.whole_of(p.grad) for p in net.parameters() if p.grad is not None]
    plain(x, arch).square().sum().backward()
    off = 0.0
    for mine, gradient in zip(net_gradients, [p.grad for p in plain.parameters()], strict=True):
        assert gradient is not None
        torch.distributed.all_reduce(gradient)
        off = max(off, float((mine - gradient / 2).abs().max()))
    layouts = [type(module._parameters).__name__ for module in net.modules()]
    return {"alive": alive, "kept": kept, "read": len(read), "off": off, "layouts": sorted(set(layouts))}


def once_for_all(number: int, folder: Path) -> Any:
    """Phases, sorted channels, a teacher that is taken on the way, kernels that are transformed."""
    stages = tuple(Stage(kind, None, 1, 0.25, 1.0, 1) for kind in ("kernel", "depth", "expansion"))
    method = ofa(largest=Stage("largest", None, 1, 0, 1.0, 1), stages=stages)
    found = []
    for strategy in ("ddp", "fsdp"):
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(0)
            net = zoo.ofa_mobilenetv3(**TINY, num_classes=10, in_channels=1, image_size=8)
        start = {name: value.clone() for name, value in net.state_dict().items()}
        net = trained(net, method.with_weights(lr=0.1, per=None), strategy=strategy, steps=9)
        found.append(net.state_dict())
    differ = max(float((found[0][name].double() - value.double()).abs().max()) for name, value in found[1].items())
    moved = {name: float((value - start[name]).abs().max()) for name, value in found[1].items()}
    return {"differ": differ, "moved": max(moved.values())}


def measures(number: int, folder: Path) -> Any:
    """What monitors and the log say, by both strategies."""
    rows = {}
    for strategy in ("ddp", "fsdp"):
        monitors: list[Monitor] = [SubnetScores(images(), every=3), GradientConflict(images(), every=3, images=16)]
        done = fit(
            elastic_net(),
            recipe(),
            images(),
            steps=STEPS,
            batch_size=8,
            accelerator="cpu",
            devices=2,
            strategy=strategy,
            monitors=monitors,
            progress=False,
        )
        timed = ("seconds", "examples_per_s")
        rows[strategy] = [{key: value for key, value in row.items() if key not in timed} for row in done.history]
    return rows


def leaves_unused(number: int, folder: Path) -> Any:
    """Which weights have moved where one operation alone was ever trained, with momentum and weight decay."""
    net = blocks_net()
    start = {name: value.clone() for name, value in net.state_dict().items()}
    arch = net.space.arch({"block0": "conv1", "block1": "skip"})
    only = Recipe(name="one", program=TrainPaths(sampler=Fixed(arch)), weights=sgd(0.1, momentum=0.9, weight_decay=0.1))
    trained(net, only)
    return sorted(name for name, value in net.state_dict().items() if not torch.equal(value, start[name]))


def small_pieces(number: int, folder: Path) -> Any:
    """The largest difference that micro batches make."""
    found = [
        trained(elastic_net(), replace(sandwich(), weights=sgd(0.1)), micro_batch=size).state_dict()
        for size in (None, 2)
    ]
    return max(float((found[0][name] - value).abs().max()) for name, value in found[1].items())


# -- what is refused, and what goes wrong ----------------------------------------------------------------


@dataclass(frozen=True)
class Copies:
    """An objective that copies the network."""

    def __call__(self, outcome: Outcome) -> Tensor:
        copy.deepcopy(outcome.step.net)
        return CrossEntropy()(outcome)


@dataclass(frozen=True)
class Lists:
    """An objective that computes with the parameters of the network."""

    def __call__(self, outcome: Outcome) -> Tensor:
        first = next(outcome.step.net.parameters())
        found = CrossEntropy()(outcome)
        assert isinstance(found, Tensor)
        return found + (first * torch.ones(first.shape)).sum()


@dataclass(frozen=True)
class Broken:
    """A loss that is NaN on the second process alone."""

    def __call__(self, outcome: Outcome) -> Tensor:
        found = CrossEntropy()(outcome)
        assert isinstance(found, Tensor)
        return found * (float("nan") if torch.distributed.get_rank() else 1.0)


class Shares(nn.Module):
    """A part that is the head of the network itself."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head


def head_of(setting: Setting) -> nn.Module:
    assert isinstance(setting.net.module, nn.Sequential)
    return Shares(setting.net.module[-1])


class LastPiece(torch.optim.SGD):
    """An optimiser after which the piece of the second process is not finite."""

    def step(self, closure: Any = None) -> Any:
        super().step(closure)
        if torch.distributed.get_rank() == 1:
            local_of(self.param_groups[0]["params"][-1]).fill_(float("inf"))


def last_piece(groups: Any) -> torch.optim.Optimizer:
    return LastPiece(groups, lr=0.1)


class WithMemory(nn.Module):
    """A network with a recurrent layer of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.block = OpChoice("block", {"conv1": nn.Conv2d(1, 4, 1), "conv3": nn.Conv2d(1, 4, 3, padding=1)})
        self.memory = nn.LSTM(32, 4, batch_first=True)
        self.head = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.block(x).transpose(1, 2).flatten(2)
        out: Tensor = self.head(self.memory(rows)[0][:, -1])
        return out


def _with(objective: Any) -> Recipe:
    return replace(spos().with_objective(lambda _: objective), weights=sgd(0.1))


def refuses(number: int, folder: Path) -> Any:
    """What is said of trainings that cannot be, or that break on one process."""
    inside = replace(spos(), parts={"inside": Part(build=head_of)})
    asked: Mapping[str, Callable[[], Any]] = {
        "copies": lambda: trained(plain_net(), _with(Copies())),
        "lists": lambda: trained(plain_net(), _with(Lists())),
        "shares": lambda: trained(plain_net(), inside),
        "recurrent": lambda: trained(Supernet(WithMemory()), spos()),
        "loss": lambda: trained(plain_net(), _with(Broken())),
        "piece": lambda: trained(plain_net(), replace(spos(), weights=Updates(optimiser=last_piece)), steps=1),
    }
    told = {}
    for name, attempt in asked.items():
        try:
            attempt()
        except (UsageError, RunError) as error:
            told[name] = f"{type(error).__name__}: {error}"
        except Exception:
            told[name] = traceback.format_exc()
    return told


CASES: Mapping[str, Callable[[int, Path], Any]] = {
    case.__name__: case
    for case in (
        counts,
        keeps_nothing,
        leaves_unused,
        small_pieces,
        resumes,
        goes_on,
        once_for_all,
        measures,
        refuses,
    )
}


def both(number: int, port: int, folder: Path) -> None:
    """One of two processes: all cases, one after the other."""
    launched(number, port)
    for name, case in CASES.items():
        try:
            found = {"found": case(number, folder)}
        except Exception:
            found = {"error": traceback.format_exc()}
        (folder / f"{name}-{number}.json").write_text(json.dumps(found))
