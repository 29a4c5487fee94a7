import json
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from retrained_nets import Scale, build, dies
from small_nets import images, sgd
from supernet import OpChoice, Supernet, measure
from supernet.errors import RunError, UsageError
from supernet.judge import read_truth_file, train_alone
from supernet.judge.alone import Alone, Regime, reinitialised
from supernet.judge.truth.spelling import read_arch
from supernet.methods import darts, dynas, fairnas, sandwich, spos
from supernet.train import CrossEntropy, Fixed, Linear, Recipe, TrainPaths, Updates, fit

pytestmark = pytest.mark.slow  # whole runs, or processes of their own


@cache
def space():
    return build().space


@cache
def every():
    return list(space().enumerate())


RECIPE = replace(spos(), weights=sgd(0.1, momentum=0.9))
LITTLE = {"steps": 8, "batch_size": 16, "progress": False, "accelerator": "cpu"}


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


def by_hand(arch, seed, *, steps=8, recipe=RECIPE, **options):
    """Build under the seed, train through the ordinary loop, measure."""
    torch.manual_seed(seed)
    net = build()
    program = TrainPaths(sampler=Fixed(arch), objective=recipe.program.objective)
    fit(
        net,
        replace(recipe, program=program),
        images(),
        steps=steps,
        batch_size=16,
        seed=seed,
        accelerator="cpu",
        progress=False,
        **options,
    )
    return measure.scores(net, arch, images())


def test_is_ordinary_training_of_one_architecture(tmp_path):
    archs = [every()[0], every()[4], every()[8]]
    table = train_alone(build, RECIPE, images(), archs, seeds=[3, 1], out=tmp_path / "t.jsonl", **LITTLE)
    assert table.archs == archs
    assert table.seeds == ("3", "1")
    for row, arch in enumerate(archs):
        for column, seed in enumerate((3, 1)):
            found = by_hand(arch, seed)
            assert table.values[row, column] == found.value
            assert found.loss in [line["loss"] for line in lines(tmp_path / "t.jsonl")]


@pytest.mark.parametrize("options", [{"micro_batch": 4}, {"precision": "bf16-mixed"}])
def test_pieces_of_a_batch_and_arithmetic_are_those_of_the_training(options, tmp_path):
    arch, out = every()[4], tmp_path / "t.jsonl"
    table = train_alone(build, RECIPE, images(), [arch], out=out, **options, **LITTLE)
    assert table.values[0, 0] == by_hand(arch, 0, **options).value
    (loss,) = (line["loss"] for line in lines(out))
    assert loss == by_hand(arch, 0, **options).loss != by_hand(arch, 0).loss


def test_trainings_do_not_depend_on_each_other_or_on_workers(tmp_path):
    here = train_alone(build, RECIPE, images(), every()[:4], seeds=2, **LITTLE)
    back = train_alone(build, RECIPE, images(), every()[3::-1], seeds=[1, 0], **LITTLE).subset(every()[:4])
    out = tmp_path / "t.jsonl"
    beside = train_alone(build, RECIPE, images(), every()[:4], seeds=2, workers=2, out=out, **LITTLE)
    np.testing.assert_array_equal(here.values, back.values[:, ::-1])
    np.testing.assert_array_equal(here.values, beside.values)
    assert len({tuple(row) for row in here.values.tolist()}) > 1
    assert len(lines(out)) == 8
    np.testing.assert_array_equal(read_truth_file(out, space()).subset(every()[:4]).values, here.values)


