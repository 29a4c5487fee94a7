"""What else could make a step of NAS-Bench-201 faster: edges of one source in one convolution, compiled regions.

    OMP_NUM_THREADS=1 python benchmarks/cell_layers.py [--pairs 40] [--compiled]

Forward and backward of layers as they stand in its cells (64 images, bfloat16, channels-last), each in turn with the
same arithmetic done otherwise; the median ratio of the pairs, above 1 where the other way is faster, with quartiles.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, relu

Way = Callable[[], Sequence[Tensor]]


def images(channels: int, side: int) -> Tensor:
    x = torch.randn(64, channels, side, side, dtype=torch.bfloat16)
    return x.to(memory_format=torch.channels_last).requires_grad_()


def kernels(count: int, channels: int) -> list[Tensor]:
    made = [torch.randn(channels, channels, 3, 3, dtype=torch.bfloat16) / (3 * channels**0.5) for _ in range(count)]
    return [weight.to(memory_format=torch.channels_last).requires_grad_() for weight in made]


def edges(count: int, channels: int, side: int) -> tuple[Way, Way]:
    """As many 3 × 3 convolutions of one node, one by one, and as one with the channels of all."""
    x, weights = images(channels, side), kernels(count, channels)

    def apart() -> Sequence[Tensor]:
        return [conv2d(x, weight, padding=1) for weight in weights]

    def joined() -> Sequence[Tensor]:
        return conv2d(x, torch.cat(weights), padding=1).chunk(count, dim=1)

    return apart, joined


def region(channels: int, side: int) -> tuple[Way, Way]:
    """ReLU, 3 × 3 convolution and batch norm of an edge, as they are and compiled."""
    x, (weight,) = images(channels, side), kernels(1, channels)

    def edge() -> Sequence[Tensor]:
        return [batch_norm(conv2d(relu(x), weight, padding=1), None, None, training=True)]

    compiled: Way = torch.compile(edge)
    return edge, compiled


def seconds(way: Way) -> float:
    began = time.perf_counter()
    outputs = way()
    torch.autograd.backward(outputs, [torch.ones_like(out) for out in outputs])
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--compiled", action="store_true", help="compiled regions too: a minute to compile each")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    sizes = ((16, 32), (32, 16), (64, 8))
    cases = {f"{n} convolutions, {c} channels, {s}²": edges(n, c, s) for n in (2, 3) for c, s in sizes}
    if options.compiled:
        cases |= {f"ReLU, convolution, batch norm, {c} channels, {s}²": region(c, s) for c, s in sizes}
    print("| layers | ms | ratio | quartiles |\n|---|---|---|---|")
    for name, (usual, other) in cases.items():
        for way in (usual, other) * 5:
            seconds(way)
        pairs = np.array([(seconds(usual), seconds(other)) for _ in range(options.pairs)])
        low, middle, high = np.quantile(pairs[:, 0] / pairs[:, 1], (0.25, 0.5, 0.75))
        print(f"| {name} | {1e3 * np.median(pairs[:, 0]):.2f} | {middle:.2f} | {low:.2f} to {high:.2f} |", flush=True)


if __name__ == "__main__":
    main()
