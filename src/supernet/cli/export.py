"""`supernet export`: networks of a run as files."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from supernet.cli.asked import asked
from supernet.cli.fields import NOTHING
from supernet.cli.opening import opened
from supernet.cli.options import EXPORT, AdoptOptions, Best, ExportOptions, Searched
from supernet.cli.output import Json, Output
from supernet.cli.tables import exports_table
from supernet.errors import UsageError


def export(
    path: Searched,
    /,
    *,
    arch: Annotated[
        list[str] | None,
        Parameter(
            negative=(),
            group=EXPORT,
            help="Architecture to export: a file that holds one, JSON, or choice=option,choice=option. Repeatable. By "
            "default some along the front of the search, and what the method has derived.",
        ),
    ] = None,
    best: Best = False,
    head: Annotated[
        str | None,
        Parameter(
            group=EXPORT,
            help="Task whose head alone the networks have, of a network with a head for each of several tasks. What a "
            "method has derived for each task has that of its own.",
        ),
    ] = None,
    client: Annotated[
        list[int] | None,
        Parameter(
            negative=(),
            group=EXPORT,
            help="Number, from 0, of a client whose own net is exported, with its weights and the architecture that it "
            "has decided on; statistics are those of its own images. Repeatable. For methods that train one for each "
            "client, such as spider.",
        ),
    ] = None,
    exporting: ExportOptions = NOTHING,
    built: AdoptOptions = NOTHING,
    as_json: Json = False,
) -> None:
    """Export networks of a run to ONNX and torch.export, and verify the files.

    What was exported before is kept beside it.

    supernet export runs/a --exports 5 --finetune-steps 500

    supernet export runs/a --best

    supernet export runs/a --arch op1=conv3x3,op2=skip --format onnx --fixed-batch

    supernet export runs/spider --client 0 --client 3
    """
    from supernet.io.run_directory import RunDirectory
    from supernet.runs import export as runs_export
    from supernet.runs.arch_argument import read_arch

    output = Output(as_json)
    if best and arch:
        raise UsageError("--best names the architecture in place of --arch; give one of them.")
    if client and (best or arch or head is not None):
        raise UsageError("--client names a network and its architecture; leave --best, --arch and --head out.")
    with RunDirectory(path).alone(output.say):
        job = opened(path, output, built)
        job = job.asking(export=asked(job.config, export=exporting).export)
        picks = runs_export.named(job, [read_arch(job.net, text) for text in arch or []])
        picks = [runs_export.best(job)] if best else picks
        picks = runs_export.of_clients(job, client) if client else picks
        if head is not None:
            picks = runs_export.headed(picks or runs_export.chosen(job), head)
        rows = runs_export.export(job, picks or None)
    output.result({"run": path, "exports": rows}, exports_table(rows, job.data.task.scores))
