"""R-DARTS: when it stops, what it goes back to, and how drop-path, cutout and weight decay change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from method_trials import moves, on_digits, published, squares
from small_nets import elastic_net, operations_net, step
from supernet import OpChoice, Supernet
from supernet.errors import UsageError
from supernet.methods import darts, r_darts
from supernet.methods.cells.darts import ARCHITECTURE, WEIGHTS
from supernet.methods.cells.r_darts import CUTOUT, DECAYS, DROP_PATHS, REGULARISE, STOP
from supernet.nn import DropPath
from supernet.space import Arch
from supernet.train import (
    Context,
    Curvature,
    CurvatureRise,
    CutImages,
    Recipe,
    RegulariseOnRise,
    Step,
    Strongest,
    Trained,
    adam,
    fit,
    sgd,
)
from supernet.train.edits.curvature import HISTORY
from supernet.train.edits.regularise_on_rise import DECAY, DecayFromMemory
from supernet.train.laws import Trial
from supernet.train.parts.snapshots import Snapshots
from supernet.train.state import load_parts
from supernet.train.updates import Stepper

AT_ONCE = CurvatureRise(window=1, back=1, ratio=0.0, earliest=0)
"""Rises at the second measurement, and at every one after."""


def dropping_net() -> Supernet:
    """Two blocks, each followed by drop-path."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        blocks = [
            nn.Sequential(
                OpChoice(f"block{i}", {"conv3": nn.Conv2d(8, 8, 3, padding=1), "conv1": nn.Conv2d(8, 8, 1)}),
                DropPath(),
                nn.ReLU(),
            )
            for i in range(2)
        ]
        return Supernet(
            nn.Sequential(
                nn.Conv2d(1, 8, 3, padding=1), *blocks, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 10)
            )
        )


TRIALS = {
    "r_darts": lambda: on_digits(r_darts().with_weights(lr=0.1), operations_net()),
    "r_darts, drop-path and cutout": lambda: on_digits(
        r_darts(watch=None, drop_path=0.2, cutout=3, order=1).with_weights(lr=0.1), dropping_net()
    ),
    "r_darts, regularised": lambda: Trial(  # goes back after two epochs of two steps each
        recipe=r_darts(watch=RegulariseOnRise(rise=AT_ONCE, factor=3.0), every=1, order=1).with_weights(lr=0.1),
        net=operations_net(),
        data=squares(),
        steps=60,
        batch_size=72,
    ),
}
ALTERNATIVES = {
    "watch": REGULARISE,
    "every": 1,
    "drop_path": 0.2,
    "cutout": 16,
    "order": 1,
    "exclude": ("skip",),
    "weights": sgd(0.1, weight_decay=1e-3),
    "architecture": adam(0.1),
}
REFUSED_BY = {"dynas", "few_shot", "gm_nas", "k_shot", "sum_nas"}
SETTINGS = {
    "watch": CurvatureRise(window=5, ratio=1.3, back=4, earliest=10),
    "every": 2,
    "drop_path": 0.0,
    "cutout": 0,
    "order": 2,
    "exclude": (),
}


def test_the_settings_are_the_published_ones() -> None:
    assert published(r_darts().weights) == published(darts().weights)
    assert r_darts().parts["architecture"] == darts().parts["architecture"]
    assert tuple(pytest.approx(3e-4 * 3**power) for power in range(5)) == DECAYS
    assert DROP_PATHS == (0.0, 0.2, 0.4, 0.6)
    assert CUTOUT == 16
    assert (REGULARISE.factor, REGULARISE.most, REGULARISE.rise) == (10.0, 0.03, STOP)
    assert [r_darts(watch=watch).name for watch in (STOP, REGULARISE, None)] == ["darts_es", "darts_ada", "r_darts"]


def test_the_moves_are_those_of_second_order_darts() -> None:
    for options in ({}, {"watch": None}, {"watch": REGULARISE}):
        found = moves(r_darts(**options), operations_net())  # type: ignore[arg-type]
        expected = moves(darts(order=2), operations_net())
        assert [(m.updates, m.data, m.gradient) for m in found] == [(m.updates, m.data, m.gradient) for m in expected]


