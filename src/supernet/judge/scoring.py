"""Scores of many subnets, on the disk as soon as they are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from supernet.errors import UsageError
from supernet.judge.truth.table_file import TableFile, read_source
from supernet.measure import NetEvaluator
from supernet.space import Arch
from supernet.train.checkpoint import digest
from supernet.train.recipe import describe

_SOURCE = "scored with inherited weights"


def scored(
    evaluator: NetEvaluator,
    archs: Sequence[Arch],
    *,
    out: Path | str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[float]:
    """Accuracies of subnets with inherited weights, in the order of the architectures.

    Args:
        evaluator: Tells them.
        archs: The architectures.
        out: A `.jsonl` file that grows by a line per architecture. Called again with the same weights, images and
            settings, only those that are missing are scored; a file of other scores is replaced. None keeps nothing.
        progress: Called as `progress(done, total)` after each architecture.

    Raises:
        UsageError: the file holds something other than scores; it is left as it is.
        RunError: an output is not finite, a line of the file cannot be read, or it cannot be written.
    """
    told: dict[tuple[int, ...], float] = {}
    with _opened(evaluator, out) as file:
        if len(file):
            kept = file.table()
            told = dict(zip(map(tuple, kept.codes.tolist()), kept.mean.tolist(), strict=True))
        for done, arch in enumerate(archs, start=1):
            if arch.code not in told:
                told[arch.code] = evaluator.scores(arch).accuracy
                file.append(arch, 0, told[arch.code])
            if progress is not None:
                progress(done, len(archs))
    return [told[arch.code] for arch in archs]


def _opened(evaluator: NetEvaluator, out: Path | str | None) -> TableFile:
    """The file of scores, empty unless it holds those of just these weights, images and settings."""
    path = None if out is None else Path(out)
    settings = (
        {}
        if path is None
        else {
            "weights": digest(evaluator.net.state_dict()),
            "data": evaluator.data.fingerprint(),
            "scoring": describe(evaluator.settings()),
        }
    )

    def opened() -> TableFile:
        return TableFile(path, evaluator.net.space, source=_SOURCE, settings=settings)

    try:
        return opened()
    except UsageError:  # made with other weights or settings
        if path is None or read_source(path) != _SOURCE:
            raise  # a table of trainings is worth hours
        path.unlink()
        return opened()
