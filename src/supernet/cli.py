"""The command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from supernet.config import Config
from supernet.errors import SupernetError, UsageError

app = typer.Typer(
    name="supernet",
    help="Weight-sharing neural architecture search: train one supernet, then rank, search and deploy its subnets.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_DEFAULT = Config()

Out = Annotated[Path, typer.Option("--out", "-o", help="Run directory.")]
RunPath = Annotated[Path, typer.Argument(help="Run directory that `train` or `run` has made.", show_default=False)]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="Settings from a .json or .toml file; options override them.")
]
Space = Annotated[
    str | None,
    typer.Option(
        "--space", help="Search space (default mbconv; `supernet list spaces`), or module:function of your own."
    ),
]
Method = Annotated[
    str | None,
    typer.Option("--method", help="Training method (default sandwich; `supernet list methods`), or module:function."),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data", help="Data set (default digits; `supernet list data`), a directory of images or a .npz file."
    ),
]
SpaceOptions = Annotated[list[str] | None, typer.Option("-S", help="Option of the space, as name=value; repeatable.")]
MethodOptions = Annotated[list[str] | None, typer.Option("-M", help="Option of the method, as name=value; repeatable.")]
DataOptions = Annotated[list[str] | None, typer.Option("-D", help="Option of the data, as name=value; repeatable.")]
Steps = Annotated[int | None, typer.Option("--steps", min=1, help=f"Training steps (default {_DEFAULT.train.steps}).")]
BatchSize = Annotated[
    int | None,
    typer.Option("--batch-size", min=1, help=f"Images per training step (default {_DEFAULT.train.batch_size})."),
]
Precision = Annotated[str | None, typer.Option("--precision", help="32-true (default) or bf16-mixed.")]
Accelerator = Annotated[str | None, typer.Option("--accelerator", help="auto, cpu or cuda.")]
Devices = Annotated[int | None, typer.Option("--devices", min=1, help="Processes to train with.")]
MonitorEvery = Annotated[
    int | None,
    typer.Option("--monitor-every", min=0, help="Steps between accuracy checks of subnets (default 200; 0: none)."),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of everything random (default 0).")]
Searcher = Annotated[
    str | None, typer.Option("--searcher", help="random, regularised_evolution, evolution or nsga2 (default).")
]
Objectives = Annotated[
    str | None,
    typer.Option("--objectives", help="Quantities to optimise, such as accuracy,macs or accuracy,latency_ms."),
]
Constraint = Annotated[
    list[str] | None,
    typer.Option("--max", help="Upper bound of a quantity, such as macs=20e6 or latency_ms=3; repeatable."),
]
Budget = Annotated[
    int | None, typer.Option("--budget", min=1, help=f"Architectures to evaluate (default {_DEFAULT.search.budget}).")
]
Exports = Annotated[
    int | None,
    typer.Option("--exports", min=1, help=f"Networks to take out along the front (default {_DEFAULT.export.count})."),
]
Finetune = Annotated[
    int | None, typer.Option("--finetune-steps", min=0, help="Steps of further training of each exported network.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where a killed or interrupted run stopped.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a run that is already in the directory.")]


@app.command()
def run(
    out: Out = Path("runs/run"),
    config: ConfigFile = None,
    space: Space = None,
    space_options: SpaceOptions = None,
    method: Method = None,
    method_options: MethodOptions = None,
    data: Data = None,
    data_options: DataOptions = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    precision: Precision = None,
    accelerator: Accelerator = None,
    devices: Devices = None,
    monitor_every: MonitorEvery = None,
    searcher: Searcher = None,
    objectives: Objectives = None,
    maxima: Constraint = None,
    budget: Budget = None,
    exports: Exports = None,
    finetune_steps: Finetune = None,
    seed: Seed = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Everything: train a supernet, search it, export networks, write the report."""
    from supernet.pipeline import Run

    settings = _settings(
        _base(config, out, resume),
        space,
        space_options,
        method,
        method_options,
        data,
        data_options,
        steps,
        batch_size,
        precision,
        accelerator,
        devices,
        monitor_every,
        seed,
    )
    settings = _search_settings(settings, searcher, objectives, maxima, budget)
    settings = settings.updated("export", count=exports, finetune_steps=finetune_steps)
    job = Run.create(settings, out, overwrite=overwrite, resume=resume, say=_say)
    job.train(resume=resume)
    job.search(resume=resume)
    _print_exports(job.export(job.chosen()))
    _say(f"report: {job.report()}")