EPOCH = 2  # steps of 72 of 144 images


def search(
    recipe: Recipe, *, epochs: float, net: Supernet | None = None, progress: bool = False, **options: Any
) -> Trained:
    return fit(
        operations_net() if net is None else net,
        recipe,
        squares(),
        steps=round(EPOCH * epochs),
        batch_size=72,
        accelerator="cpu",
        log_every=1,
        progress=progress,
        **options,
    )


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The curvatures that are measured from now on, one after another."""
    values: list[float] = []

    def next_value(self: Curvature, context: Context) -> float:
        return values[len(context.memory.get(HISTORY, {"values": []})["values"])]

    monkeypatch.setattr(Curvature, "measure", next_value)
    return values


def quick(**options: Any) -> Recipe:
    """α that moves so fast that the derived architecture changes all the time."""
    return r_darts(order=1, architecture=ARCHITECTURE.with_settings(lr=0.3, weight_decay=0.0), **options)


def test_it_stops_after_the_planted_rise_with_the_architecture_of_before(
    planted: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_the_epoch(self: Strongest, context: Context) -> Arch:
        number = context.step.index // EPOCH
        first, second = (context.net.space.choices[0].options[place] for place in (number % 3, number // 3 % 3))
        return context.net.space.arch({"block0": first, "block1": second})

    monkeypatch.setattr(Strongest, "derive", of_the_epoch)
    planted += [1.0] * 11 + [2.0] * 14
    trained = search(quick(), epochs=50)
    assert trained.steps == EPOCH * 25, "the measurement of epoch 24, from 0, is the second after the rise"
    history = trained.memory[HISTORY]
    assert history["epochs"] == list(range(0, 25, 2))
    assert trained.derived is not None
    assert str(trained.derived) == "block0=conv3,block1=conv1", "12 is 110 in base three"
    assert len(set(history["derived"])) > 5
    assert "rose to 2 in epoch 24; the architecture is that of epoch 12" in trained.memory["ended"]["search"]
    noted = [row["curvature"] for row in trained.history if "curvature" in row]
    assert noted == [1.0] * 11 + [2.0] * 2


def test_it_remembers_what_would_have_been_derived_then(planted: list[float]) -> None:
    planted += [1.0] * 25
    whole = search(quick(), epochs=10)
    short = search(darts(architecture=ARCHITECTURE.with_settings(lr=0.3, weight_decay=0.0)), epochs=10, stop_after=10)
    assert whole.steps == EPOCH * 10
    assert whole.memory[HISTORY]["epochs"] == [0, 2, 4, 6, 8]
    assert whole.memory[HISTORY]["derived"][2] == str(short.derived), "after epochs 0 to 4"


def test_without_a_rise_it_trains_on_and_derives_from_the_end(planted: list[float]) -> None:
    planted += [1.0] * 25
    plain = search(darts(architecture=ARCHITECTURE.with_settings(lr=0.3, weight_decay=0.0)), epochs=26)
    trained = search(quick(), epochs=26)
    assert trained.steps == EPOCH * 26
    assert trained.derived == plain.derived
    for one, other in zip(trained.net.parameters(), plain.net.parameters(), strict=True):
        assert torch.equal(one, other), "watching changes nothing"


@pytest.mark.parametrize(
    ("rise", "every", "ada", "enough"),
    [
        (CurvatureRise(window=1, back=1, ratio=1.0, earliest=3), 1, False, EPOCH * 5 + 1),
        (CurvatureRise(window=3, back=1, ratio=1.0, earliest=1), 2, True, EPOCH * 7 + 1),
    ],
)
def test_a_search_too_short_for_a_rise_to_be_found_says_so_before_it_begins(
    planted: list[float], capsys: pytest.CaptureFixture[str], rise: CurvatureRise, every: int, ada: bool, enough: int
) -> None:
    """Said exactly where values that double with every measurement lead to nothing."""
    planted += [2.0**number for number in range(20)]
    recipe = quick(watch=RegulariseOnRise(rise=rise) if ada else rise, every=every)
    for steps in (enough - 1, enough):
        trained = search(recipe, epochs=steps / EPOCH, progress=True)
        followed = DECAY in trained.memory if ada else "ended" in trained.memory
        said = "nothing will follow from the curvature" in capsys.readouterr().err
        assert (said, followed) == ((False, True) if steps == enough else (True, False))


def test_of_fewer_than_24_epochs_nothing_follows_by_the_published_numbers() -> None:
    sentence = Curvature(rise=STOP).caution(230, 10)
    assert sentence is not None
    assert "epoch 22, counted from 0" in sentence
    assert "has 23 epochs of 10 steps" in sentence
    assert "Train for 240 steps or more" in sentence
    assert Curvature(rise=STOP).caution(240, 10) is None
    assert Curvature().caution(10, 10) is None
    assert r_darts().phases[0].edits[0].apply.rise == STOP  # type: ignore[attr-defined]


class Recorder:
    """A monitor that keeps the state, the weight decay and the momentum after every step."""

    every = 1

    def __init__(self) -> None:
        self.weights: list[Tensor] = []
        self.logits: list[Tensor] = []

    def __call__(self, step: Step) -> Mapping[str, float]:
        self.weights.append(torch.cat([p.detach().flatten().clone() for p in step.net.parameters()]))
        self.logits.append(torch.cat([p.detach().flatten().clone() for p in step.parts["architecture"].parameters()]))
        return {}


@pytest.fixture
def decays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The weight decay of every update of the weights from now on."""
    found: list[float] = []
    original = Stepper.step

    def noting(self: Stepper, now: Step, paths: Any) -> None:
        if self.updates.clip_norm is not None:  # those of the weights
            found.append(self.optimizer.param_groups[0]["weight_decay"])
        original(self, now, paths)

    monkeypatch.setattr(Stepper, "step", noting)
    return found


