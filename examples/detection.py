"""Detection of digits in scenes, by a small elastic pyramid of two levels with a dense head (FCOS).

python detection.py                                                           # all of it, a few minutes
supernet run --data detection:data --space detection:net --out runs/detection    # the same by the command line
"""

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet import (
    Choice,
    ElasticBatchNorm2d,
    ElasticConv2d,
    ElasticDepth,
    OpChoice,
    Supernet,
    deploy,
    judge,
    measure,
    search,
)
from supernet.data import Data, digit_scenes
from supernet.methods import spos
from supernet.space import Expr
from supernet.tasks import Detection
from supernet.train import Cosine, adam, fit


def data(*, scenes: int = 1000, seed: int = 0) -> Data:
    """Scenes of 48x48 with up to three digits of half size; a reach of 2 strides leaves large ones to the second level.

    For boxes of one's own a dataset returns (image, {"boxes": (M, 4), "labels": (M,)}) to `data.from_datasets`.
    """
    return digit_scenes(task="detection", scenes=scenes, size=48, downscale=2, seed=seed).for_task(Detection(reach=2.0))


def unit(c_in: Expr | int, c_out: Expr | int, kernel: int, *, stride: int = 1, groups: Expr | int = 1) -> nn.Module:
    """Convolution, normalisation, ReLU: (B, C_in, H, W) -> (B, C_out, H / stride, W / stride)."""
    convolution = ElasticConv2d(c_in, c_out, kernel, stride=stride, groups=groups, bias=False)
    return nn.Sequential(convolution, ElasticBatchNorm2d(c_out), nn.ReLU())


def stage(name: str, width: Expr) -> nn.Module:
    """One or two blocks, each of an operation of its own."""
    depth = Choice(f"{name}.depth", (1, 2))
    blocks = []
    for i in range(2):
        separable = nn.Sequential(unit(width, width, 5, groups=width), unit(width, width, 1))
        op = Choice(f"{name}.op{i}", ("conv3", "separable5"), when=depth > i if i else None)  # only where it runs
        blocks.append(OpChoice(op, {"conv3": unit(width, width, 3), "separable5": separable}))
    return ElasticDepth(depth, blocks)


class Detector(nn.Module):
    """(B, C, H, W) -> the dense answers of two levels, (B, K + 5, H / 4, W / 4) and (B, K + 5, H / 8, W / 8)."""

    def __init__(self, in_channels: int, outputs: int) -> None:
        super().__init__()
        fine, coarse = Choice("fine", (16, 24, 32)), Choice("coarse", (24, 32, 48))
        self.stem = nn.Sequential(unit(in_channels, 16, 3, stride=2), unit(16, fine, 3, stride=2))
        self.fine = stage("fine", fine)
        self.coarse = nn.Sequential(unit(fine, coarse, 3, stride=2), stage("coarse", coarse))
        self.lateral = unit(coarse, fine, 1)
        self.tower = unit(fine, fine, 3)  # shared by the levels, as in the paper
        self.head = ElasticConv2d(fine, outputs, 3)
        prior = torch.tensor([-math.log(99)] * (outputs - 5) + [0.0] * 5)  # 0.01 for each class: most places are empty
        self.head.load_state_dict({"weight": self.head.weight, "bias": prior})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        fine = self.fine(self.stem(x))
        coarse = self.lateral(self.coarse(fine))
        levels = {"logits": fine + F.interpolate(coarse, scale_factor=2.0), "coarse": coarse}
        return {name: self.head(self.tower(level)) for name, level in levels.items()}


def net(*, num_classes: int = 15, in_channels: int = 1) -> Supernet:
    """The supernet with fresh weights; `num_classes` is `data.outputs`, K + 5."""
    return Supernet(Detector(in_channels, num_classes))


def main(out: Path, *, scenes: int = 1000, steps: int = 800, budget: int = 60, alone: int = 6) -> deploy.Verification:
    """Declare, train, search, judge, export, verify."""
    scenery = data(scenes=scenes)
    torch.manual_seed(0)
    supernet = net(num_classes=scenery.outputs)
    print(scenery, supernet.space, sep="\n")
    # Train: one random subnet in every step; the loss is that of Detection.
    recipe, batch_size = spos(weights=adam(5e-3, schedule=Cosine())), min(32, len(scenery.train))
    fit(supernet, recipe, scenery, steps=steps, batch_size=batch_size, out=out / "training")

    # Search: the highest average precision among the faster half, by a table of latencies measured on this machine.
    table = measure.LatencyTable.build(supernet, measure.ThisMachine(seconds=0.1), repeats=1, anchors=2)
    some = supernet.space.population(np.random.default_rng(0), 100)
    evaluator = measure.NetEvaluator(supernet, scenery.sealed(), latency=table)
    evolution = search.Evolution(population=20, parents=10, mutations=10, crossovers=10)
    bound = {"latency_ms": float(np.median(table.predict_ms(some)))}
    front = search.run(evolution, evaluator, objectives=("map",), constraints=bound, budget=budget)
    best = front.best()
    print(best.arch, f"mAP {best.values['map']:.3f} at {best.values['latency_ms']:.2f} ms", sep="\n")

    # Judge: does the supernet rank as architectures rank when each is trained alone?
    archs = supernet.space.wrap(some[:alone])
    truth = judge.train_alone(net, recipe, scenery, archs, steps=steps, batch_size=batch_size, out=out / "alone.jsonl")
    print(judge.rank_report(supernet, scenery, truth, n=alone).verdict())

    # Export, and run the file on scenes that nothing was chosen by.
    exported = deploy.export(supernet, best.arch, out / "detection.onnx", data=scenery)
    checked = deploy.verify(exported.files[0], exported.module, scenery.test, task=scenery.task)
    print({name: round(value, 3) for name, value in checked.scores_file.items()})
    return checked


if __name__ == "__main__":
    main(Path("runs/detection"))
