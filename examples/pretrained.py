"""A trained model of torchvision as a family of smaller ones: made elastic, taught by itself, searched, taken out.

python pretrained.py                                                  # all of it, minutes

Handwritten digits stand for your data, and a ResNet-18 that is trained here for a moment for the weights that you have.
The folder that it writes loads in a process without this package. Needs the extras `vision`, `search` and `export`.
"""

from pathlib import Path

import torch
import torchvision
from torch import nn

from supernet import data as sources
from supernet import deploy, elastic, fit, measure, methods, search
from supernet.data import Data
from supernet.nn import Supernet
from supernet.pretrained import save_folder, sort_by_importance
from supernet.train import Updates, adam


def data(*, seed: int = 0) -> Data:
    """The digits of scikit-learn, (1, 8, 8)."""
    return sources.digits(seed=seed)


def model(num_classes: int = 10) -> nn.Module:
    """A ResNet-18 whose first layers leave small images large enough."""
    found = torchvision.models.resnet18(num_classes=num_classes)
    found.conv1, found.maxpool = nn.Conv2d(1, 64, 3, padding=1, bias=False), nn.Identity()
    return found


def net(*, num_classes: int = 10, trained: nn.Module | None = None) -> Supernet:
    """The supernet: three widths for every dimension that may change, and blocks that may be left out."""
    largest = (model(num_classes) if trained is None else trained).eval()
    return elastic(largest, torch.zeros(2, 1, 8, 8), width=(0.25, 0.5, 1.0), depth=True)


def pretrained(images: Data, steps: int) -> nn.Module:
    """What stands for a model that somebody else has trained."""
    torch.manual_seed(0)
    network = model(images.num_classes).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for batch, _ in zip(images.train.stream(64, seed=0), range(steps), strict=False):
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(network(batch.x), batch.y))
        optimizer.step()
    return network.eval()


def weights() -> Updates:
    """A small learning rate: what is there is worth keeping."""
    return adam(3e-4)


def main(out: Path, *, steps: int = 200, budget: int = 60) -> deploy.Verification:
    """Make a model elastic, train it with itself as teacher, search, export, and write a folder that loads alone."""
    images = data()
    given = pretrained(images, steps)
    supernet = net(trained=given)
    print(supernet.table())
    x = next(images.validation.batches(8)).x
    assert torch.equal(supernet.eval()(x, supernet.space.largest()), given(x)), "the largest subnet is the model"
    sort_by_importance(supernet, "norm")
    smallest = supernet.space.smallest()
    print(f"smallest as it is: {measure.accuracy(supernet, smallest, images):.3f}")

    # Train: largest, random and smallest subnets in every step, each of which also learns what the model says.
    recipe = methods.distilled(methods.sandwich(weights=weights()))
    fit(supernet, recipe, images, steps=steps, batch_size=64, out=out / "training")
    print(f"smallest after training: {measure.accuracy(supernet, smallest, images):.3f}")

    # Search: the best network of at most a third of the model's multiply-accumulates.
    limit = measure.macs(supernet, supernet.space.largest(), input_shape=images.shape) / 3
    evaluator = measure.NetEvaluator(supernet, images.sealed())
    evolution = search.Evolution(population=20, parents=10, mutations=10, crossovers=10)
    front = search.run(evolution, evaluator, objectives="accuracy", constraints={"macs": limit}, budget=budget)
    best = front.best()
    print(best.arch, f"accuracy {best.values['accuracy']:.3f} at {best.values['macs'] / 1e6:.2f} M MACs", sep="\n")

    # Out: a file that is run and compared, and a folder with weights, code and a card.
    exported = deploy.export(supernet, best.arch, out / "small.onnx", data=images)
    checked = deploy.verify(exported.files[0], exported.module, images.test, task=images.task)
    measure.calibrate(supernet, best.arch, images)
    save_folder(supernet, best.arch, out / "small", example=x, build="pretrained:model")
    print({name: round(value, 3) for name, value in checked.scores_file.items()})
    return checked


if __name__ == "__main__":
    main(Path("runs/pretrained"))
