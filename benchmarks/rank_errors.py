"""What judged supernets of NAS-Bench-201 get wrong, and how large the weights of their candidates are.

    python benchmarks/rank_errors.py runs/dynamic_training/spos runs/dynamic_training/spos-freeze

One line per directory, mean over the runs below it:

- Kendall's τ to the truth and to parameter count, and to the truth with parameter count held fixed (partial τ);
- for each operation the correlation of how often an architecture has it with the error of its rank (positive: the
  supernet ranks architectures with many of them too high);
  An order that is the truth with noise errs too, against whatever good architectures have: the last line is that of
  noise that leaves the τ of the first directory;
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
from supernet.bench.ranking import Ranking
from supernet.rank import kendall_tau, partial_tau
from supernet.rank.checks import Floats

OPERATIONS = ("none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1", "nor_conv_3x3")


def read_ranking(run: Path) -> Ranking:
    """Of a run that was judged."""
    ranking = FinishedRun.read(run).ranking
    if ranking is None:
        raise SystemExit(f"{run} was searched but not judged; judge it first.")
    return ranking


def rank_errors(ranking: Ranking, predicted: Floats) -> list[float]:
    """Three τ, then a correlation per operation, for scores (N,)."""
    true, params = ranking.true, ranking.baselines["parameter count"]
    error = rankdata(predicted) - rankdata(true)
    counts = [[arch.count(operation) for arch in ranking.archs] for operation in OPERATIONS]
    taus = [kendall_tau(predicted, true), kendall_tau(predicted, params), partial_tau(predicted, true, params)]
    return [*taus, *(float(np.corrcoef(count, error)[0, 1]) for count in counts)]


def noisy_truth(ranking: Ranking, tau: float, *, draws: int = 40) -> list[float]:
    """`rank_errors` of the true ranks with as much normal noise as leaves this τ, mean over draws."""
    ranks = rankdata(ranking.true)
    noise = np.random.default_rng(0).normal(size=(draws, len(ranks)))
    low, high = 0.0, 10.0 * len(ranks)
    for _ in range(20):
        scale = (low + high) / 2
        left = np.mean([kendall_tau(ranks + scale * each, ranks) for each in noise])
        low, high = (scale, high) if left > tau else (low, scale)
    found: list[float] = np.mean([rank_errors(ranking, ranks + low * each) for each in noise], axis=0).tolist()
    return found


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
    places = [(place, find_runs([place])) for place in parser.parse_args().runs]
    print(f"{'':30}" + "".join(f"{title:>13}" for title in head))
    taus = []
    for place, runs in places:
        rankings = [read_ranking(run) for run in runs]
        errors = np.mean([rank_errors(ranking, ranking.predicted) for ranking in rankings], axis=0)
        sizes = np.mean([weight_sizes(run) for run in runs], axis=0)
        print(f"{place.name:30}{len(runs):13}" + "".join(f"{figure:13.3f}" for figure in [*errors, *sizes]))
        taus.append(float(errors[0]))
    noise = noisy_truth(read_ranking(places[0][1][0]), taus[0])
    print(f"{'truth with noise':30}{'':13}" + "".join(f"{figure:13.3f}" for figure in noise))


if __name__ == "__main__":
    main()