def test_it_goes_back_and_decays_ten_times_as_much_until_the_most(planted: list[float], decays: list[float]) -> None:
    planted += [1.0] * 11 + [2.0] * 40
    recorder = Recorder()
    trained = search(quick(watch=REGULARISE), epochs=50, monitors=(recorder,))
    assert trained.steps == EPOCH * 50
    back = EPOCH * 25 - 1  # the last step of epoch 24
    kept = EPOCH * 13 - 1  # the last step of epoch 12
    assert torch.equal(recorder.weights[back], recorder.weights[kept])
    assert torch.equal(recorder.logits[back], recorder.logits[kept])
    assert not torch.equal(recorder.weights[back - 1], recorder.weights[back])
    # Of the history seven measurements are left, so that the rise is found again six later: in epoch 36.
    again = EPOCH * 37 - 1
    assert decays[: back + 1] == [3e-4] * (back + 1)
    assert decays[back + 1 : again + 1] == pytest.approx([3e-3] * (again - back))
    assert decays[again + 1 :] == pytest.approx([0.03] * (EPOCH * 50 - again - 1))
    assert trained.memory[DECAY] == pytest.approx(0.03)
    assert torch.equal(recorder.weights[again], recorder.weights[kept])


def test_the_weight_decay_goes_no_further_than_the_most(planted: list[float], decays: list[float]) -> None:
    planted += [1.0] * 40
    rising = RegulariseOnRise(rise=AT_ONCE, factor=50.0, most=0.02)
    search(quick(watch=rising, every=1), epochs=8)
    assert sorted(set(decays)) == pytest.approx([3e-4, 50 * 3e-4, 0.02])


def test_a_resumed_run_has_its_snapshots_and_its_decay(
    planted: list[float], decays: list[float], tmp_path: Path
) -> None:
    planted += [1.0] * 40
    recipe = quick(watch=RegulariseOnRise(rise=AT_ONCE), every=1)
    search(recipe, epochs=8, out=tmp_path / "one", stop_after=EPOCH * 2 + 1, resume=True)
    parts = load_parts(operations_net(), recipe, tmp_path / "one")
    assert isinstance(parts["snapshots"], Snapshots)
    assert list(parts["snapshots"].held) == ["0"], "those after it were forgotten"
    decays.clear()
    search(recipe, epochs=8, out=tmp_path / "one", stop_after=EPOCH * 3, resume=True)
    assert decays == pytest.approx([3e-3])


