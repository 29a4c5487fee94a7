"""The command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter

from supernet import __version__
from supernet.cli.bench import bench
from supernet.cli.cite import cite
from supernet.cli.compare import compare
from supernet.cli.latency import latency_build
from supernet.cli.list import list_names
from supernet.cli.requests import ExportRequest, JudgeRequest, SearchRequest, TableRequest, TrainRequest
from supernet.cli.retrain import retrain
from supernet.cli.transfer import transfer
from supernet.errors import SupernetError, UsageError
from supernet.io.text import aligned
from supernet.runs.config import Config

if TYPE_CHECKING:
    from supernet.judge import RankReport
    from supernet.runs.run import Run
    from supernet.runs.schema import Export

app = App(
    name="supernet",
    help="Weight-sharing neural architecture search: train one supernet, then search and deploy its subnets.",
    version=__version__,
    suppress_keyboard_interrupt=False,
)

Out = Annotated[Path, Parameter(name=("--out", "-o"))]
Settings = Annotated[Path | None, Parameter(name=("--config", "-c"))]
Flag = Annotated[bool, Parameter(negative=(), show_default=False)]

_TRAIN, _SEARCH, _EXPORT = TrainRequest(), SearchRequest(), ExportRequest()
_TABLE, _JUDGE = TableRequest(), JudgeRequest()


@app.command
def run(
    *,
    out: Out = Path("runs/run"),
    config: Settings = None,
    training: TrainRequest = _TRAIN,
    searching: SearchRequest = _SEARCH,
    exporting: ExportRequest = _EXPORT,
    truth: TableRequest = _TABLE,
    judging: JudgeRequest = _JUDGE,
    resume: Flag = False,
    overwrite: Flag = False,
) -> None:
    """Everything: train a supernet, search it, export networks, judge the ranking if asked to, write the report.

    Args:
        out: Run directory.
        config: Settings from a .json or .toml file; options override them.
        resume: Go on where a killed or interrupted run stopped.
        overwrite: Replace a run that is already in the directory.
    """
    from supernet.io.run_directory import RunDirectory
    from supernet.runs.run import Run
    from supernet.runs.whole import whole

    with RunDirectory(out).alone(_say):
        settings = exporting.apply(searching.apply(training.apply(_base(config, out, resume))))
        settings = judging.apply(settings, truth)
        found = whole(Run.create(settings, out, overwrite=overwrite, resume=resume, say=_say), resume=resume)
    if found is None:
        return
    _print_exports(found.exports)
    if found.judgement is not None:
        _print_judgement(found.run, found.judgement)
    _say(f"report: {found.page}")
    if found.problems:
        raise found.problems[0]


@app.command
def train(
    *,
    out: Out = Path("runs/run"),
    config: Settings = None,
    training: TrainRequest = _TRAIN,
    truth: TableRequest = _TABLE,
    resume: Flag = False,
    overwrite: Flag = False,
) -> None:
    """Train a supernet.

    Args:
        out: Run directory.
        config: Settings from a .json or .toml file; options override them.
        resume: Go on where a killed or interrupted training stopped.
        overwrite: Replace a run that is already in the directory.
    """
    from supernet.io.run_directory import RunDirectory
    from supernet.runs import train as runs_train
    from supernet.runs.run import Run

    with RunDirectory(out).alone(_say):
        settings = truth.apply(training.apply(_base(config, out, resume)))
        job = Run.create(settings, out, overwrite=overwrite, resume=resume, say=_say)
        done = runs_train.train(job, resume=resume)
    if done is not None:
        _say(f"trained: {out}")


@app.command
def search(
    path: Path,
    /,
    *,
    searching: SearchRequest = _SEARCH,
    truth: TableRequest = _TABLE,
    resume: Flag = False,
    overwrite: Flag = False,
) -> None:
    """Search a trained supernet for architectures.

    Args:
        path: Run directory that `train` or `run` has made.
        resume: Go on where a killed or interrupted search stopped.
        overwrite: Replace an earlier search of this run.
    """
    from supernet.io.run_directory import RunDirectory
    from supernet.runs import search as runs_search
    from supernet.runs.run import Run

    with RunDirectory(path).alone(_say):
        opened = Run.open(path, _say)
        if resume and not (path / "search.jsonl").is_file():
            raise UsageError(f"{path} holds no search to resume; leave --resume out to begin one.")
        asked = truth.apply(searching.apply(opened.config))
        job = opened.asking(search=asked.search, judge=asked.judge)
        front = runs_search.search(job, resume=resume, overwrite=overwrite)
    for point in front.points:
        _say("  " + ", ".join(f"{name} {value:,.6g}" for name, value in point.values.items()))


@app.command
def export(
    path: Path,
    /,
    *,
    arch: Annotated[list[str] | None, Parameter(negative=())] = None,
    exporting: ExportRequest = _EXPORT,
) -> None:
    """Export networks of a run to ONNX and torch.export, and verify the files.

    Args:
        path: Run directory that `train` or `run` has made.
        arch: Architecture to export: a JSON file, JSON, or choice=option,choice=option; repeatable. Default: some
            along the front of the search.
    """
    from supernet.io.run_directory import RunDirectory
    from supernet.runs import export as runs_export
    from supernet.runs.arch_argument import read_arch
    from supernet.runs.run import Run

    with RunDirectory(path).alone(_say):
        opened = Run.open(path, _say)
        job = opened.asking(export=exporting.apply(opened.config).export)
        archs = [read_arch(job.net, text) for text in arch or []]
        _print_exports(runs_export.export(job, runs_export.named(job, archs) if archs else None))


@app.command
def judge(path: Path, /, *, truth: TableRequest = _TABLE, judging: JudgeRequest = _JUDGE) -> None:
    """Judge the ranking of a trained supernet against architectures trained alone.

    Args:
        path: Run directory that `train` or `run` has made.
    """
    from supernet.io.run_directory import RunDirectory
    from supernet.runs import judge as runs_judge
    from supernet.runs.run import Run

    with RunDirectory(path).alone(_say):
        opened = Run.open(path, _say)
        job = opened.asking(judge=judging.apply(opened.config, truth).judge)
        _print_judgement(job, runs_judge.judge(job))


@app.command
def report(path: Path, /) -> None:
    """Write the report page of a run.

    Args:
        path: Run directory that `train` or `run` has made.
    """
    from supernet.io.run_directory import RunDirectory
    from supernet.runs import report as runs_report

    with RunDirectory(path).alone(_say):
        _say(f"report: {runs_report.report(path)}")


latency = App(name="latency", help="What architectures take on a device.")
latency.command(latency_build, name="build")
app.command(list_names, name="list")
for command in (bench, cite, compare, retrain, transfer, latency):
    app.command(command)


def main() -> None:
    """Entry point: errors become one sentence and an exit code (2 wrong request, 1 failure)."""
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        _fail(" ".join(str(error).split()) + " See supernet --help.", 2)
    except SupernetError as error:
        _fail(str(error), 2 if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt:
        _fail("interrupted; the same command goes on (run, train and search with --resume)", 1)
    except OSError as error:
        _fail(f"{error.filename or 'input or output'}: {error.strerror or error}", 1)


def _fail(sentence: str, code: int) -> None:
    sys.stderr.write(f"error: {sentence}\n")
    raise SystemExit(code)


def _base(config: Path | None, out: Path, resume: bool) -> Config:
    if config is not None:
        return Config.read(config)
    from supernet.io.run_directory import RunDirectory

    resumed = resume and (out / "config.json").is_file() and RunDirectory(out).is_run
    return Config.read(out / "config.json") if resumed else Config()


def _print_exports(rows: list[Export]) -> None:
    lines = [("network", "validation", "test", "MACs", "params", "latency", "difference", "file")]
    for row in rows:
        values, verified = {name: value or 0.0 for name, value in row.values.items()}, row.verified
        lines.append(
            (
                row.name,
                f"{verified.accuracy_validation:.1%}" if verified else "–",
                f"{verified.accuracy_test:.1%}" if verified else "–",
                f"{values['macs'] / 1e6:.3f} M",
                f"{values['params'] / 1e3:.1f} k",
                f"{values['latency_ms']:.2f} ms",
                f"{verified.max_difference:.0e}" if verified else "–",
                next(iter(row.files.values()), "–"),
            )
        )
    _say(aligned(lines, left=(0, len(lines[0]) - 1)))


def _print_judgement(job: Run, found: RankReport) -> None:
    _say(found.verdict())
    _say(found.text())
    _say(f"all figures: {job.place / 'judge.csv'}, all scores: {job.place / 'ranking.csv'}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
