"""What a step of the taught methods costs beside plain steps of the same net, measured in turn in one run.

    python benchmarks/blockwise_steps.py [--steps 24] [--repeats 3]

Prints medians of ratios of the processor's time on one thread, on MNIST-5k at 28 × 28 in batches of 64: a step of DNA
against its stage alone, forward and backward, and the teacher up to the end of this stage, both in the layout of the
training; a step of Cream with its look-ahead, and one of MAGIC-A with its anchor, against a step of SPOS.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import islice

import numpy as np
import torch
from torch import nn

from supernet import data, fit, zoo
from supernet.methods import cream, dna, magic_a, spos
from supernet.nn import Supernet
from supernet.nn.memory_layout import image_layout
from supernet.nn.stage_modules import stage_names, stages_module
from supernet.train import Recipe, Setting, StageLoss, TappedTeacher

IMAGES = data.mnist5k()
BATCH = 64


def built() -> Supernet:
    """A net of three stages."""
    torch.manual_seed(0)
    cells = [[(2, 16)], [(2, 24)], [(1, 40)]]
    net = zoo.dna(cells=cells, strides=(1, 2, 2, 1), num_classes=10, in_channels=1, image_size=28, head_width=64)
    net.input_shape = IMAGES.shape
    return net


def trained(recipe: Recipe, steps: int) -> float:
    """Seconds of a step; what comes before the first is taken off by a training of one step per phase."""

    def seconds(count: int) -> float:
        begin = time.process_time()
        fit(built(), recipe, IMAGES, steps=count, batch_size=BATCH, accelerator="cpu", progress=False)
        return time.process_time() - begin

    few = 3
    return (seconds(steps + few) - seconds(few)) / steps


def by_hand(steps: int) -> float:
    """Seconds of a stage alone, forward and backward with Adam, and of the teacher up to its end, over all stages."""
    net = built()
    teacher = TappedTeacher()(Setting(net, 0, {})).train()
    layout = image_layout(net)
    net.to(memory_format=layout)
    teacher.to(memory_format=layout)
    rng = np.random.default_rng(0)
    stages: list[nn.Sequential] = [stages_module(net, [names]) for names in stage_names(net)]
    optimisers = [torch.optim.Adam(stage.parameters(), 0.002) for stage in stages]
    batches = [batch.images.to(memory_format=layout) for batch in islice(IMAGES.train.batches(BATCH), steps)]
    begin = time.process_time()
    for number, x in enumerate(batches):
        place = number * len(stages) // steps
        features = teacher(x, place + 1)
        given = x if place == 0 else features[place - 1]
        with net.active(net.space.sample(rng)):
            loss = (stages[place](given) - features[place]).square().mean()
            optimisers[place].zero_grad()
            loss.backward()
            optimisers[place].step()
    return (time.process_time() - begin) / steps


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    steps = options.steps
    plain = spos()
    pairs: dict[str, tuple[Callable[[], float], Callable[[], float], float]] = {
        "DNA / its stage and the teacher": (
            lambda: trained(dna(rates=(1.0, 1.0, 1.0), rating=StageLoss(images=64)), steps),
            lambda: by_hand(steps),
            1.2,
        ),
        "Cream with a look-ahead each step / SPOS": (
            lambda: trained(cream(prior=None, begin=0.0, every=1), steps),
            lambda: trained(plain, steps),
            3.0,
        ),
        "MAGIC-A / SPOS": (lambda: trained(magic_a(), steps), lambda: trained(plain, steps), 3.0),
    }
    torch.set_num_threads(1)
    trained(plain, 3)  # the first pass of every shape takes longer
    for name, (one, other, most) in pairs.items():
        ratios = [one() / other() for _ in range(options.repeats)]
        print(f"{name}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); at most {most}")


if __name__ == "__main__":
    main()
