"""What subnet-aware training costs: steps of DYNAS against steps of SPOS on the same paths.

    python benchmarks/dynamic_overhead.py [--steps 60] [--cells 5]

Both train a copy of one supernet on the same batch and the same architectures, in turn and in alternating order.
Prints the median time of each, their ratio, and the bytes of optimiser state.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from supernet import zoo
from supernet.io.run_directory import environment
from supernet.methods import dynas, spos
from supernet.nn import Supernet
from supernet.train import CrossEntropy, Path, Recipe, Step
from supernet.train.updates import Stepper


class Contender:
    """A supernet with the stepper of a recipe."""

    def __init__(self, net: Supernet, recipe: Recipe) -> None:
        self.net = copy.deepcopy(net)
        self.stepper = Stepper(recipe.weights, self.net.parameters(), batch_size=64)
        self.seconds: list[float] = []

    def step(self, code: np.ndarray, x: torch.Tensor, y: torch.Tensor, index: int, total: int) -> None:
        begin = time.perf_counter()
        arch = self.net.space.wrap(code[None])[0]
        self.stepper.clear()
        torch.autograd.backward(F.cross_entropy(self.net(x, arch), y))
        now = Step(index, total, self.net, np.random.default_rng(index))
        self.stepper.step(now, [Path(arch, CrossEntropy())])
        self.seconds.append(time.perf_counter() - begin)

    def state_bytes(self) -> int:
        held = [v for state in self.stepper.states.values() for kept in state.values() for v in kept.values()]
        return sum(v.nbytes for v in held if torch.is_tensor(v))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--cells", type=int, default=5)
    options = parser.parse_args()
    torch.manual_seed(0)
    size = 32 if options.cells > 1 else 16
    net = zoo.nasbench201(cells=options.cells).to(memory_format=torch.channels_last).train()
    net.input_shape = (3, size, size)
    same: dict[str, Any] = {"inactive": "decay", "clip_norm": 5.0}
    contenders = [Contender(net, recipe.with_weights(**same)) for recipe in (spos(), dynas())]
    plain, dynamic = contenders
    x = torch.randn(64, 3, size, size).to(memory_format=torch.channels_last)
    y = torch.randint(0, 10, (64,))
    codes = net.space.population(np.random.default_rng(0), options.steps)
    for index, code in enumerate(codes):
        for contender in contenders:
            contender.step(code, x, y, index, options.steps)
        contenders.reverse()
    ratios = [a / b for a, b in zip(dynamic.seconds[5:], plain.seconds[5:], strict=True)]
    one, five = plain.state_bytes(), dynamic.state_bytes()
    times = [1e3 * statistics.median(contender.seconds[5:]) for contender in (plain, dynamic)]
    groups = len(dynamic.stepper.states)
    print(environment()["cpu"], f"{torch.get_num_threads()} threads, N={options.cells}, {size}x{size}, batch 64")
    print(f"SPOS {times[0]:.1f} ms, DYNAS {times[1]:.1f} ms")
    print(f"ratio: median {statistics.median(ratios):.4f}, quartiles {np.quantile(ratios, [0.25, 0.75]).round(4)}")
    print(f"optimiser state: {one / 1e6:.2f} MB, {five / 1e6:.2f} MB in {groups} groups, {five / one:.3f} times")


if __name__ == "__main__":
    main()
