"""The network of another run as a teacher: which one it is, and what is refused before a training begins."""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path

import pytest
import torch

from supernet import catalog
from supernet.errors import UsageError
from supernet.io.config import Config, Exporting, Named, Retraining, Searching, Training
from supernet.runs.naming import objectives_asked
from supernet.runs.retrain import retrain
from supernet.runs.run import Run
from supernet.runs.search import search
from supernet.runs.train import train
from supernet.search import Traversal
from supernet.train import Setting, TappedTeacher, Teachers, checkpoint
from supernet.train.parts.outside import opened, run_of

SPACE = Named("dna", {"variant": "tiny", "width_multiplier": 0.5, "head_width": 16})
EXPORT = Exporting(formats=("program",), calibration_images=32)
SEARCH = Searching(searcher="random", budget=2, validation_images=32, calibration_images=32)


def dna_of(teacher: str) -> Config:
    given = {"rates": [1, 1, 1], "rating.images": 32, "teacher.network": teacher}
    steps = Training(steps=3, batch_size=16)
    return Config(space=SPACE, method=Named("dna", given), train=steps, search=SEARCH, export=EXPORT)


@pytest.fixture(scope="module")
def taught_by(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run that has been trained."""
    out = tmp_path_factory.mktemp("teacher") / "run"
    steps = Training(steps=4, batch_size=16)
    config = Config(space=SPACE, method=Named("spos"), train=steps, search=SEARCH, export=EXPORT)
    run = train(Run.create(config, out))
    assert run is not None
    return out


@pytest.fixture(scope="module")
def retrained(taught_by: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of its architectures, retrained."""
    run, out = Run.open(taught_by), tmp_path_factory.mktemp("retrained") / "smallest"
    retrain(run, Retraining(arch=str(run.net.space.smallest()), steps=2, batch_size=16), out=out)
    return out


@pytest.mark.slow
def test_what_is_named_is_what_teaches(taught_by: Path, tmp_path: Path) -> None:
    """Unnamed: the largest, and once it has been searched the best; by features as by what it returns."""
    path = tmp_path / "run"
    shutil.copytree(taught_by, path)
    run = Run.open(path)
    run.load()
    space = run.net.space
    assert opened(path, inside=True).arch == space.largest()
    assert opened(f"{path}:smallest", inside=True).arch == space.smallest()
    best = search(run).best().arch
    assert opened(f"{path}", inside=True).arch == opened(f"{path}:best", inside=True).arch == best
    assert opened(f"{path}:{space.smallest()}").digest == opened(f"{path}:smallest", inside=True).digest
    assert opened(f"{path}:smallest").digest != opened(f"{path}:largest").digest
    x = torch.randn(3, 1, 8, 8)
    whole, plain = opened(f"{path}:smallest", inside=True).network, opened(f"{path}:smallest").network
    with torch.no_grad(), whole.active(space.smallest()):  # type: ignore[operator]
        torch.testing.assert_close(whole(x), plain(x))


@pytest.mark.slow
def test_a_retrained_network_teaches_with_its_own_weights(taught_by: Path, retrained: Path) -> None:
    again, inherited = opened(retrained), opened(f"{taught_by}:smallest")
    assert again.digest != inherited.digest
    file, x = opened(retrained / "net.pt2"), torch.randn(3, 1, 8, 8)
    torch.testing.assert_close(again.network(x), file.network(x), rtol=1e-4, atol=1e-5)
    assert opened(retrained, inside=True).arch == Run.open(taught_by).net.space.smallest()
    with pytest.raises(UsageError, match="is one network, retrained; leave out :largest"):
        opened(f"{retrained}:largest")
    inside = opened(retrained / "net.pt2", inside=True).network
    torch.testing.assert_close(inside(x), file.network(x))
    names = {name for name, _ in inside.named_modules()}
    assert {name for name, _ in again.network.named_modules()} & names - {""}, "its modules have their names"
    (retrained / "retrained.json").unlink()
    with pytest.raises(UsageError, match="is a retraining that is not finished"):
        opened(retrained)


def test_its_taps_are_those_that_the_network_says_and_its_features_those_of_the_architecture(taught_by: Path) -> None:
    run = Run.open(taught_by)
    net = run.net
    net.input_shape = (1, 8, 8)
    teacher = TappedTeacher(network=f"{taught_by}:smallest")(Setting(net, 0, {}))
    assert teacher.arch == net.space.smallest()
    x, shapes = torch.randn(2, 1, 8, 8), []
    for feature in teacher(x):
        shapes.append(tuple(feature.shape))
    assert shapes == [(2, 8, 8, 8), (2, 8, 8, 8), (2, 16, 4, 4)]
    other = TappedTeacher(network=f"{taught_by}:largest")(Setting(net, 0, {}))
    assert not torch.allclose(teacher(x)[0], other(x)[0])


@pytest.mark.slow
def test_a_run_goes_on_with_the_very_teacher_it_was_begun_with(taught_by: Path, tmp_path: Path) -> None:
    teacher, out, said = tmp_path / "teacher", tmp_path / "run", list[str]()
    shutil.copytree(taught_by, teacher)
    config = dna_of(str(teacher))
    assert train(Run.create(config, out, say=said.append)) is not None
    assert any(sentence.startswith(f"the teacher is its largest architecture of {teacher}") for sentence in said)
    assert train(Run.create(config, out, resume=True), resume=True) is not None
    newest = checkpoint.latest(teacher / "checkpoints")
    assert newest is not None
    tensors, meta = checkpoint.load(newest)
    checkpoint.save(newest, {name: 2 * tensor if "first" in name else tensor for name, tensor in tensors.items()}, meta)
    with pytest.raises(UsageError, match=r"The part 'teacher' is not the one that .* was begun with"):
        train(Run.create(config, out, resume=True), resume=True)
    with pytest.raises(UsageError, match="The part 'teacher' is not the one"):
        search(Run.open(out).asking(search=Searching(searcher="traversal", budget=2)))


def test_searchers_of_one_objective_are_asked_for_one_by_default() -> None:
    asked = {name: objectives_asked(Searching(searcher=name)) for name in ("traversal", "evolution", "nsga2", "random")}
    assert asked == {"traversal": ("score",), "evolution": ("score",)} | dict.fromkeys(
        ("nsga2", "random"), ("score", "macs")
    )
    assert objectives_asked(Searching(searcher="traversal", objectives=("loss", "macs"))) == ("loss", "macs")
    refusing = {
        path.stem
        for path in Path(inspect.getfile(Traversal)).parent.glob("*.py")
        if "require_one_objective" in path.read_text()
    }
    assert refusing == {
        entry.name for entry in catalog.entries("searchers") if getattr(entry.load(), "most_objectives", None) == 1
    }


@pytest.mark.slow
def test_traversal_and_others_of_one_objective_rank_by_what_the_method_says(taught_by: Path, tmp_path: Path) -> None:
    run = train(Run.create(dna_of(str(taught_by)), tmp_path / "run"))
    assert run is not None
    front = search(run.asking(search=Searching(searcher="traversal", budget=2)))
    assert [goal.name for goal in front.objectives] == ["stage_loss"]
    several = search(run.asking(search=SEARCH), overwrite=True)
    assert [goal.name for goal in several.objectives] == ["stage_loss", "macs"]


@pytest.mark.parametrize(
    ("teacher", "sentence"),
    [
        ("{run}:best", "best architecture of .*, which has not been searched"),
        ("{run}:derived", "has derived no architecture"),
        ("{run}:nothing", "'nothing' is not an architecture"),
        ("{empty}", "is a directory, but holds no run"),
        ("{stopped}", "is not finished: 2 of 4 steps"),
        ("{run}x", "There is no teacher"),
    ],
)
def test_what_is_no_teacher_is_a_sentence(taught_by: Path, tmp_path: Path, teacher: str, sentence: str) -> None:
    empty, stopped = tmp_path / "empty", tmp_path / "stopped"
    empty.mkdir()
    if "{stopped}" in teacher:
        shutil.copytree(taught_by, stopped)
        (stopped / "counts.json").unlink()
        newest = checkpoint.latest(stopped / "checkpoints")
        assert newest is not None
        newest.rename(newest.with_name(newest.name.replace("4", "2")))
    with pytest.raises(UsageError, match=sentence):
        opened(teacher.format(run=taught_by, empty=empty, stopped=stopped))


def test_teachers_of_other_classes_or_images_are_refused_before_the_training(taught_by: Path) -> None:
    run = Run.open(taught_by)
    net = run.net
    net.input_shape = (1, 8, 8)
    assert Teachers(networks=(str(taught_by),))(Setting(net, 0, {}))(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    with pytest.raises(UsageError, match=r"returns logits \(7,\) for an example, and the supernet \(10,\)"):
        Teachers(networks=(seven,))(Setting(net, 0, {}))
    with pytest.raises(UsageError, match=r"does not run on examples \(1, 8, 8\)"):
        Teachers(networks=(narrow,))(Setting(net, 0, {}))


def seven() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 7))


def narrow() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(9, 10))


def test_a_module_is_no_directory_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_teachers").mkdir()
    assert run_of("my_teachers:build") is None
    assert run_of("./my_teachers:best") == (Path("my_teachers"), "best")
    assert run_of("nowhere") is run_of("") is run_of(3) is None
