"""A trained ResNet-18 cut to a share of its MACs: by this package and by Torch-Pruning, side by side.

    python benchmarks/pruning_side_by_side.py --data cifar10.npz --out rows.jsonl [--keep 0.5] [--epochs 5] [--tuned 1]

Needs `pip install torch-pruning`. The model (torchvision's, 32 × 32 images) is trained once and kept beside the file of
rows. Each way cuts it to at most the share, without training; a row has its MACs and parameters, and the validation
accuracy as it is, with BatchNorm statistics computed anew on 1,024 training images, and after `--tuned` epochs of
training from the labels (SGD 0.02, cosine) of the plain module that each way gives. A row that is there is not made
again.
"""

from __future__ import annotations

import argparse
import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from elastic_pruning import BATCH, trained
from torch import nn

from supernet import data, measure
from supernet.data import Data
from supernet.io.run_directory import environment
from supernet.measure import count_macs, count_params
from supernet.runs.prune import prune
from supernet.runs.pruning import Pruning

Cut = Callable[[Path, Data, float], nn.Module]


def model_of(file: Path) -> nn.Module:
    model: nn.Module = torchvision.models.resnet18(num_classes=10)
    model.load_state_dict(torch.load(file, weights_only=True))
    return model.eval()


def by_damage(file: Path, images: Data, keep: float, **options: Any) -> nn.Module:
    """`supernet prune`: damage of every option, an integer program."""
    with tempfile.TemporaryDirectory() as folder:
        asked = Pruning(
            model="torchvision.models:resnet18",
            arguments={"num_classes": 10},
            weights=str(file),
            keep={"macs": f"{100 * keep}%"},
            checks=0,
            **options,
        )
        found = prune(asked, images, Path(folder) / "out", progress=False)
        return found.net.extract(found.arch)


def torch_pruning(file: Path, images: Data, keep: float, *, importance: str) -> nn.Module:
    """Torch-Pruning's structured pruning at the smallest ratio that keeps to the share, the same in every layer."""
    import torch_pruning

    shape = tuple(images.shape)  # type: ignore[arg-type]
    whole = count_macs(model_of(file), shape)
    low, high = 0.0, 0.9
    for _ in range(12):
        middle = (low + high) / 2
        macs = count_macs(_pruned(torch_pruning, file, images, middle, importance), shape)
        low, high = (low, middle) if macs <= keep * whole else (middle, high)
    return _pruned(torch_pruning, file, images, high, importance)


def _pruned(library: Any, file: Path, images: Data, ratio: float, importance: str) -> nn.Module:
    model = model_of(file)
    kind = {
        "magnitude": library.importance.GroupMagnitudeImportance,
        "taylor": library.importance.GroupTaylorImportance,
    }
    example = torch.zeros(1, *images.shape)  # type: ignore[misc]
    pruner = library.pruner.BasePruner(
        model, example, importance=kind[importance](), pruning_ratio=ratio, ignored_layers=[model.fc]
    )
    if importance == "taylor":
        for _, batch in zip(range(8), images.train.stream(64, seed=0), strict=False):
            torch.autograd.backward(F.cross_entropy(model(batch.images), batch.labels))
    pruner.step()
    model.zero_grad()
    return model


WAYS: dict[str, Cut] = {
    "Torch-Pruning, magnitude": lambda *given: torch_pruning(*given, importance="magnitude"),
    "Torch-Pruning, Taylor": lambda *given: torch_pruning(*given, importance="taylor"),
    "supernet, widths and blocks": by_damage,
    "supernet, widths": lambda *given: by_damage(*given, depth="none"),
    "supernet, widths by norm": lambda *given: by_damage(*given, depth="none", sort="norm"),
}


def accuracy(model: nn.Module, images: Data, *, calibrated: bool) -> float:
    policy = measure.Calibration(images=1024) if calibrated else None
    return round(100 * measure.accuracy(model, None, images, calibration=policy), 2)


def tuned(model: nn.Module, images: Data, epochs: int, seed: int) -> nn.Module:
    model = copy.deepcopy(model).train()
    torch.manual_seed(seed)
    steps = epochs * (len(images.train) // BATCH)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True, weight_decay=5e-4)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _, batch in zip(range(steps), images.train.stream(BATCH, seed=seed), strict=False):
        optimiser.zero_grad()
        torch.autograd.backward(F.cross_entropy(model(batch.images), batch.labels))
        optimiser.step()
        rate.step()
    return model.eval()


def row(name: str, model: nn.Module, images: Data, whole: nn.Module, options: argparse.Namespace) -> dict[str, Any]:
    shape = tuple(images.shape)  # type: ignore[arg-type]
    return {
        "way": name,
        "macs": count_macs(model, shape) / count_macs(whole, shape),
        "params": count_params(model) / count_params(whole),
        "as it is": accuracy(model, images, calibrated=False),
        "calibrated": accuracy(model, images, calibrated=True),
        "tuned": accuracy(tuned(model, images, options.tuned, options.seed), images, calibrated=False),
        "epochs": options.tuned,
        "seed": options.seed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--keep", type=float, nargs="*", default=[0.6])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--tuned", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    facts = environment()
    images = data.npz(options.data)
    file = options.out.with_suffix(".pt")
    if not file.exists():
        torch.save(trained(images, options.epochs, options.seed).state_dict(), file)
    whole = model_of(file)
    rows = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    done = {(each["way"], each.get("asked")) for each in rows}
    print(f"the model: {accuracy(whole, images, calibrated=False)} %", flush=True)
    for keep in options.keep:
        for name, cut in WAYS.items():
            if (name, keep) in done:
                continue
            found = row(name, cut(file, images, keep), images, whole, options)
            found |= {"asked": keep, "cpu": facts["cpu"], "torch": facts["torch"]}
            with options.out.open("a") as lines:
                lines.write(json.dumps(found) + "\n")
            print(found, flush=True)


if __name__ == "__main__":
    main()
