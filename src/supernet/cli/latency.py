"""`supernet latency build`: what architectures take on a device, without measuring each."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from supernet.cli.requests import Pairs
from supernet.errors import UsageError
from supernet.io.progress import ProgressBar


def latency_build(
    path: Path | None = None,
    /,
    *,
    space: str | None = None,
    space_options: Annotated[Pairs, Parameter(name=("--space-option", "-S"))] = None,
    data: str | None = None,
    data_options: Annotated[Pairs, Parameter(name=("--data-option", "-D"))] = None,
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    batch_size: int = 1,
    threads: int = 1,
    figure: Literal["median", "p10"] = "median",
    seconds: float = 0.1,
    repeats: int = 3,
    learn: int = 0,
    check: int = 30,
    seed: int = 0,
    overwrite: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> None:
    """Build a table of block latencies on this machine, and compare it with networks measured whole.

    What was measured is kept: started again after an interruption, it goes on.

    Args:
        path: Run directory that `train` or `run` has made. Or none, with --space.
        space: Search space without a run (see `supernet list spaces`), or module:function of your own.
        space_options: Option of the space, as name=value; repeatable.
        data: Data set that gives the space without a run its image size and classes. Default: digits.
        data_options: Option of the data, as name=value; repeatable.
        out: The table. Default: latency.json in the run directory, or here.
        batch_size: Images per forward pass.
        threads: CPU threads.
        figure: What counts of the repeated passes: their median, or p10, the time that a tenth of them stays below,
            for a machine that others use at the same time.
        seconds: How long each network or block is repeated.
        repeats: How often each block is measured, in mixed order.
        learn: Measure also so many networks whole, and learn from them what the table misses; kept beside the table
            as NAME-learned.json. At least 20.
        check: Networks to measure whole for the comparison, each twice; 0: none.
        seed: Which networks.
        overwrite: Measure anew what is already in the files.
    """
    from supernet import measure
    from supernet.cli.requests import TrainRequest
    from supernet.io.run_directory import RunDirectory
    from supernet.runs.config import Config
    from supernet.runs.run import Run

    if (path is None) == (space is None):
        raise UsageError("A table is built for a run directory or for a --space; give one of them.")
    if path is not None:
        if space_options or data or data_options:
            raise UsageError("A run directory says itself which space and data it has; leave these options out.")
        run = Run.open(path, _say)
        file = path / "latency.json" if out is None else out
    else:
        asked = TrainRequest(space=space, space_options=space_options, data=data, data_options=data_options)
        run = Run(asked.apply(Config()), RunDirectory("."), _say)
        file = Path("latency.json") if out is None else out
    if learn and learn < 20:
        raise UsageError(f"--learn is {learn}; a predictor is learned from at least 20 networks (0: none).")
    with nullcontext() if path is None else run.directory.alone(_say):
        net, shape = run.net, run.data.shape
        device = measure.ThisMachine(batch_size=batch_size, threads=threads, seconds=seconds)
        counted: measure.Figure = "p10_ms" if figure == "p10" else "median_ms"

        with ProgressBar("latency", 0, unit="measurements") as bar:
            table = measure.LatencyTable.build(
                net,
                device,
                input_shape=shape,
                figure=counted,
                repeats=repeats,
                seed=seed,
                out=file,
                resume=not overwrite,
                progress=_into(bar),
            )
        _say(f"{table}: {file}")
        if check:
            with ProgressBar("check", 0, unit="measurements") as bar:
                found = table.check(net, device, n=check, seed=seed + 1, progress=_into(bar))
            for sentence in found.sentences():
                _say(sentence)
        if learn:
            beside = file.with_name(f"{file.stem}-learned.json")
            with ProgressBar("learn", 0, unit="measurements") as bar:
                learned = measure.LatencyPredictor.build(
                    net,
                    device,
                    n=learn,
                    table=table,
                    input_shape=shape,
                    figure=counted,
                    seed=seed,
                    out=beside,
                    resume=not overwrite,
                    progress=_into(bar),
                )
            for sentence in learned.sentences():
                _say(sentence)
            _say(f"predictor: {beside}")


def _into(bar: ProgressBar) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done)

    return progress


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
