"""`supernet latency build` and `fit`: what architectures take on a device, without measuring each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from msgspec import Meta, to_builtins

from supernet.cli.asked import asked
from supernet.cli.fields import ABOVE_0, NOTHING, Given, at_least, value
from supernet.cli.options import DEVICE, RUN, SpaceOptions
from supernet.cli.output import Json, Output
from supernet.errors import UsageError
from supernet.io.config import Config
from supernet.io.progress import ProgressBar
from supernet.io.section import Seed

if TYPE_CHECKING:
    from supernet.runs.run import Run


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
    ssh: Annotated[
        str | None,
        Parameter(group=DEVICE, help="Another machine to measure on, as ssh knows it, such as pi@board.local."),
    ] = None,
    command: Annotated[
        str | None,
        Parameter(
            group=DEVICE,
            help="With --ssh: what is run there for each network. It finds an ONNX file on its standard input and "
            "prints milliseconds, one number a line.",
        ),
    ] = None,
    timeout: Annotated[
        float, ABOVE_0, Parameter(group=DEVICE, help="With --ssh: seconds after which a network is given up.")
    ] = 120.0,
    as_json: Json = False,
) -> None:
    """Build a table of block latencies on a machine, and compare it with networks measured whole.

    What was measured is kept: started again after an interruption, it goes on.

        supernet latency build runs/a --threads 4

        supernet latency build --space nasbench201 --data cifar10 --learn 100

        supernet latency build runs/a --ssh pi@board.local --command "cat > n.onnx && ./time_onnx n.onnx"
    """
    from supernet import measure

    output = Output(as_json)
    run, file = _subject(path, built, out, output, "table")
    if 0 < learn < 20:
        raise UsageError(f"--learn is {learn}; a predictor is learned from at least 20 networks (0: none).")
    if (ssh is None) != (command is None):
        raise UsageError("--ssh says where a network is measured and --command how; give both, or none of them.")
    result: dict[str, Any] = {"table": file}
    with nullcontext() if path is None else run.directory.alone(output.say):
        net, shape = run.net, run.data.shape
        device: measure.Device = measure.ThisMachine(batch_size=batch_size, threads=threads, seconds=seconds)
        if ssh is not None and command is not None:
            device = measure.RemoteMachine(host=ssh, command=command, batch_size=batch_size, timeout=timeout)
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


def latency_fit(
    path: Annotated[
        Path | None,
        Parameter(help="Directory of a run, as `supernet train` or `run` has made it. Or none, with --space."),
    ] = None,
    /,
    *,
    measurements: Annotated[
        Path,
        Parameter(
            group=DEVICE,
            help="CSV file with the columns arch and ms: architectures as every command prints them, in quotes, and "
            "the milliseconds that they take on the device.",
        ),
    ],
    others: Annotated[
        list[Path],
        Parameter(
            name="--from",
            negative=(),
            group=DEVICE,
            help="Such a file of another device, from which this one is learned with ten architectures or so. "
            "Repeatable.",
        ),
    ] = [],  # noqa: B006 - read alone
    device: Annotated[
        str | None, Parameter(group=DEVICE, help="What the device is called; by default as the file of measurements.")
    ] = None,
    built: SpaceOptions = NOTHING,
    out: Annotated[
        Path | None,
        Parameter(
            name=("--out", "-o"),
            group=RUN,
            help="File for the fit. By default latency.json in the directory of the run, or here.",
        ),
    ] = None,
    seed: Annotated[int, value(Seed), Parameter(group=DEVICE, help="Seed of which networks are left out.")] = 0,
    overwrite: Annotated[
        bool,
        Parameter(negative=(), show_default=False, group=RUN, help="Replace the file of latencies that is there."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Fit the latency of a device to a file of measurements, for `search --latency` and `run --latency`.

    Relative error is what is minimised. Few measurements give little more than what MACs tell.

        supernet latency fit runs/a --measurements phone.csv

        supernet latency fit --space nasbench201 --measurements new.csv --from phone.csv --from board.csv
    """
    from supernet import measure

    output = Output(as_json)
    run, file = _subject(path, built, out, output, "fit")
    with nullcontext() if path is None else run.directory.alone(output.say):
        net, shape = run.net, run.data.shape
        if file.exists() and not overwrite:
            raise UsageError(f"{file} exists; give --overwrite to replace it, or another --out.")
        given, *others_given = (measure.read_measurements(one, net.space) for one in (measurements, *others))
        found = measure.FittedLatency.fit(net, given, others=others_given, name=device, input_shape=shape, seed=seed)
        found.save(file)
    for sentence in found.sentences():
        output.say(sentence)
    output.say(f"fit: {file}")
    output.result({"fit": file, "networks": len(found.codes), "left_out": to_builtins(found.left_out)})


def _subject(path: Path | None, built: Given, out: Path | None, output: Output, what: str) -> tuple[Run, Path]:
    """The network that latencies are of, and the file that they go to.

    Raises:
        UsageError: neither or both of a run and a space were given.
    """
    from supernet.io.run_directory import RunDirectory
    from supernet.runs.run import Run

    if (path is None) == ("space" not in built):
        raise UsageError(f"A {what} is made for a run directory or for a --space; give one of them.")
    if path is None:
        run = Run(asked(Config(), built=built), RunDirectory("."), output.say)
        return run, Path("latency.json") if out is None else out
    if built:
        raise UsageError("A run directory says itself which space and data it has; leave these options out.")
    return Run.open(path, output.say), path / "latency.json" if out is None else out


def _into(bar: ProgressBar) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done)

    return progress
