"""One short training for each family of methods, of networks whose gradient of a batch is the mean of its images'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from small_nets import images, plain_net, sgd
from supernet import Choice, ElasticConv2d, ElasticDepth, ElasticLinear, OpChoice, Supernet
from supernet.data import Clients, Data
from supernet.methods import dna, dynas, enas, fbnetv5, gm_nas, greedynas, k_shot, sandwich, spos
from supernet.nn import Mutable
from supernet.train import (
    FederatedRounds,
    IIDClients,
    LocalWork,
    Recipe,
    RewardsByTask,
    StageLoss,
    TappedTeacher,
    adam,
)
from supernet.train.programs.federated_rounds import federation_parts


def blocks_net(seed: int = 0) -> Supernet:
    """Two blocks of three operations each."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        blocks = [
            OpChoice(
                f"block{i}",
                {"conv3": nn.Conv2d(4, 4, 3, padding=1), "conv1": nn.Conv2d(4, 4, 1), "skip": nn.Identity()},
            )
            for i in range(2)
        ]
        head = [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 10)]
        return Supernet(nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, stride=2), nn.Tanh(), *blocks, nn.Tanh(), *head))


def elastic_net(seed: int = 0) -> Supernet:
    """Elastic widths, kernel and depth; sizes that two processes cannot halve."""
    width, depth = Choice("width", (3, 5, 7)), Choice("depth", (0, 1))
    kernel = Choice("kernel", (1, 3, 5), when=depth > 0)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return Supernet(
            nn.Sequential(
                ElasticConv2d(1, width, 3, stride=2),
                nn.Tanh(),
                ElasticDepth(depth, [nn.Sequential(ElasticConv2d(width, width, kernel), nn.Tanh())]),
                nn.Flatten(),
                ElasticLinear(width * 16, 10),
            )
        )


class _Stages(nn.Module):
    """A stem and three stages of one choice each."""

    stage_names = (("stem", "one"), ("two",), ("three",))

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.Tanh())
        self.one, self.two, self.three = (self._stage(name) for name in "abc")
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))

    def _stage(self, name: str) -> OpChoice:
        kernels = {f"conv{k}": nn.Sequential(nn.Conv2d(4, 4, k, padding=k // 2), nn.Tanh()) for k in (1, 3)}
        return OpChoice(name, kernels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.three(self.two(self.one(self.stem(x)))))
        return out


def stages_net(seed: int = 0) -> Supernet:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return Supernet(_Stages(), input_shape=(1, 8, 8))


class Scaled(nn.Conv2d, Mutable):
    """A convolution whose code reads its weight twice, and asks `get_parameter` for it."""

    def __init__(self, choice: Choice) -> None:
        super().__init__(4, 4, 1)
        self.choice = choice

    def forward(self, x: Tensor) -> Tensor:
        scale = self.selection.option(self.choice)
        weight = self.get_parameter("weight") * scale + self.weight.detach().mean()
        out: Tensor = self._conv_forward(x, weight, self.bias)
        return out

    def depends_on(self) -> tuple[Choice, ...]:
        return (self.choice,)

    def plain(self) -> nn.Module:
        raise NotImplementedError


def tied_net(seed: int = 0) -> Supernet:
    """A weight in two places, one that is frozen, and one that is too small to be shared out."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        first, second = Scaled(Choice("scale", (1.0, 2.0))), nn.Conv2d(4, 4, 1)
        second.weight = first.weight
        assert second.bias is not None
        second.bias.requires_grad_(False)
        head = [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 10)]
        return Supernet(nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.PReLU(), first, second, nn.Tanh(), *head))


@dataclass(frozen=True)
class Family:
    """A training.

    Attributes:
        recipe: The method; rates without momentum, so that rounding errors stay as small as they are.
        net: Builds the network from a seed.
        steps: Steps of the training.
        learns: What has to have moved, by the largest change of an entry.
    """

    recipe: Callable[[], Recipe]
    net: Callable[[int], Supernet] = blocks_net
    steps: int = 6
    learns: float = 1e-3

    @property
    def data(self) -> Data:
        return images()


def _federation() -> Recipe:
    program = FederatedRounds(program=spos().programs[0], work=LocalWork(epochs=1), fraction=0.5)
    return Recipe(
        name="fedavg",
        program=program,
        weights=sgd(0.2),
        parts=federation_parts(program.average),
        data=Clients(IIDClients(clients=4)),
    )


FAMILIES: Mapping[str, Family] = {
    "single path": Family(lambda: spos().with_weights(lr=0.2, per=None, momentum=0.5, weight_decay=0.01)),
    "sandwich": Family(
        lambda: sandwich().with_weights(lr=0.1, per=None, momentum=0.5, weight_decay=0.01, clip_norm=1.0), elastic_net
    ),
    "policy": Family(lambda: enas(updates=2, samples=2, derived=4).with_weights(lr=0.1)),
    "blockwise": Family(
        lambda: dna(
            teacher=TappedTeacher(),
            rates=(1.0, 2.5, 1.0),
            rating=StageLoss(kind="normalised", images=32),
            weights=sgd(0.3),
        ),
        stages_net,
        steps=9,
    ),
    "k-shot": Family(lambda: k_shot(replace(spos(), weights=sgd(0.2)), k=2)),
    "splits": Family(lambda: gm_nas(replace(spos(), weights=sgd(0.2)), epochs=(1, 1), repeats=2), steps=16),
    "dynamic": Family(lambda: dynas(replace(spos(), weights=sgd(0.2)))),
    "federation": Family(_federation, steps=12),
    "tasks": Family(
        lambda: fbnetv5(begin=0.0, rewards=RewardsByTask(worth="error", weight=0.0), weights=sgd(0.2)),
    ),
    "pool": Family(lambda: replace(greedynas(), weights=sgd(0.2))),
    "adam": Family(
        lambda: replace(sandwich(), weights=adam(0.01, weight_decay=0.1, decoupled=True)),
        elastic_net,
    ),
    "tied": Family(lambda: spos().with_weights(lr=0.2, per=None, momentum=0.5, weight_decay=0.01), tied_net),
    "decaying": Family(
        lambda: spos().with_weights(lr=0.2, per=None, weight_decay=0.05, inactive="decay"),
        lambda seed: plain_net(seed=seed),
    ),
}
