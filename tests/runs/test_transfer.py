"""A supernet on other data: what it inherits, what it learns, and that the run it leaves is like any other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shifted_searches import same, weights
from supernet import deploy
from supernet.errors import UsageError
from supernet.io.config import Config, Exporting, Judging, Named, Searching, Training
from supernet.measure import Calibration
from supernet.runs.export import export
from supernet.runs.judge import trained_alone
from supernet.runs.run import Run
from supernet.runs.search import search
from supernet.runs.train import train
from supernet.runs.transfer import SHIFTING, Transferred, transfer
from supernet.search import Front
from supernet.train import checkpoint, load_weights

pytestmark = pytest.mark.slow  # whole runs, or processes of their own

FAST = replace(SHIFTING, images=32, batch_size=16, checkpoint_every=1)
SEARCHING = Searching(
    searcher="random", objectives=("accuracy",), budget=4, calibration_images=32, validation_images=40
)
SILENT: Any = lambda text: None  # noqa: E731


def source_run(out: Path, space: str = "small_nets:operations_net") -> Run:
    """A supernet of one's own, which has ten classes and says so to nobody, trained a little on digits."""
    config = Config(
        space=Named(space),
        method=Named("spos"),
        data=Named("digits"),
        train=Training(steps=12, batch_size=32, accelerator="cpu", monitor_every=0),
        search=SEARCHING,
        export=Exporting(count=1, calibration_images=32),
    )
    job = Run.create(config, out, overwrite=False, resume=False, say=SILENT)
    train(job)
    return job


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "source"
    source_run(out)
    return out


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Colour images of 12x10 in four classes, told apart by how bright they are."""
    rng = np.random.default_rng(0)
    labels = np.arange(240) % 4
    pixels = 60 * labels[:, None, None, None] + rng.integers(0, 60, (240, 12, 10, 3))
    path = tmp_path_factory.mktemp("data") / "colours.npz"
    np.savez(path, x_train=pixels.astype(np.uint8), y_train=labels)
    return str(path)


def moved(source: Path, colours: str, out: Path, **options: Any) -> Transferred:
    given: dict[str, Any] = {"data_options": {"validation": 0.3}, "shifting": FAST} | options
    return transfer(source, data=colours, out=out, **given)


@pytest.mark.parametrize("adapt", ["resize", "learned"])
def test_a_transferred_run_is_like_any_other(source: Path, colours: str, tmp_path: Path, adapt: Any) -> None:
    found = moved(source, colours, tmp_path / "new", adapt=adapt)
    assert found.front.evaluations == 4
    job = Run.open(tmp_path / "new", SILENT)
    assert job.config.transfer is not None
    assert (job.config.transfer.classifier, job.config.transfer.num_classes) == ("8", 10)
    assert job.data.shape == ((1, 8, 8) if adapt == "resize" else (3, 12, 10))
    load_weights(job.net, tmp_path / "new")
    assert same(weights(job.net), weights(found.net))
    front = search(job, resume=True, wrap=FAST)
    assert front.archive == found.front.archive
    assert Front.read(tmp_path / "new", job.net.space).points == front.points
    (row,) = export(job)
    assert row.verified is not None
    assert row.verified.validation["accuracy"] > 0.25
    arch = job.net.space.arch(row.arch)
    x = next(job.data.validation.batches(3)).x
    assert deploy.extract(job.net, arch, job.data)(x).shape == (3, 4)
    assert len(trained_alone(job.asking(judge=Judging(retrain=3, retrain_steps=2)))) == 3


def test_features_are_inherited_and_the_classifier_is_new(source: Path, colours: str, tmp_path: Path) -> None:
    still = replace(FAST, lr=0.0, initial=False)
    trained = Run.open(source, SILENT)
    load_weights(trained.net, source)
    before = weights(trained.net)
    for adapt in ("resize", "learned"):
        found = moved(source, colours, tmp_path / adapt, adapt=adapt, shifting=still)
        after = {name.replace("network.", ""): value for name, value in weights(found.net).items()}
        new = {"module.8.weight", "module.8.bias"} | (
            {"module.resample.convolution.weight"} if adapt == "learned" else set()
        )
        assert set(after) - set(before) | {"module.8.weight", "module.8.bias"} == new
        assert all(torch.equal(after[name], before[name]) for name in set(before) - new)
        assert after["module.8.weight"].shape == (4, 32)


def test_the_same_number_of_classes_gets_a_new_classifier_too(source: Path, tmp_path: Path) -> None:
    found = transfer(source, data="digits", out=tmp_path / "new", shifting=replace(FAST, lr=0.0))
    trained = Run.open(source, SILENT)
    load_weights(trained.net, source)
    assert not torch.equal(weights(found.net)["module.8.weight"], weights(trained.net)["module.8.weight"])
    assert torch.equal(weights(found.net)["module.0.weight"], weights(trained.net)["module.0.weight"])


@pytest.mark.parametrize("adapt", ["resize", "learned"])
def test_tuning_the_head_moves_nothing_else(source: Path, colours: str, tmp_path: Path, adapt: Any) -> None:
    still = moved(source, colours, tmp_path / "still", adapt=adapt, shifting=replace(FAST, lr=0.0))
    parameters = {name for name, _ in still.net.named_parameters()}
    new = {name for name in parameters if ".8." in name or ".resample." in name}
    assert len(new) == (2 if adapt == "resize" else 3)
    for tune, expected in (("head", new), ("all", parameters)):
        found = moved(source, colours, tmp_path / tune, adapt=adapt, tune=tune)
        pairs = zip(found.net.named_parameters(), still.net.parameters(), strict=True)
        changed = {name for (name, mine), other in pairs if not torch.equal(mine, other)}
        assert changed <= expected
        assert new <= changed
        assert len(changed) > 10 or tune == "head"
        assert all(parameter.requires_grad for parameter in found.net.parameters())


def test_candidates_learn_the_new_classes(source: Path, colours: str, tmp_path: Path) -> None:
    told = []
    for lr in (0.0, 0.02):
        shifting = replace(FAST, lr=lr, images=96, keep=None)
        searching = replace(SEARCHING, budget=24, validation_images=None)
        found = moved(source, colours, tmp_path / f"{lr}", searching=searching, shifting=shifting)
        told.append([(e.arch, e.values["accuracy"]) for e in found.front.archive][-12:])
    assert [arch for arch, _ in told[0]] == [arch for arch, _ in told[1]]
    untrained, trained = (float(np.mean([accuracy for _, accuracy in row])) for row in told)
    assert trained > 0.5 > untrained + 0.1


class KilledError(Exception):
    """The process dies here."""


def test_killed_in_any_generation_and_resumed(source: Path, colours: str, tmp_path: Path) -> None:
    searching = replace(SEARCHING, searcher="regularised_evolution", budget=9)
    whole = moved(source, colours, tmp_path / "whole", searching=searching)

    def kill(at: int) -> Any:
        def call(net: object, generation: int) -> None:
            if generation == at:
                raise KilledError

        return call

    out = tmp_path / "run"
    stopping = replace(FAST, on_generation=(kill(0),))
    with pytest.raises(KilledError):
        moved(source, colours, out, searching=searching, shifting=stopping)
    stopping = replace(FAST, on_generation=(kill(1),))
    with pytest.raises(KilledError):
        moved(source, colours, out, searching=searching, shifting=stopping, resume=True)
    found = moved(source, colours, out, searching=searching, resume=True)
    assert same(weights(found.net), weights(whole.net))
    assert (out / "search.jsonl").read_bytes() == (tmp_path / "whole" / "search.jsonl").read_bytes()
    assert [path.name for path in sorted((out / "checkpoints").iterdir())] == [
        "step-000000000.safetensors",
        "step-000000009.safetensors",
    ]
    _, meta = checkpoint.load(out / "checkpoints" / "step-000000009.safetensors")
    assert meta["identity"]["transfer"]["run"] == str(source)


def test_a_killed_transfer_goes_on_as_it_was_begun(source: Path, colours: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"adapt": "learned", "tune": "head", "seed": 3, "shifting": replace(FAST, lr=0.02)}
    whole = moved(source, colours, tmp_path / "whole", **settings)
    out = tmp_path / "run"
    moved(source, colours, out, **settings, searching=replace(SEARCHING, budget=2))
    with pytest.raises(UsageError, match=r"transfer\.tune = 'head', and 'all' was asked for"):
        transfer(source, out=out, resume=True, tune="all")
    with pytest.raises(UsageError, match=r"transfer\.shifting\.lr = 0\.02, and 0\.05 was asked for"):
        transfer(source, out=out, resume=True, shifting=replace(FAST, lr=0.05))
    with pytest.raises(UsageError, match=r"data\.name = '.*npz', and 'digits' was asked for"):
        transfer(source, out=out, resume=True, data="digits")
    found = transfer(source, out=out, resume=True, searching=SEARCHING)
    assert found.front.evaluations == 4
    assert same(weights(found.net), weights(whole.net))
    with pytest.raises(UsageError, match="Name the data set to move to"):
        transfer(source, out=tmp_path / "none")
    with pytest.raises(UsageError, match="was not transferred"):
        transfer(tmp_path / "whole", out=source, resume=True)


def test_a_transferred_run_can_be_transferred_on(source: Path, colours: str, tmp_path: Path) -> None:
    first = moved(source, colours, tmp_path / "first", adapt="learned")
    second = transfer(tmp_path / "first", data="digits", out=tmp_path / "second", shifting=FAST)
    job = Run.open(tmp_path / "second", SILENT)
    assert job.config.transfer is not None
    assert (job.config.transfer.shape, job.config.transfer.classifier) == ((1, 8, 8), "8")
    still = transfer(tmp_path / "first", data="digits", out=tmp_path / "still", shifting=replace(FAST, lr=0.0))
    assert torch.equal(weights(still.net)["module.0.weight"], weights(first.net)["module.network.0.weight"])
    assert second.net.space.fingerprint == first.net.space.fingerprint


def test_requests_that_make_no_sense(source: Path, colours: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose another directory"):
        moved(source, colours, source)
    with pytest.raises(UsageError, match=r"transfer\.adapt is 'crop'; it must be one of resize, learned"):
        moved(source, colours, tmp_path / "a", adapt="crop")
    with pytest.raises(UsageError, match=r"transfer\.tune is 'nothing'; it must be one of all, head"):
        moved(source, colours, tmp_path / "a", tune="nothing")
    with pytest.raises(UsageError, match=r"'7' is a Dropout; name a linear layer: 8"):
        moved(source, colours, tmp_path / "a", classifier="7")
    with pytest.raises(UsageError, match="is not there, or empty"):
        moved(tmp_path / "nothing", colours, tmp_path / "a")


def test_configurations_of_other_runs_are_as_before(source: Path) -> None:
    config = json.loads((source / "config.json").read_text())
    assert config["transfer"] is None
    del config["transfer"]
    assert Config.from_json(config) == Config.read(source / "config.json")
    assert Calibration(images=config["search"]["calibration_images"]).images == 32
