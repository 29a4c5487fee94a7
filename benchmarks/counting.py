"""How long the operations of networks are counted: by the package's mode, and by torch's `FlopCounterMode`, in turn.

    python benchmarks/counting.py [--repeats 5] [--archs 4] [--space NAME …]

Both count the same passes of two images on random architectures; prints the processor's seconds of a pass without a
counter, and medians of what each counter makes of it, on one thread.
"""

from __future__ import annotations

import argparse
import statistics
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from clock import Clock
from torch.utils.flop_counter import FlopCounterMode

from supernet import zoo
from supernet.measure.costs.flop_mode import FlopMode
from supernet.nn import Supernet
from supernet.nn.input_shape import example
from supernet.space import Arch


def seconds(net: Supernet, archs: list[Arch], counter: Any) -> float:
    """Seconds of the passes inside a counter."""
    assert net.input_shape is not None
    x = example(net.input_shape, 2)
    clock = Clock()
    with torch.no_grad(), counter:
        for arch in archs:
            net(x, arch)
    return clock.passed() / len(archs)


def main() -> None:
    """Print a row per space."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--archs", type=int, default=4)
    parser.add_argument("--space", nargs="*", default=["nasbench201", "ofa_mobilenetv3", "cream"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| space | no counter, s | ours, s | torch's, s | ours / torch's |\n|---|---|---|---|---|")
    for name in options.space:
        net: Supernet = getattr(zoo, name)().eval()
        archs = list(net.space.wrap(net.space.population(np.random.default_rng(0), options.archs)))
        seconds(net, archs, nullcontext())
        rows = []
        for _ in range(options.repeats):
            ours, theirs = FlopMode(), FlopCounterMode(display=False)
            rows.append([seconds(net, archs, counter) for counter in (nullcontext(), ours, theirs)])
            if ours.flops != theirs.get_total_flops():
                raise SystemExit(f"{name}: {ours.flops} operations here, {theirs.get_total_flops()} by torch's counter")
        bare, one, other = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"| {name} | {bare:.3f} | {one:.3f} | {other:.3f} | {one / other:.2f} |")


if __name__ == "__main__":
    main()
