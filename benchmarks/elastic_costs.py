"""What elasticity costs, as ratios of times measured in turns in one run.

    python benchmarks/elastic_costs.py [--rounds 30]

- All nested widths of a block from one pass, beside the widest alone (forward and backward).
- Elastic attention beside the module that is extracted from it (forward and backward).
- A step of the sandwich rule with 4 paths beside 4 plain steps of the largest subnet, and beside itself in one pass.

Run it on an idle machine; printed are the median ratio and its quartiles.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from supernet import Choice, ElasticLinear, Supernet, data, fit, methods, zoo
from supernet.io.run_directory import environment
from supernet.nn.attention import ElasticAttention
from supernet.nn.nested import nested_outputs
from supernet.train import CrossEntropy, Fixed, Recipe, TrainPaths, sgd
from supernet.zoo.elastic import bignas

Work = Callable[[], None]


def ratio(name: str, work: Work, beside: Work, rounds: int) -> None:
    """Print how much longer one takes than the other, in turns."""
    work()
    beside()
    found = []
    for _ in range(rounds):
        times = []
        for each in (work, beside):
            began = time.perf_counter()
            each()
            times.append(time.perf_counter() - began)
        found.append(times[0] / times[1])
    low, middle, high = np.percentile(found, (25, 50, 75))
    print(f"{name:62} {middle:.3f}  ({low:.3f} to {high:.3f})", flush=True)


def backward(module: nn.Module, run: Callable[[], Tensor | Iterable[Tensor]]) -> None:
    """A pass forward and backward, with a gradient of ones on every result."""
    module.zero_grad(set_to_none=True)
    results = run()
    tensors = [results] if isinstance(results, Tensor) else list(results)
    torch.autograd.backward(tensors, [torch.ones_like(tensor) for tensor in tensors])


def nesting(rounds: int) -> None:
    hidden = Choice("hidden", (384, 768, 1152, 1536))
    net = Supernet(nn.Sequential(ElasticLinear(384, hidden), nn.GELU(), ElasticLinear(hidden, 384)))
    x = torch.randn(16, 64, 384)
    largest = net.space.largest()

    def nested() -> None:
        backward(net, lambda: nested_outputs(net, "", "hidden", largest, x).values())

    def forward_alone() -> None:
        with torch.no_grad():
            net(x, largest)

    def forward_nested() -> None:
        with torch.no_grad():
            nested_outputs(net, "", "hidden", largest, x)

    ratio("feed-forward 384–1536, four widths in one pass: forward", forward_nested, forward_alone, rounds)
    ratio("… forward and backward", nested, lambda: backward(net, lambda: net(x, largest)), rounds)


def attention(rounds: int) -> None:
    net = Supernet(ElasticAttention(384, Choice("heads", (4, 6, 8)), head_dim=48))
    x = torch.randn(16, 64, 384)
    for name, arch in (("largest", net.space.largest()), ("smallest", net.space.smallest())):
        plain = net.extract(arch)
        ratio(
            f"elastic attention beside its extraction, {name}",
            partial(backward, net, partial(net, x, arch)),
            partial(backward, plain, partial(plain, x)),
            rounds,
        )


def steps(rounds: int) -> None:
    build = dict(bignas.TINY, image_size=28, num_classes=10, in_channels=1)
    nets = [zoo.bignas(**build) for _ in range(3)]
    images = data.mnist5k()
    plain = Recipe(
        name="plain",
        program=TrainPaths(sampler=Fixed(nets[2].space.largest()), objective=CrossEntropy()),
        weights=sgd(0.01),
    )
    recipes = (methods.sandwich(), methods.sandwich(one_pass=True), plain)

    def train(number: int, count: int) -> Work:
        return lambda: fit_quietly(nets[number], recipes[number], images, count)

    rounds = max(3, rounds // 10)
    ratio("sandwich, 10 steps of 4 paths, beside 40 steps of the largest", train(0, 10), train(2, 40), rounds)
    ratio("sandwich in one pass beside the sandwich", train(1, 10), train(0, 10), rounds)


def fit_quietly(net: Supernet, recipe: Recipe, images: data.Data, count: int) -> None:
    fit(net, recipe, images, steps=count, batch_size=64, progress=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    facts = environment()
    print(f"{facts['date']}  {facts['cpu']}, {facts['threads']} threads, torch {facts['torch']}")
    nesting(options.rounds)
    attention(options.rounds)
    steps(options.rounds)


if __name__ == "__main__":
    main()
