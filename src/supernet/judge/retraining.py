"""Ground truth of one's own: architectures trained alone, one after the other or side by side."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from supernet.data import ImageData
from supernet.errors import RunError, UsageError
from supernet.io.progress import ProgressBar
from supernet.judge.alone import Alone, Regime, Training, reinitialised
from supernet.judge.truth.table import Table
from supernet.judge.truth.table_file import TableFile
from supernet.measure import Calibration
from supernet.measure.scores.calibration import DEFAULT
from supernet.measure.untouched import threads as threads_of
from supernet.nn import Supernet
from supernet.space import Arch
from supernet.train import Recipe

Task = tuple[Arch, int]


def retrain(
    net: Supernet | Callable[[], Supernet],
    recipe: Recipe,
    data: ImageData,
    archs: Sequence[Arch],
    *,
    steps: int,
    batch_size: int = 64,
    seeds: int | Sequence[int] = 1,
    out: Path | str | None = None,
    split: Literal["validation", "test"] = "validation",
    calibration: Calibration | None = DEFAULT,
    workers: int = 1,
    threads: int = 1,
    accelerator: str = "auto",
    progress: bool = True,
) -> Table:
    """Train architectures alone, each from fresh weights, and tabulate their accuracies.

    A training is a function of architecture, seed and settings: neither the number of workers nor what was
    trained before changes a bit of it (same machine). Each is written to `out` as soon as it is done; called
    again, only those that are missing are run. All architectures have their first training before any has its
    second.

    Args:
        net: A function that builds the supernet with fresh weights; or a supernet, of which only the layers'
            `reset_parameters` are used, never the weights. For `workers` above 1 it must be importable.
        recipe: Optimiser, schedule and objective; its sampler is replaced by the one architecture.
        data: Images.
        archs: Architectures; one that is given twice is trained once.
        steps: Training steps of each.
        batch_size: Images per step.
        seeds: How many trainings of each architecture (seeds 0, 1, …), or their seeds. A seed decides initial
            weights, image order and augmentation.
        out: A `.jsonl` file that grows by a line per training; None keeps nothing.
        split: Measure on the validation images; on the test images only if told so.
        calibration: BatchNorm statistics for the measurement; None keeps those of the training, which networks
            built with `statistics="track"` have.
        workers: Processes. A script that uses more than one needs `if __name__ == "__main__":`.
        threads: Threads of each process.
        accelerator: As in `fit`.
        progress: Whether to show progress.

    Returns:
        The table of `archs`, in their order.

    Raises:
        UsageError: no architectures, an option outside its range, a network that cannot be made afresh or sent to
            another process, or `out` holds trainings by other settings.
        RunError: a training diverged, a process died, or the file cannot be written.
    """
    chosen = _seeds(seeds)
    for name, value in (("steps", steps), ("batch_size", batch_size), ("workers", workers), ("threads", threads)):
        if value < 1:
            raise UsageError(f"{name} is {value}; it must be at least 1.")
    if not archs:
        raise UsageError("There is nothing to train; give at least one architecture.")
    regime = Regime(
        build=partial(reinitialised, net) if isinstance(net, Supernet) else net,
        recipe=recipe,
        data=data,
        steps=steps,
        batch_size=batch_size,
        split=split,
        calibration=calibration,
        accelerator=accelerator,
    )
    example = regime.build()
    archs = example.space.wrap(example.space.codes(list(dict.fromkeys(archs))))
    settings = regime.describe(example)
    source = f"each trained alone on {data.name}: {steps} steps of {batch_size} images, {split} accuracy"
    with TableFile(out, example.space, source=source, settings=settings) as file:
        tasks = [(arch, seed) for seed in chosen for arch in archs if (arch, seed) not in file]
        total = len(archs) * len(chosen)
        run = _here(regime, tasks, threads) if workers == 1 else _side_by_side(regime, tasks, workers, threads)
        with ProgressBar("retrain", total, unit="trainings", start=total - len(tasks), enabled=progress) as bar:
            for done, ((arch, seed), training) in enumerate(run, start=total - len(tasks) + 1):
                file.append(arch, seed, training.accuracy, loss=training.loss, seconds=round(training.seconds, 3))
                bar.update(done, f"accuracy {training.accuracy:.3f}")
        return file.table(seeds=chosen).subset(archs)


def _seeds(seeds: int | Sequence[int]) -> list[int]:
    chosen = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not chosen or len(set(chosen)) < len(chosen) or min(chosen) < 0:
        raise UsageError(
            f"seeds={seeds!r}: give the number of trainings of each architecture, at least 1, or their seeds: "
            "different whole numbers from 0 up."
        )
    return chosen


def _here(regime: Regime, tasks: Iterable[Task], threads: int) -> Iterator[tuple[Task, Training]]:
    alone = Alone(regime)
    with threads_of(threads):
        for arch, seed in tasks:
            yield (arch, seed), alone(arch, seed)


def _side_by_side(regime: Regime, tasks: Sequence[Task], workers: int, threads: int) -> Iterator[tuple[Task, Training]]:
    """In processes that start from nothing. Each gets the regime once, by value, and architectures as codes."""
    if not tasks:
        return
    try:
        sent = pickle.dumps(regime)  # travels through a pipe to our own processes, never into a file
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UsageError(
            f"The network or recipe cannot be sent to another process: {error}. Pass a function at the top level of "
            "a module (or functools.partial of one) that builds the network, or use workers=1."
        ) from error
    pool = ProcessPoolExecutor(
        min(workers, len(tasks)), mp_context=get_context("spawn"), initializer=_begin, initargs=(sent, threads)
    )
    try:
        waiting = {pool.submit(_work, arch.code, seed): (arch, seed) for arch, seed in tasks}
        for future in as_completed(waiting):
            yield waiting[future], future.result()
    except BrokenProcessPool as error:
        raise RunError(
            "A process that trained architectures has ended unexpectedly: it was killed, ran out of memory, or the "
            'script that started it lacks `if __name__ == "__main__":`. Finished trainings are kept; start again '
            "to go on, with fewer workers if memory was short."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


class _Worker:
    """What a worker process keeps between its trainings."""

    sent: bytes = b""
    alone: Alone | None = None


def _begin(sent: bytes, threads: int) -> None:
    torch.set_num_threads(threads)
    _Worker.sent = sent


def _work(code: tuple[int, ...], seed: int) -> Training:
    if _Worker.alone is None:  # not in `_begin`, whose errors would not reach the caller
        _Worker.alone = Alone(pickle.loads(_Worker.sent))
    (arch,) = _Worker.alone.net.space.wrap(np.asarray([code]))
    return _Worker.alone(arch, seed)
