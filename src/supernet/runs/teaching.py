"""The network of a run as a teacher of another training."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from supernet import deploy, measure
from supernet.data import Data
from supernet.errors import UsageError
from supernet.io import schema
from supernet.io.run_directory import RunDirectory
from supernet.measure import Calibration
from supernet.measure.scores.calibration import DEFAULT
from supernet.nn import Supernet
from supernet.nn.initial_weights import digest_of
from supernet.nn.supernet import plain_subnet
from supernet.runs.arch_argument import read_arch
from supernet.runs.export import exported
from supernet.runs.run import Run, made_in_python, trained_in
from supernet.search import Front
from supernet.space import Arch
from supernet.space.text import in_shell
from supernet.train import Recipe, checkpoint, load_weights
from supernet.train.parts.outside import PROGRAM, Outside, run_of

_BY_NAME = ("best", "derived", "largest", "smallest")


def of_run(path: Path, arch: str | None, *, inside: bool) -> Outside:
    """The network of a run, of a search or of a retraining in a directory, with its trained weights.

    Its batch norms have the statistics that an exported file would have.

    Args:
        path: The directory.
        arch: The architecture: `"best"` of the search, `"derived"` by the method, `"largest"`, `"smallest"`, the name
            of one that was exported, or options as `Space.parse` reads them. None: the best of the search; where
            nothing was searched, the derived one; and where nothing was derived either, the largest.
        inside: Whether modules inside the network are asked for by name, so that the supernet is given.

    Raises:
        UsageError: the directory holds no run, an unfinished one, or one that does not say how it is built; or there is
            no such architecture.
        RunError: a file is damaged.
    """
    found = _found(path, arch)
    net, chosen = found.trained(), found.arch
    net.to("cpu").to(memory_format=torch.contiguous_format)
    weights = dict(plain_subnet(net, chosen).named_parameters())  # statistics follow from them
    digest = digest_of(weights | {f"the architecture {chosen}": torch.zeros(0)})
    if not inside:
        return Outside(deploy.extract(net, chosen, found.data, calibration=found.calibration), digest)
    measure.calibrate(net, chosen, found.data, found.calibration)
    return Outside(net.eval(), digest, arch=chosen)


def told(path: Path, arch: str | None) -> str:
    """Which network of a directory teaches, in words; errors: `of_run`."""
    found = _found(path, arch)
    return f"{found.what} of {path}, {in_shell(found.arch)}"


def say_teachers(recipe: Recipe, say: Callable[[str], None]) -> None:
    """Say which networks of other runs teach; errors: `of_run`."""
    for part in recipe.parts.values():
        for given in getattr(getattr(part, "build", None), "outside", ()):
            if (place := run_of(given)) is not None:
                say(f"the teacher is {told(*place)}")


class _Found(NamedTuple):
    """An architecture of a directory, and how its network is got."""

    arch: Arch
    what: str
    trained: Callable[[], Supernet]
    data: Data
    calibration: Calibration


def _found(path: Path, arch: str | None) -> _Found:
    place = RunDirectory(path)
    if (place / "retraining.json").is_file():
        return _retrained(place, arch)
    run = _finished(place)
    chosen, what = _chosen(run, arch)

    def trained() -> Supernet:
        run.load_searched()
        return run.net

    return _Found(chosen, what, trained, run.data.sealed(), Calibration(images=run.config.export.calibration_images))


def _finished(place: RunDirectory) -> Run:
    """The run in a directory, which has trained all its steps."""
    path = place.path
    if not place.is_run:
        raise UsageError(
            f"The teacher {str(path)!r} is a directory, but holds no run. Give one that `supernet run`, `train`, "
            f"`search` or `retrain` wrote, a file ({PROGRAM}), or module:function."
        )
    trained = trained_in(place)
    if made_in_python(trained):
        raise UsageError(
            f"The teacher {str(path)!r} was made in Python and does not say how its network is built. Say so once, "
            f"with supernet export {path} --space module:function, or give a function that builds the network."
        )
    run, newest = Run.open(path), checkpoint.latest(trained.checkpoints)
    wanted = trained.read("training.json", schema.Training).steps if newest is not None else run.config.train.steps
    done = 0 if newest is None else int(newest.stem.split("-")[1])
    if newest is None or (done < wanted and not (trained / "counts.json").is_file()):
        raise UsageError(
            f"The teacher {str(path)!r} is not finished: {done} of {wanted} steps of its training are done. Go on with "
            f"it first, supernet train --out {trained.path} --resume."
        )
    return run


def _chosen(run: Run, arch: str | None) -> tuple[Arch, str]:
    """The architecture, and what it is."""
    searched, derived = (run.place / "front.json").is_file(), run.derived
    if arch is None:
        arch = "best" if searched else "largest" if derived is None else "derived"
    rows = {row.name: row.arch for row in exported(run)}
    if arch == "best" and searched:
        return Front.read(run.place.path, run.net.space).best().arch, "the best architecture of its search"
    if arch == "derived" and derived is not None:
        return derived, "the architecture that its method derived"
    if arch in ("largest", "smallest"):
        return getattr(run.space, arch)(), f"its {arch} architecture"
    if arch in rows:
        return run.net.space.arch(rows[arch]), f"its architecture {arch}"
    if arch in _BY_NAME:
        why = "has not been searched" if arch == "best" else "has derived no architecture"
        others = ", ".join(dict.fromkeys(["largest", "smallest", *rows]))
        raise UsageError(
            f"The teacher was to be the {arch} architecture of {run.place.path}, which {why}. Name another after the "
            f"colon ({others}, or options by name), or search it first."
        )
    return read_arch(run.net, arch), "an architecture of it"


def _retrained(place: RunDirectory, arch: str | None) -> _Found:
    """The network of a retraining."""
    if arch is not None:
        raise UsageError(f"The teacher {str(place.path)!r} is one network, retrained; leave out :{arch}.")
    if not (place / "retrained.json").is_file():
        raise UsageError(
            f"The teacher {str(place.path)!r} is a retraining that is not finished. Go on with it first, supernet "
            f"retrain … --out {place.path} --resume."
        )
    told = place.read("retrained.json", schema.Retrained)
    of = RunDirectory(os.path.normpath(place / (told.run or "..")))
    if not of.is_run:
        raise UsageError(
            f"The teacher {str(place.path)!r} is a retraining of a run that is not at {of.path} any more. Bring it "
            "back, or give the file that was exported."
        )
    run = Run.open(of.path)
    final = run.with_final(space=told.space, method=told.method)

    def trained() -> Supernet:
        net = final.recipe.adapted(final.begun(told.seed))
        load_weights(net, place.path)
        return net

    chosen = run.net.space.arch(told.arch)
    return _Found(chosen, "the retrained network", trained, run.data.sealed(), DEFAULT)
