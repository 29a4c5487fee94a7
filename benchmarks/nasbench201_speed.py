"""How fast SPOS trains NAS-Bench-201 (C=16, N=5, 32x32, batch 64), and what bounds it.

    python benchmarks/nasbench201_speed.py [--steps 40] [--profile]

Variants run in turn in one process on the same architectures: layout (NCHW or channels-last), arithmetic (float32 or
bfloat16 with float32 weights), average pooling (ours or torch's). Prints images per second, ratios to the first
variant, and the rate of a matrix product as the limit of the machine.
"""

from __future__ import annotations

import argparse
import time
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.profiler import ProfilerActivity, profile

from supernet import measure, zoo
from supernet.io.run_directory import environment
from supernet.nn import AvgPool3x3, Supernet
from supernet.space import Arch

BATCH = 64
VARIANTS = (
    ("float32, NCHW, torch's pooling", torch.contiguous_format, False, True),
    ("float32, NCHW", torch.contiguous_format, False, False),
    ("bfloat16, NCHW", torch.contiguous_format, True, False),
    ("float32, channels-last, torch's pooling", torch.channels_last, False, True),
    ("float32, channels-last", torch.channels_last, False, False),
    ("bfloat16, channels-last, torch's pooling", torch.channels_last, True, True),
    ("bfloat16, channels-last", torch.channels_last, True, False),
)


class Variant:
    def __init__(self, layout: torch.memory_format, bf16: bool, torch_pooling: bool) -> None:
        torch.manual_seed(0)
        self.net: Supernet = zoo.nasbench201(channels=16, cells=5)
        if torch_pooling:
            for pool in [module for module in self.net.modules() if isinstance(module, AvgPool3x3)]:
                pool.forward = partial(nn.AvgPool2d.forward, pool)  # type: ignore[method-assign]
        self.net.to(memory_format=layout).train()
        self.optimizer = torch.optim.SGD(
            self.net.parameters(), lr=0.025, momentum=0.9, weight_decay=5e-4, nesterov=True
        )
        self.x = torch.randn(BATCH, 3, 32, 32).to(memory_format=layout)
        self.y = torch.randint(0, 10, (BATCH,))
        self.bf16 = bf16
        self.seconds = 0.0
        self.steps = 0

    def step(self, arch: Arch) -> None:
        begin = time.perf_counter()
        self.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            logits = self.net(self.x, arch)
        torch.autograd.backward(F.cross_entropy(logits.float(), self.y))
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimizer.step()
        self.seconds += time.perf_counter() - begin
        self.steps += 1


def matrix_product(dtype: torch.dtype, size: int = 2048, repeats: int = 8) -> float:
    """GFLOP/s of a square matrix product."""
    a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - begin)
    return 2 * size**3 / best / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    facts = environment()
    print(f"{facts['date']}  {facts['cpu']}, {facts['threads']} threads, torch {facts['torch']}")
    print(f"matrix product: float32 {matrix_product(torch.float32):.0f}, ", end="")
    print(f"bfloat16 {matrix_product(torch.bfloat16):.0f} GFLOP/s")
    variants = [Variant(layout, bf16, pooling) for _, layout, bf16, pooling in VARIANTS]
    rng = np.random.default_rng(0)
    space = variants[0].net.space
    macs = []
    for number in range(options.steps + 3):
        arch = space.sample(rng)
        if number == 3:
            for variant in variants:
                variant.seconds, variant.steps = 0.0, 0
        if number >= 3:
            macs.append(measure.macs(variants[0].net, arch, input_shape=(3, 32, 32)))
        for variant in variants:
            variant.step(variant.net.space.wrap(space.codes([arch]))[0])
    # A training step is about three forward passes; a multiply-accumulate is two operations.
    work = 6 * BATCH * float(np.mean(macs))
    base = BATCH * variants[0].steps / variants[0].seconds
    for (name, *_), variant in zip(VARIANTS, variants, strict=True):
        rate = BATCH * variant.steps / variant.seconds
        gflops = work / (variant.seconds / variant.steps) / 1e9
        print(f"{name:<42} {rate:7.0f} images/s  x{rate / base:5.2f}  {gflops:6.1f} GFLOP/s")
    if options.profile:
        with profile(activities=[ProfilerActivity.CPU]) as recorded:
            for _ in range(10):
                variants[-1].step(space.sample(rng))
        print(recorded.key_averages().table(sort_by="self_cpu_time_total", row_limit=18))


if __name__ == "__main__":
    main()
