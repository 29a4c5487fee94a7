"""One search by one process, and by workers of which one is killed."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import torch

from small_nets import images, operations_net
from spread_scores import Deadly
from supernet import search
from supernet.measure import NetEvaluator
from supernet.workers import Workers


def searched(out: Path, workers: Workers | None, *, flag: Path | None = None) -> list[str]:
    """The sentences about workers that died; the record is in `out`."""
    torch.manual_seed(0)
    evaluator = NetEvaluator(
        operations_net(), images(), score=Deadly("" if flag is None else str(flag), os.getpid()), batch_size=32
    )
    with nullcontext() if workers is None else evaluator.spread(workers) as spread:
        search.run(
            search.Evolution(population=4, parents=2, mutations=2, crossovers=2),
            evaluator,
            objectives=("deadly",),
            constraints={"accuracy": (0.0, 1.0)},
            budget=8,
            out=out,
        )
        return [] if spread is None else spread.lost


def files(folder: Path) -> dict[str, bytes]:
    """What a search has written, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
