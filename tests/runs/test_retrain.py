"""An architecture of a run, trained for use: what is left of it, and how a stopped retraining goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch

from small_runs import trained_run
from supernet import measure, methods, zoo
from supernet.errors import UsageError
from supernet.io import schema
from supernet.io.config import Config, Exporting, Named, Retraining, Training
from supernet.io.run_directory import RunDirectory
from supernet.io.schema import Retrained
from supernet.quantity import ACCURACY, MACS
from supernet.runs.arch_argument import read_arch
from supernet.runs.export import Pick, best, chosen
from supernet.runs.retrain import kept_retraining, retrain
from supernet.runs.run import Run
from supernet.runs.train import train
from supernet.search import Constraints, Evaluation, Front
from supernet.space import Arch
from supernet.train import load_weights

pytestmark = pytest.mark.slow  # whole runs, or processes of their own


def spelt(arch: Arch) -> str:
    """An architecture as a user may write it."""
    return ",".join(f"{name}={option}" for name, option in arch.options().items())


def test_an_architecture_of_a_run(tmp_path: Path) -> None:
    config = Config(
        space=Named("small_nets:operations_net"),
        method=Named("spos"),
        data=Named("digits"),
        train=Training(steps=5, batch_size=32, accelerator="cpu", monitor_every=0),
        export=Exporting(count=1),
    )
    job = Run.create(config, tmp_path / "run", overwrite=False, resume=False, say=lambda text: None)
    train(job)
    with pytest.raises(UsageError, match="has not been searched"):
        Front.read(tmp_path / "run", job.net.space)
    arch, other = (job.net.space.arch({"block0": option, "block1": "skip"}) for option in ("skip", "conv3"))
    values = {other: {"accuracy": 0.2, "macs": 5.0}, arch: {"accuracy": 0.4, "macs": 9.0}}
    archive = tuple(Evaluation(a, told, 0) for a, told in values.items())
    Front((ACCURACY, MACS), Constraints(), archive, {}, 1.0, "random", "budget").write(tmp_path / "run")
    assert chosen(job) == [Pick("best", arch, values[arch])]
    assert Front.read(tmp_path / "run", job.net.space).best().arch == arch
    told = {}
    starts: tuple[Literal["scratch"], Literal["inherited"]] = ("scratch", "inherited")
    for start in starts:
        opened = Run.open(tmp_path / "run", lambda text: None)
        out = tmp_path / start
        told[start] = retrain(opened, Retraining(arch=spelt(arch), steps=8, start=start), out=out)
        assert RunDirectory(out).read("retrained.json", Retrained) == told[start]
        net, data = opened.net, opened.data
        load_weights(net, out)
        tested = replace(data, validation=data.test)
        assert measure.accuracy(net, arch, tested) == told[start].test["accuracy"]
        assert all((out / name).is_file() for name in ("net.onnx", "net.pt2", "train.jsonl"))
    assert told["scratch"].validation != told["inherited"].validation


def test_a_stopped_retraining_goes_on_as_it_was_begun(tmp_path: Path) -> None:
    run = trained_run(tmp_path / "r")
    arch = run.net.space.smallest()
    settings = Retraining(arch=json.dumps(arch.options()), steps=4, lr=0.01, seed=2)
    whole = retrain(run, settings)
    out = tmp_path / "r" / "retrained"
    kept = kept_retraining(out)
    assert kept is not None
    assert read_arch(run.net, kept.arch) == arch
    assert replace(kept, arch=settings.arch) == settings
    for name in ("retrained.json", "net.onnx", "net.pt2"):
        (out / name).unlink()
    for resumed in (None, replace(settings, arch=spelt(arch))):  # another spelling of the same
        assert retrain(Run.open(tmp_path / "r"), resumed, resume=True) == whole
    with pytest.raises(UsageError, match=r"retrain\.lr = 0\.01, and 0\.02 was asked for"):
        retrain(run, replace(settings, lr=0.02), resume=True)
    with pytest.raises(UsageError, match="already holds a training"):
        retrain(run, settings)
    assert kept_retraining(out) == kept
    with pytest.raises(UsageError, match="holds no retraining to resume"):
        retrain(run, None, out=tmp_path / "none", resume=True)
    with pytest.raises(UsageError, match="Name the architecture and the number of steps"):
        retrain(run, None, out=tmp_path / "none")


CELLS = {"space": Named("nasbench201", {"channels": 4, "cells": 1})}


def test_another_skeleton_and_another_method(tmp_path: Path) -> None:
    run = trained_run(tmp_path / "r", **CELLS)
    arch = run.net.space.smallest()
    wide = Named("nasbench201", {"channels": 6, "cells": 2})
    fast = Named("fairnas", {"weights.lr": 0.02})
    settings = Retraining(arch=spelt(arch), steps=3, space=wide, method=fast)
    found = retrain(run, settings, out=tmp_path / "wide")
    (tmp_path / "wide/retrained.json").unlink()
    assert retrain(Run.open(tmp_path / "r"), None, out=tmp_path / "wide", resume=True) == found
    assert (found.space, found.method) == (wide, fast)
    built = zoo.nasbench201(channels=6, cells=2, num_classes=10, in_channels=1)
    assert built.space.fingerprint == run.net.space.fingerprint
    assert found.params == measure.params(built, arch) > measure.params(run.net, arch)
    told = RunDirectory(tmp_path / "wide").read("training.json", schema.Training).recipe
    expected = methods.fairnas().with_weights(lr=0.02).alone(arch)
    assert told["weights"] == expected.describe()["weights"]
    assert told["weights"] != run.recipe.alone(arch).describe()["weights"]
    kept = kept_retraining(tmp_path / "wide")
    assert kept is not None
    assert (kept.space, kept.method) == (wide, fast)
    other = replace(settings, space=Named("nasbench201", {"channels": 7, "cells": 2}))
    with pytest.raises(UsageError, match=r"retrain\.space\.options\.channels = 6, and 7 was asked for"):
        retrain(run, other, out=tmp_path / "wide", resume=True)


def test_another_skeleton_must_have_the_same_choices_and_begins_from_scratch(tmp_path: Path) -> None:
    run = trained_run(tmp_path / "r", **CELLS)
    arch = spelt(run.net.space.smallest())
    with pytest.raises(
        UsageError, match=r"has other choices than the run, and so other architectures: .* was .* and is"
    ):
        retrain(run, Retraining(arch=arch, steps=1, space=Named("mbconv")), out=tmp_path / "a")
    assert not (tmp_path / "a").exists() or not list((tmp_path / "a").glob("*.json"))
    with pytest.raises(UsageError, match="cannot inherit its weights"):
        Retraining(arch=arch, steps=1, space=CELLS["space"], start="inherited")
    with pytest.raises(UsageError, match="has a learning rate of its own"):
        Retraining(arch=arch, steps=1, method=Named("spos"), lr=0.1)
    found = retrain(run, Retraining(arch=arch, steps=2, method=Named("spos"), start="inherited"), out=tmp_path / "b")
    assert found.method == Named("spos")


def test_the_best_is_the_derived_architecture_unless_there_was_a_search(tmp_path: Path) -> None:
    told: list[str] = []
    run = trained_run(tmp_path / "r", method=Named("darts"), data=Named("digits", {"validation": 0.5}))
    run = replace(Run.open(run.directory.path), say=told.append)
    assert run.derived is not None
    assert best(run) == Pick("derived", run.derived)
    assert "the architecture that the method derived" in told[-1]
    other = next(arch for arch in run.net.space.enumerate() if arch != run.derived)
    archive = (Evaluation(other, {"accuracy": 0.4, "macs": 9.0}, 0),)
    Front((ACCURACY, MACS), Constraints(), archive, {}, 1.0, "random", "budget").write(tmp_path / "r")
    assert best(run).arch == other
    assert str(other) in told[-1]
    assert str(run.derived) in told[-1]


def test_it_is_said_where_validation_images_are_trained_on(tmp_path: Path) -> None:
    run, said = trained_run(tmp_path / "r"), list[str]()
    arch = json.dumps(run.net.space.smallest().options())
    for seen in (True, False):
        options = {"drop_path": 0, "cutout": 0, "all_images": seen}
        again = replace(run, say=said.append)
        settings = Retraining(arch=arch, steps=1, method=Named("darts_cifar", options))
        retrain(again, settings, out=tmp_path / str(seen))
        assert any("validation examples are trained on too" in sentence for sentence in said) == seen
        said.clear()


def test_from_scratch_a_network_has_the_channels_that_its_training_has_left(tmp_path: Path) -> None:
    config = Config(
        space=Named("hr_nas", {"variant": "tiny", "transformer": "none"}),
        method=Named("hr_nas", {"weight": 0.0, "threshold": 0.0}),
        data=Named("digits"),
        train=Training(steps=1, batch_size=32, accelerator="cpu", monitor_every=0),
        export=Exporting(count=1),
    )
    job = Run.create(config, tmp_path / "run", overwrite=False, resume=False, say=lambda text: None)
    with torch.no_grad():
        job.net.get_submodule("module.stages.0.branches.0.0.groups.k3.4").weight[5:] = 0.0  # type: ignore[index, operator]
        job.net.get_submodule("module.stages.1.branches.0.0.groups.k5.4").weight.zero_()  # type: ignore[operator]
    train(job)
    opened = Run.open(tmp_path / "run", lambda text: None)
    opened.load()
    left = opened.net.module.sizes()  # type: ignore[operator]
    assert left["stage1.branch0.0.k3"] == 5  # type: ignore[index]
    assert "stage2.branch0.0.k5" not in left  # type: ignore[operator]
    assert json.loads((tmp_path / "run/sizes.json").read_text()) == left
    (only,) = opened.net.space.enumerate()
    found = retrain(opened, Retraining(arch="", steps=1, start="scratch"), out=tmp_path / "scratch")
    assert found.params == measure.params(opened.net, only) < measure.params(job.begun(0), only)


@pytest.mark.parametrize(
    ("asked", "found"),
    [({}, (32, 8)), ({"batch_size": 16}, (16, None)), ({"micro_batch": 16}, (32, 16))],
)
def test_batches_are_those_of_the_run_unless_others_are_asked_for(
    asked: dict[str, int], found: tuple[int, int | None], tmp_path: Path
) -> None:
    job = trained_run(tmp_path / "r", train=Training(steps=2, batch_size=32, micro_batch=8, monitor_every=0))
    arch = spelt(job.net.space.smallest())
    retrain(job, Retraining(arch=arch, steps=1, **asked), out=tmp_path / "net")
    told = json.loads((tmp_path / "net" / "training.json").read_text())
    assert (told["batch_size"], told.get("micro_batch")) == found