def test_goes_on_where_it_was_killed(tmp_path, monkeypatch):
    out = tmp_path / "t.jsonl"
    whole = train_alone(build, RECIPE, images(), every()[:3], seeds=2, out=out, **LITTLE)
    assert [(line["seed"], read_arch(space(), line["arch"])) for line in lines(out)] == [
        (seed, arch) for seed in (0, 1) for arch in every()[:3]
    ]
    text = out.read_bytes()
    ends = [place for place, byte in enumerate(text) if byte == ord("\n")]
    out.write_bytes(text[: ends[4] + 30])  # the head, four trainings and a torn fifth
    trained = []
    monkeypatch.setattr(Alone, "_restart", _noting(Alone._restart, trained))
    again = train_alone(build, RECIPE, images(), every()[:3], seeds=2, out=out, **LITTLE)
    assert trained == [1, 1, 1, 1]  # two trainings, each restarted for the probe and for itself
    np.testing.assert_array_equal(again.values, whole.values)
    more = train_alone(build, RECIPE, images(), every()[:4], seeds=2, out=out, **LITTLE)
    np.testing.assert_array_equal(more.values[:3], whole.values)
    assert len(lines(out)) == 8


def _noting(method, seen):
    def noted(self, seed):
        seen.append(seed)
        method(self, seed)

    return noted


def test_other_settings_do_not_mix(tmp_path):
    out = tmp_path / "t.jsonl"
    train_alone(build, RECIPE, images(), every()[:1], out=out, **LITTLE)
    for options, words in (
        ({"steps": 9}, "steps = 8, now it is 9"),
        ({"batch_size": 8}, "batch_size = 16, now it is 8"),
        ({"split": "test"}, "split = validation, now it is test"),
        ({"calibration": None}, "calibration = "),
        ({"micro_batch": 8}, "micro_batch"),
        ({"precision": "bf16-mixed"}, "precision"),
    ):
        with pytest.raises(UsageError, match=words):
            train_alone(build, RECIPE, images(), every()[:1], out=out, **(LITTLE | options))
    with pytest.raises(UsageError, match=r"weights = .*'lr': 0.1.*'lr': 0.2"):
        train_alone(build, replace(RECIPE, weights=sgd(0.2, momentum=0.9)), images(), every()[:1], out=out, **LITTLE)
    with pytest.raises(UsageError, match="data = "):
        train_alone(build, RECIPE, images(seed=1), every()[:1], out=out, **LITTLE)


def test_the_optimiser_gets_only_what_the_architecture_uses():
    given = []

    @dataclass(frozen=True)
    class Counting:
        def __call__(self, groups):
            groups = list(groups)
            given.append(sum(p.numel() for group in groups for p in group["params"]))
            return torch.optim.SGD(groups, lr=0.1)

    recipe = replace(RECIPE, weights=Updates(optimiser=Counting()))
    net = build()
    net.module[0].bias.requires_grad_(False)  # frozen by the caller: stays so
    alone = Alone(Regime(build=lambda: net, recipe=recipe, data=images(), steps=1, batch_size=16, accelerator="cpu"))
    for arch in every():
        alone(arch, 0)
    assert given == [measure.params(net, arch) - 4 for arch in every()]
    assert [name for name, p in net.named_parameters() if not p.requires_grad] == ["module.0.bias"]


def test_a_trained_supernet_is_drawn_afresh():
    first, second = build(), build()
    with torch.no_grad():
        for parameter in second.parameters():
            parameter.fill_(float("nan"))
    before = {name: value.clone() for name, value in first.state_dict().items()}
    tables = [train_alone(net, RECIPE, images(), every()[:2], seeds=2, **LITTLE) for net in (first, second)]
    np.testing.assert_array_equal(tables[0].values, tables[1].values)
    assert len(set(tables[0].values.reshape(-1).tolist())) > 2
    for name, value in first.state_dict().items():
        assert torch.equal(value, before[name])


def test_layers_that_cannot_be_drawn_afresh():
    net = Supernet(nn.Sequential(OpChoice("op", {"scale": Scale(), "skip": nn.Identity()}), nn.Flatten()))
    with pytest.raises(UsageError, match=r"The parameters scale of .*\(Scale\) cannot be drawn afresh.*builds the net"):
        reinitialised(net)


