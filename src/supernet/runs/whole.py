"""All of a run: train, search, export, judge, report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from supernet.errors import SupernetError, require
from supernet.io import schema
from supernet.io.run_directory import SEARCHED
from supernet.judge import RankReport
from supernet.runs.export import check_formats, export
from supernet.runs.judge import judge, table_of
from supernet.runs.report import report
from supernet.runs.run import Run
from supernet.runs.search import check_search, search, workers_for
from supernet.runs.train import train
from supernet.search import Front
from supernet.workers import workers_of


@dataclass(frozen=True)
class Whole:
    """What a whole run leaves.

    Attributes:
        run: The run, with the trained network.
        front: The front that the search found; None where the method derived its architecture and nothing was searched.
        exports: The networks that were taken out; empty if that failed.
        judgement: How right the ranking is; None if that was not asked for, or failed.
        page: Path of the page, `report.html`.
        problems: What failed after the search, each as a sentence; the page was written all the same.
    """

    run: Run
    front: Front | None
    exports: list[schema.Export]
    judgement: RankReport | None
    page: Path
    problems: tuple[SupernetError, ...]


def whole(run: Run, *, resume: bool = False) -> Whole | None:
    """Train a supernet, search it, export networks, judge the ranking if asked to, write the report.

    A method that derives its architecture has trained the supernet for that, and for no search: there is none unless
    `search.always` is set, or one is on record. What can be checked is checked before the training begins.

    Args:
        run: The run, of which everything is done that `run.config` asks for.
        resume: Whether to go on where a killed or interrupted run stopped.

    Returns:
        What was found; None in the further processes of a training on several devices.

    Raises:
        UsageError: something cannot be done as it is asked for.
        RunError: the packages of every format, or that of the page, are missing; the training or the search failed,
            or the page could not be written.
    """
    always = run.config.search.always or (run.place / SEARCHED).is_file()
    if always or run.recipe.derive is None:
        check_search(run)
    if run.config.judge.table:
        table_of(run)
    if (workers := workers_of(run.config.judge.workers)) is not None:
        workers.check()
    check_formats(run.config.export)
    require("plotly", "report", "The report")
    trained = train(run, resume=resume)
    if trained is None:
        return None
    problems: list[SupernetError] = []
    front, exports, judgement = None, list[schema.Export](), None
    if always or trained.derived is None:
        front = search(trained, resume=resume, workers=workers_for(trained))
    else:
        run.say(f"{run.recipe.name} has derived its architecture, so nothing is searched; ask for it with --search")
    try:
        exports = export(trained)
    except SupernetError as error:
        problems.append(error)
    try:
        judgement = judge(trained) if run.config.judge.wanted else None
    except SupernetError as error:
        problems.append(error)
    return Whole(trained, front, exports, judgement, report(run.place.path), tuple(problems))