@app.command()
def train(
    out: Out = Path("runs/run"),
    config: ConfigFile = None,
    space: Space = None,
    space_options: SpaceOptions = None,
    method: Method = None,
    method_options: MethodOptions = None,
    data: Data = None,
    data_options: DataOptions = None,
    steps: Steps = None,
    batch_size: BatchSize = None,
    precision: Precision = None,
    accelerator: Accelerator = None,
    devices: Devices = None,
    monitor_every: MonitorEvery = None,
    seed: Seed = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Train a supernet."""
    from supernet.pipeline import Run

    settings = _settings(
        _base(config, out, resume),
        space,
        space_options,
        method,
        method_options,
        data,
        data_options,
        steps,
        batch_size,
        precision,
        accelerator,
        devices,
        monitor_every,
        seed,
    )
    job = Run.create(settings, out, overwrite=overwrite, resume=resume, say=_say)
    job.train(resume=resume)
    _say(f"trained: {out}")


@app.command()
def search(
    path: RunPath,
    searcher: Searcher = None,
    objectives: Objectives = None,
    maxima: Constraint = None,
    budget: Budget = None,
    resume: Resume = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier search of this run.")] = False,
) -> None:
    """Search a trained supernet for architectures."""
    from supernet.pipeline import Run

    job = Run.open(path, _say)
    job = Run(_search_settings(job.config, searcher, objectives, maxima, budget), job.directory, _say)
    if overwrite:
        for name in ("search.jsonl", "front.json", "exports.json"):
            (path / name).unlink(missing_ok=True)
    front = job.search(resume=resume)
    job.directory.write("config.json", job.config.to_json())
    for point in front.points:
        values = ", ".join(f"{name} {value:,.6g}" for name, value in point.values.items())
        _say(f"  {values}")


@app.command()
def export(
    path: RunPath,
    arch: Annotated[
        list[str] | None,
        typer.Option("--arch", help="Architecture to export: a JSON file, JSON, or choice=option,…; repeatable."),
    ] = None,
    exports: Exports = None,
    finetune_steps: Finetune = None,
) -> None:
    """Export networks of a run to ONNX and torch.export, and verify the files."""
    from supernet.pipeline import Run, read_arch

    job = Run.open(path, _say)
    job = Run(job.config.updated("export", count=exports, finetune_steps=finetune_steps), job.directory, _say)
    if arch:
        picks: list[Any] = [(f"arch-{n}", read_arch(job.net, text), {}) for n, text in enumerate(arch, start=1)]
    else:
        picks = job.chosen()
    _print_exports(job.export(picks))


@app.command()
def report(path: RunPath) -> None:
    """Write the report page of a run."""
    from supernet.pipeline import Run

    _say(f"report: {Run.open(path, _say).report()}")


@app.command("list")
def list_names(what: Annotated[str, typer.Argument(help="spaces, methods or data")]) -> None:
    """List the search spaces, methods or data sets there are."""
    from supernet import data, methods, zoo
    from supernet.naming import listed

    if what == "data":
        rows = dict(data.SOURCES)
    elif what in ("spaces", "methods"):
        rows = listed(zoo if what == "spaces" else methods)
    else:
        raise UsageError(f"There is no list of {what!r}; there are spaces, methods and data.")
    width = max(map(len, rows))
    for name, text in rows.items():
        _say(f"{name:<{width}}  {text}")


def main() -> None:
    """Entry point: errors become one sentence and an exit code (2 wrong request, 1 failure)."""
    try:
        app()
    except SupernetError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2 if isinstance(error, UsageError) else 1) from None
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; go on with --resume\n")
        raise SystemExit(1) from None
    except OSError as error:
        sys.stderr.write(f"error: {error.filename or ''}: {error.strerror or error}\n")
        raise SystemExit(1) from None


def _base(config: Path | None, out: Path, resume: bool) -> Config:
    if config is not None:
        return Config.read(config)
    kept = out / "config.json"
    return Config.read(kept) if resume and kept.is_file() else Config()


def _settings(
    base: Config,
    space: str | None,
    space_options: list[str] | None,
    method: str | None,
    method_options: list[str] | None,
    data: str | None,
    data_options: list[str] | None,
    steps: int | None,
    batch_size: int | None,
    precision: str | None,
    accelerator: str | None,
    devices: int | None,
    monitor_every: int | None,
    seed: int | None,
) -> Config:
    given = (("space", space, space_options), ("method", method, method_options), ("data", data, data_options))
    for section, name, options in given:
        before = getattr(base, section)
        kept = {} if name is not None and name != before.name else before.options
        base = base.updated(section, name=name, options=kept | _pairs(options))
    return base.updated(
        "train",
        steps=steps,
        batch_size=batch_size,
        precision=precision,
        accelerator=accelerator,
        devices=devices,
        monitor_every=monitor_every,
    ).updated("", seed=seed)


def _search_settings(
    base: Config, searcher: str | None, objectives: str | None, maxima: list[str] | None, budget: int | None
) -> Config:
    names = None if objectives is None else [name.strip() for name in objectives.split(",")]
    constraints = None if maxima is None else _pairs(maxima)
    return base.updated("search", searcher=searcher, objectives=names, constraints=constraints, budget=budget)


def _pairs(texts: list[str] | None) -> dict[str, Any]:
    pairs = {}
    for text in texts or []:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise UsageError(f"An option is written name=value; got {text!r}.")
        pairs[name.strip()] = _value(value.strip())
    return pairs


def _value(text: str) -> Any:
    if text.lower() == "none":
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _print_exports(rows: list[dict[str, Any]]) -> None:
    titles = ("network", "validation", "test", "MACs", "params", "latency", "difference", "file")
    lines = [titles]
    for row in rows:
        values, verified = row["values"], row["verified"]
        lines.append(
            (
                row["name"],
                f"{verified['accuracy_validation']:.1%}",
                f"{verified['accuracy_test']:.1%}",
                f"{values['macs'] / 1e6:.3f} M",
                f"{values['params'] / 1e3:.1f} k",
                f"{values['latency_ms']:.2f} ms",
                f"{verified['max_difference']:.0e}",
                row["files"]["onnx"],
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    for line in lines:
        middle = [text.rjust(width) for text, width in zip(line[1:-1], widths[1:-1], strict=True)]
        _say("  ".join([line[0].ljust(widths[0]), *middle, line[-1]]))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
