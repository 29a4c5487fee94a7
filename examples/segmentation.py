"""Semantic segmentation of digit scenes, by a small encoder and decoder of elastic width, depth and operations.

python segmentation.py                                                        # all of it, a few minutes
supernet run --data segmentation:data --space segmentation:net --out runs/seg    # the same by the command line
"""

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
from supernet.methods import sandwich
from supernet.space import Expr
from supernet.tasks import Segmentation
from supernet.train import Cosine, adam, fit


def data(*, scenes: int = 1000, seed: int = 0) -> Data:
    """Scenes of 32x32 with one or two digits of half size; masks of 11 classes, of which the background weighs little.

    Masks of one's own are read by `data.segmentation_folder`, or from any torch dataset by `data.from_datasets`.
    """
    scenery = digit_scenes(scenes=scenes, size=40, digits=2, kinds=5, seed=seed)
    return scenery.for_task(Segmentation(class_weights=(0.1, *[1.0] * 5)))


def unit(c_in: Expr | int, c_out: Expr | int, kernel: int, *, stride: int = 1, groups: Expr | int = 1) -> nn.Module:
    """Convolution, normalisation, ReLU: (B, C_in, H, W) -> (B, C_out, H / stride, W / stride)."""
    convolution = ElasticConv2d(c_in, c_out, kernel, stride=stride, groups=groups, bias=False)
    return nn.Sequential(convolution, ElasticBatchNorm2d(c_out), nn.ReLU())


def stage(name: str, width: Expr) -> nn.Module:
    """One to three blocks, each of an operation of its own."""
    depth = Choice(f"{name}.depth", (1, 2, 3))
    blocks = []
    for i in range(3):
        separable = nn.Sequential(unit(width, width, 5, groups=width), unit(width, width, 1))
        op = Choice(f"{name}.op{i}", ("conv3", "separable5"), when=depth > i if i else None)  # only where it runs
        blocks.append(OpChoice(op, {"conv3": unit(width, width, 3), "separable5": separable}))
    return ElasticDepth(depth, blocks)


class EncoderDecoder(nn.Module):
    """(B, C, H, W) -> logits (B, K, H / 2, W / 2), which the task resizes to the masks."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        fine, coarse = Choice("fine", (8, 12, 16)), Choice("coarse", (16, 24, 32))
        self.stem = unit(in_channels, fine, 3, stride=2)
        self.fine = stage("fine", fine)
        self.down = unit(fine, coarse, 3, stride=2)
        self.coarse = stage("coarse", coarse)
        self.up = unit(coarse, fine, 1)
        self.head = nn.Sequential(unit(fine, fine, 3), ElasticConv2d(fine, num_classes, 1))

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(self.stem(x))
        coarse = self.up(self.coarse(self.down(fine)))
        logits: Tensor = self.head(fine + F.interpolate(coarse, scale_factor=2.0))
        return logits


def net(*, num_classes: int = 6, in_channels: int = 1) -> Supernet:
    """The supernet with fresh weights."""
    return Supernet(EncoderDecoder(in_channels, num_classes))


def main(out: Path, *, scenes: int = 1000, steps: int = 400, budget: int = 60, alone: int = 6) -> deploy.Verification:
    """Declare, train, search, judge, export, verify."""
    scenery = data(scenes=scenes)
    torch.manual_seed(0)
    supernet = net(num_classes=scenery.outputs)
    print(scenery, supernet.space, sep="\n")

    # Train: the largest, the smallest and two random subnets in every step; the loss is that of Segmentation.
    recipe, batch_size = sandwich(weights=adam(5e-3, schedule=Cosine())), min(32, len(scenery.train))
    fit(supernet, recipe, scenery, steps=steps, batch_size=batch_size, out=out / "training")

    # Search: the highest mean intersection over union within half of the largest subnet's multiply-accumulates.
    largest = measure.macs(supernet, supernet.space.largest())
    evolution = search.Evolution(population=20, parents=10, mutations=10, crossovers=10)
    front = search.run(
        evolution, supernet, scenery, objectives=("miou",), constraints={"macs": 0.5 * largest}, budget=budget
    )
    best = front.best()
    print(best.arch, f"mIoU {best.values['miou']:.3f}", sep="\n")

    # Judge: does the supernet rank as architectures rank when each is trained alone?
    archs = supernet.space.wrap(supernet.space.population(np.random.default_rng(0), alone))
    truth = judge.train_alone(net, recipe, scenery, archs, steps=steps, batch_size=batch_size, out=out / "alone.jsonl")
    print(judge.rank_report(supernet, scenery, truth, n=alone).verdict())

    # Export, and run the file on scenes that nothing was chosen by.
    exported = deploy.export(supernet, best.arch, out / "segmentation.onnx", data=scenery)
    checked = deploy.verify(exported.files[0], exported.module, scenery.test, task=scenery.task)
    print({name: round(value, 3) for name, value in checked.scores_file.items()})
    return checked


if __name__ == "__main__":
    main(Path("runs/segmentation"))
