"""Do extracted subnets need a retraining? Smallest, random and largest, as inherited and after one more epoch.

    python benchmarks/without_retraining.py --out curves.jsonl [--data FILE.npz] [--only NAME …] [--steps N] [--seed N]

Each elastic method trains its small space; along the way the accuracy of the smallest, a random and the largest subnet
is measured (a fifth of the steps apart), at the end that of each and of three more as inherited, with batch norm
calibrated, and after one epoch of training of the subnet alone at a tenth of the learning rate that a lone network
has (SGD 0.01, cosine to 0). A line per method is added to the file as soon as it is done; a method that is there is
not trained again.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from supernet import Supernet, data, fit, measure, methods, zoo
from supernet.data import Data
from supernet.io.run_directory import environment
from supernet.methods.elastic import ofa
from supernet.space import Arch
from supernet.train import Cosine, CrossEntropy, Fixed, Recipe, SubnetScores, TrainPaths, sgd
from supernet.zoo.elastic import attentivenas, bignas, ofa_mobilenetv3

BATCH = 64
Build = Callable[..., Supernet]


def _autoformer() -> Recipe:
    """AutoFormer for few steps: the published rate, 6e-5 for 64 images after 20 epochs of rise, teaches nothing yet."""
    mild = data.Mixed(mixup=0.2, probability=0.5, erase=0.1)
    return methods.autoformer(augmented=None, mixed=mild, repeats=1, drop_path=0).with_weights(lr=2e-3, per=None)


def _ofa_faster() -> Recipe:
    """OFA for few steps: three times the published rates of the stages that shrink, which are for 78,000 steps each."""
    slower = ofa.LARGEST._replace(rate=ofa.LARGEST.rate / 3)
    return methods.ofa(largest=slower).with_weights(lr=3 * 0.96)


CASES: dict[str, tuple[Callable[[], Recipe], Build]] = {
    "sandwich": (methods.sandwich, partial(zoo.bignas, **bignas.TINY)),
    "sandwich, one pass": (partial(methods.sandwich, one_pass=True), partial(zoo.bignas, **bignas.TINY)),
    "bignas": (methods.bignas, partial(zoo.bignas, **bignas.TINY)),
    "alphanet": (methods.alphanet, partial(zoo.attentivenas, **attentivenas.TINY)),
    "ofa": (methods.ofa, partial(zoo.ofa_mobilenetv3, **ofa_mobilenetv3.TINY)),
    "ofa, three times the rate": (_ofa_faster, partial(zoo.ofa_mobilenetv3, **ofa_mobilenetv3.TINY)),
    "autoformer": (_autoformer, partial(zoo.autoformer, variant="tiny")),
}


def tuned(net: Supernet, arch: Arch, images: Data, seed: int) -> float:
    """Accuracy in % after one epoch of the subnet alone."""
    net = copy.deepcopy(net)
    program = TrainPaths(sampler=Fixed(arch), objective=CrossEntropy())
    weights = sgd(0.01, nesterov=True, weight_decay=1e-5, schedule=Cosine())
    steps = max(1, len(images.train) // BATCH)
    recipe = Recipe(name="alone", program=program, weights=weights)
    fit(net, recipe, images, steps=steps, batch_size=BATCH, seed=seed, progress=False)
    return inherited(net, arch, images)


def inherited(net: Supernet, arch: Arch, images: Data) -> float:
    """Accuracy in %, with batch norm calibrated."""
    return 100 * measure.accuracy(net, arch, images, calibration=measure.Calibration(images=1000))


def curves(name: str, images: Data, steps: int, seed: int) -> dict[str, Any]:
    """One method on its space."""
    make, build = CASES[name]
    torch.manual_seed(seed)
    channels, side, _ = shape = cast("tuple[int, int, int]", images.shape)
    net = build(image_size=side, num_classes=images.num_classes, in_channels=channels)
    watch = SubnetScores(images, every=steps // 5, images=1000)
    trained = fit(net, make(), images, steps=steps, batch_size=BATCH, seed=seed, monitors=(watch,), progress=False)
    net, space = trained.net, trained.net.space
    archs = [space.smallest(), space.largest(), *space.wrap(space.population(np.random.default_rng(seed + 1), 4))]
    rows = [
        {
            "arch": ("smallest", "largest", *("random",) * 4)[i],
            "macs": measure.macs(net, arch, input_shape=shape),
            "params": measure.params(net, arch),
            "inherited": round(inherited(net, arch, images), 2),
            "tuned": round(tuned(net, arch, images, seed), 2),
        }
        for i, arch in enumerate(archs)
    ]
    along = [
        {key: round(100 * value, 2) for key, value in row.items() if key.startswith("accuracy/")}
        | {"step": row["step"]}
        for row in trained.history
        if "accuracy/smallest" in row
    ]
    passes = {key: trained.history[-1][key] / steps for key in ("forwards", "backwards")}
    return {"method": name, "steps": steps, "seed": seed, "passes per step": passes, "along": along, "subnets": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", default="mnist5k")
    parser.add_argument("--only", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    images = data.mnist5k(augment=data.Augment()) if options.data == "mnist5k" else data.npz(options.data)
    facts = environment()
    done = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    known = {(row["method"], row["steps"], row["seed"]) for row in done}
    for name in options.only:
        if (name, options.steps, options.seed) in known:
            continue
        row = curves(name, images, options.steps, options.seed) | {"cpu": facts["cpu"], "torch": facts["torch"]}
        with options.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row, indent=1))


if __name__ == "__main__":
    main()
