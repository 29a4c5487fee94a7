"""What judged supernets of NAS-Bench-201 get wrong, and how large the weights of their candidates are.

    python benchmarks/rank_errors.py runs/dynamic_training/spos runs/dynamic_training/spos-freeze

One line per directory, mean over the runs below it:

- Kendall's τ to the truth and to parameter count, and to the truth with parameter count held fixed (partial τ);
- for each operation the correlation of how often an architecture has it with the error of its rank (positive: the
  supernet ranks architectures with many of them too high);
- the size of convolution weights in candidates and in layers that every subnet uses: root mean square × √(fan-in),
  0.58 at the start (where checkpoints were kept). A batch norm follows each convolution, so that its weights have no
  scale of their own: the smaller they are, the larger a step of given length.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.stats import rankdata

from supernet.bench.finished import FinishedRun
from supernet.bench.grouping import find_runs
from supernet.judge import kendall_tau

OPERATIONS = ("none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1", "nor_conv_3x3")


def rank_errors(run: FinishedRun) -> list[float]:
    """Three τ, then a correlation per operation."""
    ranking = run.ranking
    if ranking is None:
        raise SystemExit(f"{run.path} was searched but not judged; judge it first.")
    predicted, true, params = ranking.predicted, ranking.true, ranking.baselines["parameter count"]
    tau, ours, free = kendall_tau(predicted, true), kendall_tau(predicted, params), kendall_tau(true, params)
    partial = (tau - ours * free) / math.sqrt((1 - ours**2) * (1 - free**2))
    error = rankdata(predicted) - rankdata(true)
    counts = [[arch.count(operation) for arch in ranking.archs] for operation in OPERATIONS]
    return [tau, ours, partial, *(float(np.corrcoef(count, error)[0, 1]) for count in counts)]


def weight_sizes(run: Path) -> list[float]:
    """Of 1x1 candidates, of 3x3 candidates, of the layers that are always used; NaN without a checkpoint."""
    sizes: dict[str, list[float]] = {"nor_conv_1x1": [], "nor_conv_3x3": [], "": []}
    for checkpoint in sorted((run / "checkpoints").glob("*.safetensors"))[-1:]:
        for name, weight in load_file(checkpoint).items():
            if name.startswith("net/") and weight.ndim == 4:
                kind = next(kind for kind in sizes if kind in name)
                sizes[kind].append(math.sqrt(float((weight.astype(float) ** 2).mean()) * math.prod(weight.shape[1:])))
    return [float(np.mean(found)) if found else math.nan for found in sizes.values()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="judged run directories, or directories that hold some")
    head = ["runs", "τ", "τ params", "partial", *OPERATIONS, "size 1x1", "size 3x3", "always"]
    print(f"{'':30}" + "".join(f"{title:>13}" for title in head))
    for place in parser.parse_args().runs:
        runs = find_runs([place])
        figures = np.mean([[*rank_errors(FinishedRun.read(run)), *weight_sizes(run)] for run in runs], axis=0)
        print(f"{place.name:30}{len(runs):13}" + "".join(f"{figure:13.3f}" for figure in figures))


if __name__ == "__main__":
    main()
