"""Long work in one process, which must hold no more at its end than after a fifth of it.

    python -m tests.hardening.soak [--steps 10000] [--architectures 5000] [--only WORK …] [--out FOLDER]

Memory, open files, threads, objects, caches and time per step are sampled two hundred times. Printed is a table of each
work; the exit status is 1 where something grows, and the samples stay in FOLDER. Ctrl-C prints what there is so far.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from hardening.growth import Growth, Sampler, growths, table
from small_nets import convolution, images
from supernet import (
    Choice,
    ElasticBatchNorm2d,
    ElasticConv2d,
    ElasticDepth,
    ElasticLinear,
    OpChoice,
    Supernet,
    fit,
    measure,
    methods,
    search,
)
from supernet.measure import Calibration
from supernet.nn import batch_norm
from supernet.nn.program import traced
from supernet.train import Step, sgd
from supernet.train.monitors.subnet_scores import SubnetScores

ROOT = Path(__file__).parents[2]
TRACED = 50  # architectures from one program to the next
FEW = 10  # samples, below which nothing is said
CALIBRATION = Calibration(images=48)

Tick = Callable[[int], None]
"""Told after each step or architecture how many are done."""


class Work(NamedTuple):
    """Long work.

    Attributes:
        run: Does so much of it, with files in a folder, and tells how much is done.
        kept: What it keeps of each step on purpose, by measure.
    """

    run: Callable[[int, Path, Tick], None]
    kept: Mapping[str, float]


def net() -> Supernet:
    """55,296 architectures of operations, widths and depth."""
    torch.manual_seed(0)
    width, depth = Choice("width", (4, 6, 8)), Choice("depth", (0, 1, 2))
    blocks = [
        OpChoice(
            f"block{number}",
            {
                "conv3": convolution(6, 3),
                "conv1": convolution(6, 1),
                "pool": nn.AvgPool2d(3, 1, 1),
                "no": nn.Identity(),
            },
        )
        for number in range(5)
    ]
    elastic = [
        nn.Sequential(
            ElasticConv2d(width, width, Choice(f"side{n}", (1, 3), when=depth > n)), ElasticBatchNorm2d(width)
        )
        for n in range(2)
    ]
    return Supernet(
        nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1, stride=2),
            batch_norm(6, statistics="track"),
            *blocks,
            ElasticConv2d(6, width, 1),
            ElasticDepth(depth, elastic),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            ElasticLinear(width * 4, 10),
        )
    )


@dataclass(frozen=True)
class Ticking:
    """A monitor that measures nothing, and tells how far the training is."""

    tick: Tick
    every: int = 1

    def __call__(self, step: Step) -> Mapping[str, float]:
        self.tick(step.done)
        return {}


def training(steps: int, folder: Path, tick: Tick) -> None:
    """A training with a measurement and calibration at every 50th step and a checkpoint at every 100th."""
    scores = SubnetScores(images(), every=50, calibration_images=48)
    fit(
        net(),
        methods.spos(weights=sgd(0.02)),
        images(),
        steps=steps,
        batch_size=16,
        out=folder / "run",
        checkpoint_every=100,
        monitors=(scores, Ticking(tick)),
        progress=False,
    )


def searching(architectures: int, folder: Path, tick: Tick) -> None:
    """A search of accuracy and MACs, recorded."""
    search.run(
        search.NSGA2(population=50),
        net(),
        images().sealed(),
        objectives=("accuracy", "macs"),
        budget=architectures,
        out=folder / "search",
        progress=lambda done, _total, _said: tick(done),
    )


def evaluating(architectures: int, _folder: Path, tick: Tick) -> None:
    """Random architectures: costs, scores with calibrated batch norm, the plain network; a program of some."""
    supernet, data, rng = net(), images(), np.random.default_rng(0)
    for number in range(1, architectures + 1):
        arch = supernet.space.sample(rng)
        measure.macs(supernet, arch, input_shape=data.shape)
        measure.scores(supernet, arch, data, calibration=CALIBRATION)
        plain = supernet.extract(arch).eval()
        if number % TRACED == 0:
            traced(plain, data.shape, 1)
        tick(number)


WORKS = {
    "training": Work(training, kept={}),
    # The results; and the architectures become larger, since better ones are (1.8 times the MACs at the end).
    "search": Work(searching, kept={"objects": 6, "memory, MB": 0.002, "ms per step": math.inf}),
    # torch.export (2.14.1) keeps 18 objects of each program, also where nothing of this package is in it.
    "evaluation": Work(evaluating, kept={"objects": 20 / TRACED}),
}


def soaked(work: Work, much: int, folder: Path, *, samples: int = 200, leak: Tick | None = None) -> list[Growth]:
    """Do the work, and tell what grew; the samples are left in `samples.json`.

    Args:
        work: The work.
        much: How many steps or architectures of it.
        folder: Where its files and the samples go.
        samples: How many samples are taken.
        leak: Called before each sample as well, to try whether growth is found.
    """
    sampler = Sampler(much, samples)
    gc.collect()
    gc.freeze()  # what is there before is not counted, which makes counting quick

    def tick(done: int) -> None:
        if leak is not None:
            leak(done)
        sampler(done)

    try:
        work.run(much, folder, tick)
    except KeyboardInterrupt:
        if len(sampler.done) < FEW:
            raise
        print(f"interrupted after {sampler.done[-1]:,} of {much:,}")
    finally:
        gc.unfreeze()
    (folder / "samples.json").write_text(json.dumps({"done": sampler.done, **sampler.values}))
    return growths(sampler.done, sampler.values, work.kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--architectures", type=int, default=5_000)
    parser.add_argument("--only", nargs="*", default=list(WORKS), choices=list(WORKS))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp())
    if len(options.only) > 1:  # each in a process of its own: what one has freed would hide the growth of the next
        many = ("--steps", options.steps, "--architectures", options.architectures, "--out", out)
        command = [sys.executable, "-m", "tests.hardening.soak", *map(str, many), "--only"]
        codes = [subprocess.run([*command, name], cwd=ROOT, env=os.environ).returncode for name in options.only]
        raise SystemExit(max(codes))
    (name,) = options.only
    much = options.steps if name == "training" else options.architectures
    (out / name).mkdir(parents=True, exist_ok=True)
    found = soaked(WORKS[name], much, out / name)
    print(f"{name}, {much:,}: samples in {out / name}", table(found), sep="\n", flush=True)
    raise SystemExit(any(one.grows for one in found))


if __name__ == "__main__":
    main()
