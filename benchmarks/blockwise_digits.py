"""How well DONNA's predictor, inherited accuracy and parameters rank networks on digits.

    python benchmarks/blockwise_digits.py [SEED]

A reference is trained; `zoo.dna(variant="tiny")` learns its stages path by path; some subnets are fine-tuned from these
weights, and a line in their stages' losses is fitted. Kendall's τ with the fine-tuned accuracies on validation images,
of the line leaving one out, beside what needs no fine-tuning. Minutes on one processor.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from torch import nn

from supernet import data, deploy, fit, measure, zoo
from supernet.measure import NetEvaluator
from supernet.measure.predictors.leave_one_out import leave_one_out
from supernet.measure.predictors.on_terms import OnTerms, TermsOf
from supernet.methods import donna
from supernet.rank import kendall_tau
from supernet.train import StageLoss, TappedTeacher
from supernet.train.scores.additivity import additivity

NETWORKS, STEPS, FINE = 16, 300, 30
DIGITS = data.digits()
SIZES: dict[str, Any] = {
    "image_size": 8,
    "in_channels": 1,
    "num_classes": 10,
    "cells": [[(1, 8)], [(2, 12)], [(1, 16)]],
    "strides": (1, 1, 1, 2),
    "head_width": 64,
}


def block(width_in: int, width_out: int, stride: int) -> nn.Sequential:
    """A convolution, its norm, a ReLU."""
    convolution = nn.Conv2d(width_in, width_out, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width_out), nn.ReLU())


def reference() -> nn.Module:
    """A network of three blocks, trained for 300 steps."""
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))
    net = nn.Sequential(block(1, 8, 1), block(8, 12, 1), block(12, 16, 2), *head)
    optimiser, stream = torch.optim.Adam(net.parameters(), 3e-3), DIGITS.train.stream(64, seed=0, start=0)
    for _ in range(300):
        batch = next(stream)
        loss = nn.functional.cross_entropy(net(batch.images), batch.labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    net.eval()
    batch = next(DIGITS.validation.batches(500))
    print(f"reference: accuracy {float((net(batch.images).argmax(1) == batch.labels).float().mean()):.3f}")
    return net


def main(seed: int) -> None:
    """Print the table."""
    torch.manual_seed(seed)
    net = zoo.dna(**SIZES)
    teacher = TappedTeacher(network=reference, taps=("0", "1", "2"))
    recipe = donna(reference=teacher, count=3, rating=StageLoss(kind="normalised", images=288))
    trained = fit(net, recipe, DIGITS, steps=STEPS, batch_size=32, seed=seed, accelerator="cpu", progress=False)
    evaluator = NetEvaluator(net, DIGITS, score=recipe.ranks_by, parts=trained.parts)
    codes = np.unique(net.space.population(np.random.default_rng(seed), 4 * NETWORKS), axis=0)
    codes = np.random.default_rng(seed).permutation(codes)[:NETWORKS]
    archs = net.space.wrap(codes)
    tuned = [
        deploy.retrained(net, arch, DIGITS, steps=FINE, start="inherited", seed=seed, accelerator="cpu", progress=False)
        for arch in archs
    ]
    truth = np.asarray([measure.accuracy(one, arch, DIGITS) for one, arch in zip(tuned, archs, strict=True)])
    print(f"{len(archs)} networks after {FINE} steps: accuracy {truth.min():.3f} to {truth.max():.3f}")
    print("DONNA, leaving one out:", leave_one_out(OnTerms(terms=TermsOf(evaluator)), net.space, codes, truth))
    sums = np.asarray([evaluator.value(arch) for arch in archs])
    inherited = np.asarray([measure.accuracy(net, arch, DIGITS) for arch in archs])
    params = np.asarray([measure.params(net, arch) for arch in archs], dtype=float)
    for name, values in (("sum of stages, small first", -sums), ("inherited accuracy", inherited), ("params", params)):
        print(f"{name}: τ {kendall_tau(values, truth):.2f}")
    added = additivity(recipe.ranks_by, net, archs, trained.parts, DIGITS)  # type: ignore[arg-type]
    print(f"fed by the reference or by itself: sums differ by {added.error:.0%}, τ {added.tau:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
