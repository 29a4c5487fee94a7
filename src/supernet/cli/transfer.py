"""`supernet transfer`: a trained supernet on new data."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from cyclopts import Parameter

from supernet.cli.asked import asked
from supernet.cli.fields import ABOVE_0, NOTHING, at_least
from supernet.cli.options import (
    TRAINING,
    DataOptions,
    Existing,
    Out,
    Overwrite,
    PlainSearchOptions,
    Resume,
    SeedOptions,
    TransferOptions,
)
from supernet.cli.output import Json, Output, points


def _shown(name: str) -> Parameter:
    """Shows the default of a setting of the training on candidates, once the help asks for it."""

    def default(_: object) -> str:
        from supernet.runs.transfer import SHIFTING

        return str(getattr(SHIFTING, name))

    return Parameter(show_default=default)


def transfer(
    path: Existing,
    /,
    *,
    out: Out,
    data: DataOptions = NOTHING,
    classifier: Annotated[
        str | None,
        Parameter(
            group=TRAINING,
            help="Layer to replace, such as head.4. By default the last linear layer with an output per class.",
        ),
    ] = None,
    moving: TransferOptions = NOTHING,
    lr: Annotated[
        float | None,
        ABOVE_0,
        _shown("lr"),
        Parameter(group=TRAINING, help="Learning rate of the training on each candidate."),
    ] = None,
    images: Annotated[
        int | None,
        at_least(1),
        _shown("images"),
        Parameter(group=TRAINING, help="Number of training images per candidate, a multiple of 64."),
    ] = None,
    searching: PlainSearchOptions = NOTHING,
    seed: SeedOptions = NOTHING,
    resume: Resume = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Move a trained supernet to other data: keep its features, and train it while it is searched.

    The classifier is a new one; no supernet is trained anew. What it makes is a run like any other.

    supernet transfer runs/a --data photographs/ --out runs/photographs --budget 200

    supernet transfer runs/a --out runs/photographs --resume
    """
    from supernet.runs.run import Run
    from supernet.runs.transfer import SHIFTING
    from supernet.runs.transfer import transfer as runs_transfer

    output = Output(as_json)
    training = {name: value for name, value in (("lr", lr), ("images", images)) if value is not None}
    source = Run.open(out if resume else path).config
    found = runs_transfer(
        path,
        data=data.get("data"),
        out=out,
        data_options=data.get("data_options"),
        classifier=classifier,
        adapt=moving.get("adapt"),
        tune=moving.get("tune"),
        shifting=replace(SHIFTING, **training) if training else None,  # type: ignore[arg-type]
        searching=asked(source, search=searching).search if searching else None,
        seed=seed.get("seed"),
        resume=resume,
        overwrite=overwrite,
        say=output.say,
    )
    front = found.front
    output.result(
        {"run": out, **front.to_json()}, f"{points(point.values for point in front.points)}\ntransferred: {out}"
    )
