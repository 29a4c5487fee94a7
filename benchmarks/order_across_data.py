"""Does the order of architectures carry over from one data set to another? By the table of NAS-Bench-201.

    python benchmarks/order_across_data.py nasbench201.npz

The shifting paper (Zhang et al., CVPR 2024, supplement §8): the ten best architectures on ImageNet-1K beat ten random
ones by 0.5 % on CIFAR-100 and by 0.9 % on ImageNet-100, but their order among themselves is another one there.

Here one training on a first data set is compared with one on a second, validation accuracy after 200 epochs, averaged
over all pairs of different seeds: Kendall's τ over all architectures, among the best 5 % and the best ten of the first
training; and by how many points these ten are better there than the mean architecture, and worse than the best one.
The rows that compare a data set with itself show what the noise of training alone does. Cells that compute the same
function count once.
"""

from __future__ import annotations

import argparse
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from supernet import judge
from supernet.rank import kendall_tau
from supernet.space import Arch

SETS: tuple[Literal["cifar10", "cifar100", "ImageNet16-120"], ...] = ("cifar10", "cifar100", "ImageNet16-120")


def function(arch: Arch) -> str:
    """What a cell computes: sums are sorted and flattened, a skip is its input, none is nothing."""
    nodes: list[list[str]] = [["x"]]
    for target in range(1, 4):
        terms = list[str]()
        for source in range(target):
            op, value = arch[f"{target}<-{source}"], nodes[source]
            if op == "skip_connect":
                terms += value
            elif op != "none" and value:
                terms.append(f"{op}({'+'.join(value)})")
        nodes.append(sorted(terms))
    return "+".join(nodes[-1])


def compare(first: NDArray[np.float64], second: NDArray[np.float64]) -> list[float]:
    """The five figures, of two trainings (N,); NaN where an architecture was not trained."""
    there = np.isfinite(first) & np.isfinite(second)
    first, second = first[there], second[there]
    order = np.argsort(-first, kind="stable")
    best, ten = order[: round(0.05 * len(order))], order[:10]
    taus = [kendall_tau(first[rows], second[rows]) for rows in (order, best, ten)]
    return [*taus, second[ten].mean() - second.mean(), second.max() - second[ten].mean()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", help="what nasbench201_truth reads")
    options = parser.parse_args()
    tables = {name: judge.nasbench201_truth(name, metric="val_acc", source=options.table) for name in SETS}
    archs = list({function(arch): arch for arch in reversed(tables["cifar10"].archs)}.values())
    values = {name: table.trainings(archs) for name, table in tables.items()}
    print(f"{len(archs):,} different functions")
    print(f"{'first -> second':<32}  τ all  best 5 %  best ten  over the mean  under the best")
    for a, b in product(SETS, SETS):
        pairs = [(i, j) for i in range(values[a].shape[1]) for j in range(values[b].shape[1]) if i != j]
        rows = [compare(values[a][:, i], values[b][:, j]) for i, j in pairs]
        every, best, ten, over, under = np.mean(rows, axis=0)
        print(f"{f'{a} -> {b}':<32}  {every:.3f}  {best:8.3f}  {ten:+8.3f}  {over:+13.2f}  {under:14.2f}")


if __name__ == "__main__":
    main()