def test_it_learns_and_measures_what_it_is_told_to():
    options = LITTLE | {"steps": 60}
    validation = train_alone(build, RECIPE, images(), every()[:1], **options)
    assert validation.mean[0] > 0.5
    assert (validation.metric.name, validation.metric.goal) == ("accuracy", "max")
    assert validation.source == "each trained alone on squares: 60 steps of 16 examples, validation accuracy"
    test = train_alone(build, RECIPE, images(), every()[:1], split="test", **options)
    assert test.mean[0] * len(images().test) == pytest.approx(round(test.mean[0] * len(images().test)))
    assert len(images().test) != len(images().validation)
    with pytest.raises(UsageError, match="sealed"):
        train_alone(build, RECIPE, images().sealed(), every()[:1], split="test", **LITTLE)
    assert train_alone(build, RECIPE, images().sealed(), every()[:1], **options).mean[0] == validation.mean[0]


def test_every_method_lends_its_objective():
    weights = sgd(0.1, momentum=0.9)
    plain = Recipe(
        name="x", program=TrainPaths(sampler=Fixed(every()[0]), objective=CrossEntropy(0.1)), weights=weights
    )
    smooth = train_alone(build, plain, images(), every()[:2], **LITTLE).values
    assert smooth[0, 0] == by_hand(every()[0], 0, recipe=plain).value
    for recipe in (sandwich(), darts()):
        table = train_alone(build, replace(recipe, weights=weights), images(), every()[:2], **LITTLE)
        assert np.isfinite(table.values).all()


def test_the_truth_does_not_know_which_subnets_a_method_favours():
    """Rates by complexity and momentum by group treat subnets unequally; alone, all are trained alike."""
    same = {"lr": 0.05, "weight_decay": 0.0, "inactive": "freeze", "clip_norm": 5.0, "per": None}
    for recipe in (dynas().with_weights(**same), dynas(fairnas()).with_weights(**same)):
        alike = replace(recipe, weights=replace(recipe.weights, schedule=Linear(), states=None))
        favoured = train_alone(build, recipe, images(), every(), **LITTLE).values
        plain = train_alone(build, alike, images(), every(), **LITTLE).values
        assert (favoured == plain).all()


def test_progress_is_shown_and_threads_are_put_back(monkeypatch, capsys):
    monkeypatch.setattr("supernet.io.progress._PATIENCE_SECONDS", 0.0)
    before = torch.get_num_threads()
    train_alone(build, RECIPE, images(), every()[:2], threads=2, **(LITTLE | {"progress": True}))
    assert "train alone: 2/2 trainings" in capsys.readouterr().err
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": 0}, "number of trainings"),
        ({"seeds": [1, 1]}, "different whole numbers"),
        ({"seeds": [-1]}, "from 0 up"),
        ({"workers": 0}, "workers is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"threads": 0}, "threads is 0"),
        ({"split": "train"}, "'validation' or 'test'"),
        ({"archs": list}, "nothing to train"),
        (
            {"archs": lambda: [Supernet(nn.Sequential(OpChoice("a", {"b": nn.Identity()}))).space.smallest()]},
            "between spaces",
        ),
        ({"net": lambda: build(), "workers": 2}, "cannot be sent to another process.*top level"),
    ],
)
def test_what_cannot_be_done(options, words):
    options = LITTLE | options
    net, archs = options.pop("net", build), options.pop("archs", lambda: every()[:1])()
    with pytest.raises(UsageError, match=words):
        train_alone(net, RECIPE, images(), archs, **options)


def test_a_training_that_diverges(tmp_path):
    recipe = replace(RECIPE, weights=sgd(1e30))
    with pytest.raises(RunError, match="Lower the learning rate"):
        train_alone(build, recipe, images(), every()[:1], out=tmp_path / "t.jsonl", **LITTLE)


def test_a_worker_that_dies(tmp_path):
    with pytest.raises(
        RunError, match=r"that train architectures have ended unexpectedly, 3 workers.*What is finished is kept"
    ):
        train_alone(dies, RECIPE, images(), every()[:1], workers=2, **LITTLE)
