"""`supernet judge`: is the ranking right?"""

from __future__ import annotations

from supernet.cli.asked import asked
from supernet.cli.fields import NOTHING
from supernet.cli.opening import opened
from supernet.cli.options import AdoptOptions, JudgeOptions, ScoringOptions, Searched, TableOptions
from supernet.cli.output import Json, Output, Verbose
from supernet.cli.tables import judgement_text


def judge(
    path: Searched,
    /,
    *,
    truth: TableOptions = NOTHING,
    judging: JudgeOptions = NOTHING,
    scoring: ScoringOptions = NOTHING,
    built: AdoptOptions = NOTHING,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Judge the ranking of a trained supernet against architectures whose worth is known.

    The first line says whether the ranking can be trusted. What was scored or trained is kept: the same command goes on
    after an interruption.

        supernet judge runs/a --retrain 30 --workers 4

        supernet judge runs/b --table nasbench201 --dataset cifar10 --verbose
    """
    from supernet.io.run_directory import RunDirectory
    from supernet.runs import judge as runs_judge

    output = Output(as_json)
    with RunDirectory(path).alone(output.say):
        job = opened(path, output, built)
        settings = asked(job.config, search=scoring, judge={**truth, **judging})
        job = job.asking(search=settings.search, judge=settings.judge)
        found = runs_judge.judge(job)
    output.result({"run": path, **found.to_json()}, judgement_text(job, found, verbose=verbose))
