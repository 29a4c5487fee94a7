"""`supernet transfer`: a trained supernet on new data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from supernet.cli.requests import Pairs, SearchRequest, TrainRequest

_SEARCH = SearchRequest()

Flag = Annotated[bool, Parameter(negative=(), show_default=False)]


def transfer(
    path: Path,
    /,
    *,
    data: str,
    out: Annotated[Path, Parameter(name=("--out", "-o"))],
    data_options: Annotated[Pairs, Parameter(name=("--data-option", "-D"))] = None,
    classifier: str | None = None,
    adapt: Literal["resize", "learned"] = "resize",
    tune: Literal["all", "head"] = "all",
    lr: float | None = None,
    images: int | None = None,
    searching: SearchRequest = _SEARCH,
    seed: int | None = None,
    resume: Flag = False,
    overwrite: Flag = False,
) -> None:
    """Move a trained supernet to other data: keep its features, and train while searching.

    Args:
        path: Run directory that `train` or `run` has made.
        data: Data set to move to (see `supernet list data`), a directory of images or an .npz file.
        out: Run directory to make.
        data_options: Option of the data, as name=value; repeatable.
        classifier: Layer to replace, such as head.4. Default: the last linear layer with an output per class.
        adapt: How images fit the network: resize, or learned (a layer in front).
        tune: What is trained: all, or the head (the new classifier).
        lr: Learning rate. Default: 0.05.
        images: Training images per candidate, a multiple of 64. Default: 640.
        seed: Seed of everything random. Default: that of the run.
        resume: Go on where a killed transfer stopped.
        overwrite: Replace a run that is already in the directory.
    """
    from dataclasses import replace

    from supernet.runs.config import Named
    from supernet.runs.run import Run
    from supernet.runs.transfer import SHIFTING
    from supernet.runs.transfer import transfer as transferred

    given = {name: value for name, value in (("lr", lr), ("images", images)) if value is not None}
    source = Run.open(path, lambda text: None).config
    target = TrainRequest(data=data, data_options=data_options).apply(replace(source, data=Named(data))).data
    found = transferred(
        path,
        data=data,
        out=out,
        data_options=target.options,
        classifier=classifier,
        adapt=adapt,
        tune=tune,
        shifting=replace(SHIFTING, **given),  # type: ignore[arg-type]
        searching=searching.apply(source).search,
        seed=seed,
        resume=resume,
        overwrite=overwrite,
    )
    for point in found.front.points:
        values = ", ".join(f"{name} {value:,.6g}" for name, value in point.values.items())
        sys.stdout.write(f"  {values}\n")
    sys.stdout.write(f"transferred: {out}\n")
