"""`supernet latency build`: what architectures take on a device, without measuring each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from msgspec import Meta

from supernet.cli.options import DEVICE, NOTHING, RUN, SpaceOptions, asked, at_least, value
from supernet.cli.output import Json, Output
from supernet.errors import UsageError
from supernet.io.config import Config, Seed
from supernet.io.progress import ProgressBar


def latency_build(
    path: Annotated[
        Path | None,
        Parameter(help="Directory of a run, as `supernet train` or `run` has made it. Or none, with --space."),
    ] = None,
    /,
    *,
    built: SpaceOptions = NOTHING,
    out: Annotated[
        Path | None,
        Parameter(
            name=("--out", "-o"),
            group=RUN,
            help="File for the table. By default latency.json in the directory of the run, or here.",
        ),
    ] = None,
    batch_size: Annotated[int, at_least(1), Parameter(group=DEVICE, help="Number of images per forward pass.")] = 1,
    threads: Annotated[
        int,
        at_least(1),
        Parameter(group=DEVICE, help="Number of CPU threads that a forward pass takes."),
    ] = 1,
    figure: Annotated[
        Literal["median", "p10"],
        Parameter(
            group=DEVICE,
            help="What counts of the repeated passes: their median, or p10, the time that a tenth of them stays below, "
            "for a machine that others use at the same time.",
        ),
    ] = "median",
    seconds: Annotated[
        float,
        value(Annotated[float, Meta(ge=0, le=3600)]),
        Parameter(group=DEVICE, help="Seconds for which the passes of a network or block are repeated."),
    ] = 0.1,
    repeats: Annotated[
        int, at_least(1), Parameter(group=DEVICE, help="Number of times each block is measured, in mixed order.")
    ] = 3,
    learn: Annotated[
        int,
        at_least(0),
        Parameter(
            group=DEVICE,
            help="Number of networks to measure whole too, to learn from them what the table misses; kept beside the "
            "table as NAME-learned.json. At least 20; 0: none.",
        ),
    ] = 0,
    check: Annotated[
        int,
        at_least(0),
        Parameter(
            group=DEVICE, help="Number of networks to measure whole for the comparison, each twice; 0: no comparison."
        ),
    ] = 30,
    seed: Annotated[int, value(Seed), Parameter(group=DEVICE, help="Seed of which networks are measured.")] = 0,
    overwrite: Annotated[
        bool,
        Parameter(negative=(), show_default=False, group=RUN, help="Measure anew what is already in the files."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Build a table of block latencies on this machine, and compare it with networks measured whole.

    What was measured is kept: started again after an interruption, it goes on.

        supernet latency build runs/a --threads 4

        supernet latency build --space nasbench201 --data cifar10 --learn 100
    """
    from supernet import measure
    from supernet.io.run_directory import RunDirectory
    from supernet.runs.run import Run

    output = Output(as_json)
    if (path is None) == ("space" not in built):
        raise UsageError("A table is built for a run directory or for a --space; give one of them.")
    if path is not None:
        if built:
            raise UsageError("A run directory says itself which space and data it has; leave these options out.")
        run = Run.open(path, output.say)
        file = path / "latency.json" if out is None else out
    else:
        run = Run(asked(Config(), built=built), RunDirectory("."), output.say)
        file = Path("latency.json") if out is None else out
    if 0 < learn < 20:
        raise UsageError(f"--learn is {learn}; a predictor is learned from at least 20 networks (0: none).")
    result: dict[str, Any] = {"table": file}
    with nullcontext() if path is None else run.directory.alone(output.say):
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
        output.say(f"{table}: {file}")
        if check:
            with ProgressBar("check", 0, unit="measurements") as bar:
                found = table.check(net, device, n=check, seed=seed + 1, progress=_into(bar))
            result["check"] = found.to_json()
            for sentence in found.sentences():
                output.say(sentence)
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
            result |= {"predictor": beside, "learned": learned.sentences()}
            for sentence in learned.sentences():
                output.say(sentence)
            output.say(f"predictor: {beside}")
    output.result(result)


def _into(bar: ProgressBar) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done)

    return progress
