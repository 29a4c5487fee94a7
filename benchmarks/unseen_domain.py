"""Accuracy on a domain that nobody has seen, of NAS-OoD and of the same without a generator: `docs/methods/nas_ood.md`.

    OMP_NUM_THREADS=1 python benchmarks/unseen_domain.py rotated

The baseline is one-stage ISTA-NAS: the same codes, network, data, phases and steps, and no image but real ones. NAS-OoD
trains its classifiers for 60 steps more, in which the network does not learn. Batch norm has statistics of the domains
that are trained on.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import torch

from supernet import data, fit, zoo
from supernet.measure import accuracy
from supernet.methods import ista_nas, nas_ood
from supernet.methods.cells.ista_nas import ONE_STAGE
from supernet.train import Recipe, adam

STEPS, BEFORE = 270, 60
COMMON: dict[str, Any] = {
    "epochs": (90.0, 180.0),
    "converged": 0.0,  # the search has its whole length
    "recover": "steps",
    "architecture": adam(0.03, betas=(0.5, 0.999)),
    "drop_path": 0.0,
}
GENERATOR = adam(1e-3, betas=(0.5, 0.999))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("target", choices=("plain", "rotated", "inverted", "blurred"))
    target = parser.parse_args().target
    images = data.digit_domains(target=target)
    plain = ista_nas(**{**ONE_STAGE, **COMMON, "auxiliary": 0.0})
    against = nas_ood(**COMMON, pretrain=60.0, begin=90.0, width=16, blocks=1, generator=GENERATOR)
    trials: tuple[tuple[Recipe, int], ...] = ((plain, STEPS), (against, STEPS + BEFORE))
    for recipe, steps in trials:
        begun = time.perf_counter()
        torch.manual_seed(0)
        net = zoo.nasbench201(channels=8, cells=1, in_channels=1, affine=True, statistics="calibrate")
        trained = fit(net, recipe, images, steps=steps, batch_size=32, accelerator="cpu", progress=False)
        known, unseen = (
            accuracy(trained.net, trained.derived, d) for d in (images, replace(images, validation=images.test))
        )
        seconds = time.perf_counter() - begun
        print(f"{recipe.name}: {known:.3f} on known domains, {unseen:.3f} on {target}, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
