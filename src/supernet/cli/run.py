"""`supernet run`: everything."""

from __future__ import annotations

from pathlib import Path

from supernet.cli.fields import NOTHING
from supernet.cli.opening import begun
from supernet.cli.options import (
    SCORING,
    BuiltOptions,
    ConfigFile,
    ExportOptions,
    JudgeOptions,
    Out,
    Overwrite,
    Resume,
    SearchOptions,
    SeedOptions,
    TableOptions,
    TrainOptions,
)
from supernet.cli.output import Json, Output, Verbose
from supernet.cli.tables import exports_table, judgement_text


def run(
    *,
    out: Out = Path("runs/run"),
    config: ConfigFile = None,
    built: BuiltOptions = NOTHING,
    seed: SeedOptions = NOTHING,
    training: TrainOptions = NOTHING,
    searching: SearchOptions = NOTHING,
    exporting: ExportOptions = NOTHING,
    truth: TableOptions = NOTHING,
    judging: JudgeOptions = NOTHING,
    resume: Resume = False,
    overwrite: Overwrite = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Train a supernet, search it, export networks, judge its ranking if asked to, and write the report.

    Where the method derives its architecture itself, that is exported, and only --search asks for a search.

    A run that was killed or interrupted goes on with --resume; everything but the training may then change.

        supernet run --out runs/a --steps 2000

        supernet run --out runs/b --space nasbench201 --method fairnas --table nasbench201_digits --max macs=20e6

        supernet run --out runs/b --resume
    """
    from supernet.io.run_directory import RunDirectory
    from supernet.runs.run import Run
    from supernet.runs.whole import whole

    output = Output(as_json)
    with RunDirectory(out).alone(output.say):
        settings = begun(
            config,
            out,
            resume=resume,
            built=built,
            seed=seed,
            train=training,
            search=searching if searching.keys() <= set(SCORING) else {"always": True, **searching},
            export=exporting,
            judge={**truth, **judging},
        )
        found = whole(Run.create(settings, out, overwrite=overwrite, resume=resume, say=output.say), resume=resume)
    if found is None:
        return
    lines = [exports_table(found.exports, found.run.data.task.scores)]
    if found.judgement is not None:
        lines.append(judgement_text(found.run, found.judgement, verbose=verbose))
    output.result(
        {
            "run": out,
            "front": None if found.front is None else found.front.to_json(),
            "exports": found.exports,
            "judgement": None if found.judgement is None else found.judgement.to_json(),
            "report": found.page,
            "problems": [str(problem) for problem in found.problems],
        },
        "\n".join([*lines, f"report: {found.page}"]),
    )
    if found.problems:
        raise found.problems[0]
