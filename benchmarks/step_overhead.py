"""What the supernet costs: a SPOS step on a sampled architecture against the same step on its extracted module.

    python benchmarks/step_overhead.py [--archs 12] [--repeats 15]

Prints the median ratio of time and of saved activations over architectures, both measured in turn in one run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet import zoo
from supernet.io.run_directory import environment
from supernet.nn import Supernet
from supernet.space import Arch


def step(forward: Callable[[Tensor], Tensor], optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
    optimizer.zero_grad()
    torch.autograd.backward(F.cross_entropy(forward(x), y))
    optimizer.step()


def activation_bytes(forward: Callable[[Tensor], Tensor], parameters: list[nn.Parameter], x: Tensor) -> int:
    """Bytes of distinct storages that the backward pass keeps, parameters and the input left out."""
    known = {p.untyped_storage().data_ptr() for p in parameters} | {x.untyped_storage().data_ptr()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = forward(x)
    total = sum(kept.values())
    del out
    return total


def sgd(module: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)


def compare(net: Supernet, shape: tuple[int, ...], archs: int, repeats: int) -> tuple[float, float, float]:
    rng = np.random.default_rng(0)
    x = torch.randn(64, *shape).to(memory_format=torch.channels_last)
    y = torch.randint(0, 10, (64,))
    net.to(memory_format=torch.channels_last).train()
    times, memory, plain_ms = [], [], []
    optimizer = sgd(net)
    for arch in [net.space.sample(rng) for _ in range(archs)]:
        plain = net.extract(arch).to(memory_format=torch.channels_last).train()
        plain_optimizer = sgd(plain)

        def inside(images: Tensor, arch: Arch = arch) -> Tensor:
            out: Tensor = net(images, arch)
            return out

        ours: list[float] = []
        theirs: list[float] = []
        contenders: list[tuple[list[float], Callable[[Tensor], Tensor], torch.optim.Optimizer]]
        contenders = [(ours, inside, optimizer), (theirs, plain, plain_optimizer)]
        for _ in range(repeats + 2):
            for seconds, forward, its_optimizer in contenders:
                begin = time.perf_counter()
                step(forward, its_optimizer, x, y)
                seconds.append(time.perf_counter() - begin)
            contenders.reverse()  # neither always follows the other
        del ours[:2], theirs[:2]
        times.append(statistics.median(ours) / statistics.median(theirs))
        plain_ms.append(statistics.median(theirs) * 1e3)
        memory.append(
            activation_bytes(inside, list(net.parameters()), x) / activation_bytes(plain, list(plain.parameters()), x)
        )
    return statistics.median(times), max(memory), statistics.median(plain_ms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archs", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    torch.manual_seed(0)
    facts = environment()
    print(f"{facts['date']}  {facts['cpu']}, {facts['threads']} threads, torch {facts['torch']}")
    print("space                              time ratio   activation ratio   plain step")
    for name, net, shape in (
        ("NAS-Bench-201 C=16 N=1, 16x16", zoo.nasbench201(channels=16, cells=1), (3, 16, 16)),
        ("NAS-Bench-201 C=16 N=5, 32x32", zoo.nasbench201(channels=16, cells=5), (3, 32, 32)),
        ("MBConv for 32x32", zoo.mbconv(in_channels=3, image_size=32), (3, 32, 32)),
    ):
        ratio, memory, plain = compare(net, shape, options.archs, options.repeats)
        print(f"{name:<34} {ratio:10.3f} {memory:18.3f} {plain:9.1f} ms")


if __name__ == "__main__":
    main()
