"""A trained ResNet-18, cut to 60 % of its MACs: with and without sorting, with and without distillation.

    python benchmarks/elastic_pruning.py --data cifar10.npz [--epochs 5] [--tuned 1] [--seed 0]

The model (torchvision's, 32 × 32 images) is trained for `--epochs` on the images of a file, made elastic, and cut to
three quarters of every width. Printed is validation accuracy of the cut network: as it is, with its own BatchNorm
statistics, and after `--tuned` epochs of training from labels, and from labels and the model.
"""

from __future__ import annotations

import argparse
import copy
import time

import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from supernet import data, elastic, fit, measure, methods
from supernet.data import Data
from supernet.io.run_directory import environment
from supernet.pretrained import ElasticModel, sort_by_importance
from supernet.space import Arch
from supernet.train import Cosine, CrossEntropy, Fixed, Recipe, TrainPaths, sgd

BATCH = 128


def trained(images: Data, epochs: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model: nn.Module = torchvision.models.resnet18(num_classes=10)
    steps = epochs * (len(images.train) // BATCH)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.1, total_steps=steps)
    for _, batch in zip(range(steps), images.train.stream(BATCH, seed=seed), strict=False):
        optimiser.zero_grad()
        torch.autograd.backward(F.cross_entropy(model(batch.images), batch.labels))
        optimiser.step()
        rate.step()
    model.eval()
    return model


def accuracy(net: ElasticModel, arch: Arch, images: Data, *, calibrated: bool) -> float:
    policy = measure.Calibration(images=1000) if calibrated else None
    return 100 * measure.accuracy(net, arch, images, calibration=policy)


def tuned(net: ElasticModel, arch: Arch, images: Data, epochs: int, *, taught: bool, seed: int) -> float:
    net = copy.deepcopy(net)
    program = TrainPaths(sampler=Fixed(arch), objective=CrossEntropy())
    weights = sgd(0.02, nesterov=True, weight_decay=5e-4, schedule=Cosine())
    recipe = Recipe(name="cut", program=program, weights=weights)
    steps = epochs * (len(images.train) // BATCH)
    fit(
        net,
        methods.distilled(recipe) if taught else recipe,
        images,
        steps=steps,
        batch_size=BATCH,
        seed=seed,
        progress=False,
    )
    return accuracy(net, arch, images, calibrated=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--tuned", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    facts = environment()
    print(f"{facts['date']}  {facts['cpu']}, {facts['threads']} threads, torch {facts['torch']}")
    images = data.npz(options.data)
    began = time.monotonic()
    model = trained(images, options.epochs, options.seed)
    example = torch.zeros(2, 3, 32, 32)
    for order in (None, "norm", "taylor", "activation"):
        net = elastic(model, example, depth=False)
        whole = net.space.largest()
        cut = net.space.arch({choice.name: choice.options[1] for choice in net.space.choices})
        if order is None:
            share = measure.macs(net, cut) / measure.macs(net, whole)
            params = measure.params(net, cut) / measure.params(net, whole)
            print(f"the model: {accuracy(net, whole, images, calibrated=False):.2f} % after {options.epochs} epochs")
            print(f"cut to {share:.1%} of the MACs and {params:.1%} of the parameters")
            print("sorted by      as it is  calibrated  labels  and model")
        else:
            sort_by_importance(net, order, images, images=512, seed=options.seed)
        row = [accuracy(net, cut, images, calibrated=known) for known in (False, True)]
        if order in (None, "norm", "taylor"):
            row += [
                tuned(net, cut, images, options.tuned, taught=taught, seed=options.seed) for taught in (False, True)
            ]
        print(f"{order or 'nothing':<12} " + "  ".join(f"{value:9.2f}" for value in row), flush=True)
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