def test_drop_path_and_cutout_grow_from_epoch_to_epoch() -> None:
    recipe = r_darts(watch=None, drop_path=0.4, cutout=3)
    seen = []
    for epoch in range(5):
        now = step(operations_net(), 3 * epoch + 1, total=15)
        now = Step(**{**vars(now), "steps_per_epoch": 3})
        (program,) = recipe.programs
        forward = program.forward  # type: ignore[attr-defined]
        assert isinstance(forward, CutImages)
        assert forward.side == 3
        seen.append((recipe.settings["drop_path"](now), forward.probability(now)))  # type: ignore[operator]
    assert seen == [pytest.approx((0.4 * epoch / 4, epoch / 4)) for epoch in range(5)]


def test_every_pass_of_the_search_goes_through_both(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: set[float] = set()
    dropped = DropPath.forward

    def noting(self: DropPath, x: Tensor) -> Tensor:
        rates.add(round(self.selection.setting("drop_path", 0.0), 6))
        return dropped(self, x)

    cuts: list[float] = []
    cut = CutImages.__call__

    def counting(self: CutImages, now: Step, path: Any, batch: Any) -> Any:
        cuts.append(1.0)
        return cut(self, now, path, batch)

    monkeypatch.setattr(DropPath, "forward", noting)
    monkeypatch.setattr(CutImages, "__call__", counting)
    search(r_darts(watch=None, drop_path=0.4, cutout=3), epochs=3, net=dropping_net())
    assert rates == {0.0, 0.2, 0.4}
    assert len(cuts) == EPOCH * 3 * 5, "four of the second-order gradient, and one of the weights"


@pytest.mark.parametrize("watch", [Curvature(), "RegulariseOnRise", True])
def test_what_follows_from_no_rise_is_refused_where_it_is_given(watch: Any) -> None:
    """Rather than measured for nothing."""
    with pytest.raises(UsageError, match=r"watch is .*; give a CurvatureRise\(\), a RegulariseOnRise\(\), or None"):
        r_darts(watch=watch)


def test_what_cannot_be_is_refused_before_the_training() -> None:
    with pytest.raises(UsageError, match="watch is 'ada'; give a CurvatureRise"):
        r_darts(watch="ada")  # type: ignore[arg-type]
    for rate in (-0.1, 1.0):
        with pytest.raises(UsageError, match="drop-path"):
            r_darts(drop_path=rate)
    for decay in (0.0, 0.03):
        with pytest.raises(UsageError, match="weight decay was to grow"):
            r_darts(watch=REGULARISE, weights=WEIGHTS.with_settings(weight_decay=decay))
    for options in ({"factor": 1.0}, {"most": 0.0}):
        with pytest.raises(UsageError, match="weight decay"):
            RegulariseOnRise(**options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="cannot be mixed"):
        search(r_darts(), epochs=1, net=elastic_net())
    with pytest.raises(UsageError, match="drop_path"):
        search(r_darts(watch=None, drop_path=0.2), epochs=1)


def test_what_is_excluded_is_not_derived_before_a_rise_either() -> None:
    (phase,) = r_darts(exclude=("none",)).phases
    measured: Any = phase.edits[0].apply
    assert measured.derive == Strongest(("none",))


def test_parameters_without_weight_decay_stay_without() -> None:
    net = elastic_net()
    stepper = Stepper(sgd(0.1, weight_decay=1e-4, decay_vectors=False), net.parameters(), batch_size=8)
    now: Any = SimpleNamespace(memory={DECAY: 0.01}, steppers={"weights": stepper})
    DecayFromMemory()(now)
    assert [group["weight_decay"] for group in stepper.optimizer.param_groups] == [0.01, 0.0]
