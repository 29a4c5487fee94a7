"""Small data and supernets for every task: a few steps teach them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from supernet import OpChoice, Supernet
from supernet.data import Data, from_datasets
from supernet.nn import batch_norm
from supernet.nn.batch import Batch
from supernet.nn.output import Output
from supernet.tasks import Classification, Detection, Joint, MultiLabel, Regression, Segmentation, Task

torch.set_num_threads(1)

SIDE = 16


@dataclass(frozen=True)
class Case:
    """A task with data, a supernet that learns it, and an answer that guessing gives.

    Attributes:
        task: The task.
        classes: Class names of the data.
        target: Of the targets of `squares` those that the task asks for.
        heads: Builds what follows 16 feature maps of 8x8.
        guess: The first score of a network that knows nothing.
    """

    task: Task
    classes: tuple[str, ...]
    target: Callable[[Mapping[str, Tensor]], Any]
    heads: Callable[[], nn.Module]
    guess: float


class Named(nn.Module):
    """Heads by name, side by side."""

    def __init__(self, **heads: nn.Module) -> None:
        super().__init__()
        self.heads = nn.ModuleDict(heads)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {name: head(x) for name, head in self.heads.items()}


def pooled(outputs: int) -> nn.Module:
    return nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(64, outputs))


def dense(outputs: int, *, background: float = 0.0) -> nn.Conv2d:
    head = nn.Conv2d(16, outputs, 1)
    nn.init.constant_(head.bias, -background)
    return head


CASES: Mapping[str, Case] = {
    "classification": Case(Classification(), ("none", "dark", "bright"), lambda y: y["label"], lambda: pooled(3), 0.4),
    "multi_label": Case(MultiLabel(), ("dark", "bright"), lambda y: y["given"], lambda: pooled(2), 0.6),
    "regression": Case(Regression(values=2, unit="px"), (), lambda y: y["centre"], lambda: pooled(2), 4.0),
    "segmentation": Case(Segmentation(), ("none", "dark", "bright"), lambda y: y["mask"], lambda: dense(3), 0.33),
    "detection": Case(
        Detection(),
        ("dark", "bright"),
        lambda y: {"boxes": y["boxes"], "labels": y["labels"]},
        lambda: Named(logits=dense(7, background=2.0), coarse=nn.Sequential(nn.AvgPool2d(2), dense(7, background=2.0))),
        0.05,
    ),
    "joint": Case(
        Joint({"mask": (Segmentation(), 1.0), "label": (Classification(), 0.5)}, rank_by="label.accuracy"),
        ("none", "dark", "bright"),
        lambda y: {"mask": y["mask"], "label": y["label"]},
        lambda: Named(mask=dense(3), label=pooled(3)),
        0.4,
    ),
}
"""By the name of the task."""


class Squares:
    """Images of 16x16 with a dark square, a bright one or none, and everything that can be asked of them."""

    def __init__(self, n: int, seed: int, target: Callable[[Mapping[str, Tensor]], Any]) -> None:
        rng = torch.Generator().manual_seed(seed)
        self.x = 0.3 * torch.randn(n, 1, SIDE, SIDE, generator=rng)
        kinds = torch.randint(0, 3, (n,), generator=rng)
        corners, sides = torch.randint(0, 9, (n, 2), generator=rng), torch.randint(4, 8, (n,), generator=rng)
        self.y = []
        for image, kind, (top, left), side in zip(self.x, kinds, corners, sides, strict=True):
            place = slice(int(top), int(top + side)), slice(int(left), int(left + side))
            mask = torch.zeros(SIDE, SIDE, dtype=torch.int64)
            if kind:
                image[0][place] += -2.0 if kind == 1 else 2.0
                mask[place] = kind
            box = torch.stack([left, top, left + side, top + side]).float()
            some = kind > 0
            told = {
                "label": kind,
                "given": torch.stack([kind == 1, kind == 2]).float(),
                "centre": torch.stack([(left + side / 2) * some, (top + side / 2) * some]),
                "mask": mask,
                "boxes": torch.stack([box * some, torch.zeros(4)]),
                "labels": torch.stack([kind - 1, torch.tensor(-1)]),
            }
            self.y.append(target(told))

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        return self.x[index], self.y[index]


@cache
def squares(name: str, n: int = 192) -> Data:
    """The data of a task."""
    case = CASES[name]
    made = (Squares(count, seed, case.target) for seed, count in enumerate((n, 64, 32)))
    return from_datasets(*made, task=case.task, classes=case.classes, name="squares")


def task_net(name: str, *, seed: int = 0) -> Supernet:
    """A supernet with two choices for a task."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)

        def convolution(kernel: int) -> nn.Module:
            return nn.Sequential(
                nn.Conv2d(16, 16, kernel, padding=kernel // 2, bias=False),
                batch_norm(16, statistics="track"),
                nn.ReLU(),
            )

        blocks = [OpChoice(f"block{i}", {"conv3": convolution(3), "conv5": convolution(5)}) for i in range(2)]
        stem = [nn.Conv2d(1, 16, 3, padding=1, stride=2), batch_norm(16, statistics="track"), nn.ReLU()]
        return Supernet(nn.Sequential(*stem, *blocks, CASES[name].heads()))


def answered(name: str, n: int = 6, *, seed: int = 0) -> tuple[Output, Batch]:
    """What an untrained network returns for a batch."""
    from supernet.nn.output import as_output

    net = task_net(name, seed=seed).eval()
    batch = next(squares(name).train.batches(n))
    with torch.no_grad():
        return as_output(net(batch.x, net.space.largest())), batch
