"""Small searches of a small supernet that is trained meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from small_nets import images
from supernet import OpChoice, Supernet, search
from supernet.measure import Calibration, NetEvaluator
from supernet.nn import batch_norm
from supernet.search import Front, Shifting
from supernet.train import checkpoint

BLOCKS = 4


def blocks_net(*, seed: int = 0, dropout: float = 0.0, statistics: str = "track") -> Supernet:
    """Four choice blocks of three operations: 81 architectures."""

    def convolution(kernel: int) -> nn.Sequential:
        norm = batch_norm(4, statistics=statistics)  # type: ignore[arg-type]
        return nn.Sequential(nn.Conv2d(4, 4, kernel, padding=kernel // 2, bias=False), norm, nn.ReLU())

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        blocks = [
            OpChoice(f"block{i}", {"conv3": convolution(3), "conv1": convolution(1), "skip": nn.Identity()})
            for i in range(BLOCKS)
        ]
        head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(dropout), nn.Linear(16, 10))
        return Supernet(nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, stride=2), *blocks, head))


def evaluator(net: Supernet | None = None) -> NetEvaluator:
    """Accuracy on 48 images after a calibration on 32."""
    found = blocks_net() if net is None else net
    return NetEvaluator(found, images().sealed(), calibration=Calibration(images=32, batch_size=16), images=48)


def evolve(
    asked: NetEvaluator, wrap: Shifting | None, *, budget: int = 24, population: int = 6, **options: Any
) -> Front:
    """A few generations."""
    half = population // 2
    searcher = search.Evolution(
        population=population, parents=max(half, 1), mutations=half or 1, crossovers=half, mutation_p=0.3
    )
    return search.run(searcher, asked, budget=budget, wrap=wrap, **options)


def weights(net: Supernet) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in net.state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Bit for bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def files(folder: Path) -> tuple[dict[str, bytes], dict[str, object], dict[str, torch.Tensor]]:
    """What a finished search leaves behind, but for the states that it would resume from."""
    names = ("search.jsonl", "front.json", "shifted/shifting.jsonl")
    newest = checkpoint.latest(folder / "shifted" / "checkpoints")
    assert newest is not None
    tensors, meta = checkpoint.load(newest)
    return {name: (folder / name).read_bytes() for name in names}, meta, tensors


def alike(first: Path, second: Path) -> bool:
    """Whether two searches left the same, bit for bit."""
    (texts, meta, tensors), (others, facts, values) = files(first), files(second)
    return texts == others and meta == facts and same(tensors, values)


class Interrupted(NetEvaluator):
    """Dies when it is asked for its n-th evaluation, counted from 0."""

    def __init__(self, net: Supernet, after: int) -> None:
        super().__init__(net, images().sealed(), calibration=Calibration(images=32, batch_size=16), images=48)
        self.left = after

    def evaluate(self, arch: Any, names: Any) -> dict[str, float]:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        return super().evaluate(arch, names)


def to_be_killed(out: Path) -> None:
    """A search that goes on where it was killed."""
    torch.set_num_threads(1)
    evolve(evaluator(blocks_net(dropout=0.1)), KILLED, budget=60, out=out, resume=True)


KILLED = Shifting(lr=0.05, images=32, batch_size=16, momentum=0.9, update="candidate", keep=8, checkpoint_every=1)
