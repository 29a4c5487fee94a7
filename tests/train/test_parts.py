"""Parts and slices: how they are built, stepped, kept and loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path as File
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from method_trials import squares, train
from small_nets import operations_net, sgd
from supernet import Supernet
from supernet.data import Batch
from supernet.errors import RunError, UsageError
from supernet.methods import spos
from supernet.nn.output import Output
from supernet.train import (
    Context,
    CopyOfNet,
    CrossEntropy,
    Edit,
    Move,
    Moves,
    Part,
    Path,
    Recipe,
    Setting,
    Slice,
    Step,
    adam,
    checkpoint,
    load_parts,
)
from supernet.train.laws import Trial, moves_change_one_family, resumes_bitwise
from supernet.train.part import families_of
from supernet.train.state import TrainingState


class Shift(nn.Module):
    """Adds a number per pixel row to the images."""

    def __init__(self, rows: int = 8) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.randn(rows, 1))
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.rows


def shift(setting: Setting) -> Shift:
    return Shift()


def shifted(step: Step, path: Path, batch: Batch) -> Output:
    return step.forward(path.decisions, Batch(step.part("shift", Shift)(batch.x), batch.y), settings=path.settings)


@dataclass(frozen=True)
class Joint:
    """Weights and part by one move; then the part alone."""

    parts = ("shift",)
    objective = CrossEntropy()

    def check(self, net: Supernet) -> None:
        return

    def moves(self, step: Step) -> Moves:
        path = Path(step.space.sample(step.rng), self.objective, forward=shifted)
        yield Move(updates=("weights", "shift"), paths=[path])
        yield Move(updates="shift", data="validation", paths=[path])


def recipe(**parts: Any) -> Recipe:
    given = {"shift": Part(build=shift, updates=adam(0.01))} | parts
    return Recipe(name="joint", program=Joint(), weights=sgd(0.05, momentum=0.9), parts=given)


def state(given: Recipe, *, seed: int = 0) -> TrainingState:
    return TrainingState(operations_net(), given, seed=seed, batch_size=16)


# -- building ------------------------------------------------------------------------------------------------------


def test_a_part_is_built_from_the_seed_and_its_name_alone() -> None:
    built = []
    for number, seed in enumerate((3, 3, 4)):
        torch.manual_seed(number)
        before = torch.get_rng_state()
        built.append(state(recipe(other=Part(build=shift)), seed=seed).parts)
        assert torch.equal(before, torch.get_rng_state()), "building a part advances the generator outside"
    rows = [[parts[name].rows for name in ("shift", "other")] for parts in built]
    assert torch.equal(rows[0][0], rows[1][0])
    assert not torch.equal(rows[0][0], rows[2][0])
    assert not torch.equal(rows[0][0], rows[0][1]), "two parts of one kind begin alike"


def test_a_part_has_the_device_and_the_mode_that_it_is_given() -> None:
    net = operations_net().to("meta")
    parts = {"a": Part(build=shift, mode="eval"), "b": Part(build=shift)}
    made = TrainingState(net, replace(spos(), parts=parts), seed=0, batch_size=1).parts
    assert [module.training for module in made.values()] == [False, True]
    assert {p.device.type for module in made.values() for p in module.parameters()} == {"meta"}


def test_what_is_no_part() -> None:
    for build in (Shift(), 3):
        with pytest.raises(UsageError, match="A part is built by a function of its setting"):
            Part(build=build)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="the mode 'train' or 'eval'; got 'test'"):
        Part(build=shift, mode="test")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"The part 'shift' is built as 3; its function has to return an nn\.Module"):
        state(recipe(shift=Part(build=lambda setting: 3, updates=sgd())))  # type: ignore[arg-type, return-value]
    with pytest.raises(UsageError, match="'shift' has updates, but no parameter that needs a gradient"):
        state(recipe(shift=Part(build=CopyOfNet(), updates=sgd())))


def test_a_part_that_is_asked_for_is_there_and_of_its_kind() -> None:
    now = Step(0, 1, operations_net(), rng=None, parts={"shift": Shift()})  # type: ignore[arg-type]
    assert isinstance(now.part("shift", nn.Module), Shift)
    with pytest.raises(UsageError, match=r"'shift' of the kind Supernet is needed, but it is a Shift"):
        now.part("shift", Supernet)
    with pytest.raises(UsageError, match=r"'code' of the kind Shift is needed, but none is there; the parts are: 'shi"):
        now.part("code", Shift)


def test_a_copy_of_the_net_is_one() -> None:
    made = state(replace(spos(), parts={"first": Part(build=CopyOfNet())}))
    copied = made.parts["first"]
    assert isinstance(copied, Supernet)
    assert not any(p.requires_grad for p in copied.parameters())
    shared = {p.data_ptr() for p in copied.parameters()} & {p.data_ptr() for p in made.net.parameters()}
    assert not shared
    assert all(torch.equal(a, b) for a, b in zip(copied.parameters(), made.net.parameters(), strict=True))
    arch, x = made.net.space.smallest(), torch.ones(2, 1, 8, 8)
    with made.net.active(made.net.space.largest()):
        assert torch.equal(copied.eval()(x, arch), made.net.eval()(x, arch)), "what is active in it is its own"


# -- training ------------------------------------------------------------------------------------------------------


def test_moves_step_what_they_name() -> None:
    moves_change_one_family(Trial(recipe=recipe(), net=operations_net(), data=squares(), batch_size=8))


@pytest.mark.slow
def test_a_training_with_parts_resumes_bitwise() -> None:
    kept = recipe(initial=Part(build=CopyOfNet()), codes=Part(build=shift, kept=False))
    resumes_bitwise(Trial(recipe=kept, net=operations_net(), data=squares(), batch_size=8))


@dataclass(frozen=True)
class Longer:
    """A part with as many rows as are remembered."""

    def __call__(self, setting: Setting) -> Shift:
        return Shift(setting.memory.get("rows", 1))


@dataclass(frozen=True)
class Grow:
    """Remembers more rows and builds the part anew."""

    def __call__(self, context: Context) -> None:
        context.memory["rows"] = 8
        assert context.rebuild is not None
        context.rebuild("shift")


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 3])
def test_a_part_of_another_size_is_built_from_what_is_remembered(after: int) -> None:
    part = Part(build=Longer(), updates=sgd(0.1, momentum=0.9))
    edits = (Edit(name="grow", apply=Grow(), every=after),)
    trial = Trial(recipe=replace(recipe(shift=part), edits=edits), net=operations_net(), data=squares(), batch_size=8)
    resumes_bitwise(trial)
    assert trial.train(steps=6).parts["shift"].rows.shape == (8, 1)


def test_a_part_that_is_built_anew_is_stepped_from_then_on() -> None:
    part = Part(build=Longer(), updates=sgd(0.1))
    edits = (Edit(name="grow", apply=Grow(), every=2),)
    ends = [train(replace(recipe(shift=part), edits=edits), steps=steps).parts["shift"].rows for steps in (2, 3)]
    assert not torch.equal(*ends)


def test_only_parts_can_be_built_anew() -> None:
    made = state(recipe())
    with pytest.raises(UsageError, match=r"no part 'codes' that could be built; the parts are \['shift'\]"):
        made.build("codes")


def newest(run: File) -> set[str]:
    path = checkpoint.latest(run / "checkpoints")
    assert path is not None
    return set(checkpoint.load(path)[0])


def test_checkpoints_hold_what_is_kept(tmp_path: File) -> None:
    given = recipe(once=Part(build=shift, kept=False))
    trained = train(given, out=tmp_path, steps=2)
    held = newest(tmp_path)
    assert {"parts/shift/rows", "parts/shift/calls", "optimizer/shift/0/0/exp_avg"} <= held
    assert not any(name.startswith("parts/once") for name in held)
    assert set(trained.parts) == {"shift", "once"}
    loaded = load_parts(operations_net(), given, tmp_path)
    for name, module in trained.parts.items():
        assert torch.equal(loaded[name].rows, module.rows), "one that is not kept is built from the seed of the run"
    other = replace(given, parts={"shift": Part(build=Longer(), updates=sgd())})
    with pytest.raises(UsageError, match="holds another part 'shift': size mismatch for rows"):
        load_parts(operations_net(), other, tmp_path)


def broken(context: Context) -> None:
    context.step.part("shift", Shift).rows.data.fill_(float("nan"))


def test_a_part_that_is_no_longer_finite_is_named() -> None:
    with pytest.raises(RunError, match="rows of the part 'shift' are no longer finite after step 1"):
        train(replace(recipe(), edits=(Edit(name="break", apply=broken),)), steps=1)


def test_a_run_says_its_parts(tmp_path: File) -> None:
    train(recipe(), out=tmp_path, steps=1)
    told = json.loads((tmp_path / "training.json").read_text())["recipe"]["parts"]["shift"]
    assert (told["piece"], told["mode"], told["kept"]) == ("train.part:Part", "train", True)


# -- slices --------------------------------------------------------------------------------------------------------


def head(net: Supernet) -> Iterable[nn.Parameter]:
    return [p for name, p in net.named_parameters() if name.startswith("module.8")]


def biases(net: Supernet) -> Iterable[nn.Parameter]:
    return [p for p in net.parameters() if p.ndim == 1]


def nothing(net: Supernet) -> Iterable[nn.Parameter]:
    return []


def foreign(net: Supernet) -> Iterable[nn.Parameter]:
    return [*head(net), nn.Parameter(torch.zeros(1))]


def test_a_slice_and_the_weights_are_all_parameters() -> None:
    net = operations_net()
    found = families_of(net, {"head": Slice(select=head, updates=sgd()), "shift": Part(build=shift)})
    assert list(found) == ["weights", "head"]
    numbers = {name: {id(p) for p in parameters} for name, parameters in found.items()}
    assert not numbers["weights"] & numbers["head"]
    assert numbers["weights"] | numbers["head"] == {id(p) for p in net.parameters()}
    assert len(numbers["head"]) == 2


def test_a_parameter_that_is_selected_twice_is_stepped_once() -> None:
    found = families_of(operations_net(), {"head": Slice(select=lambda net: [*head(net), *head(net)], updates=sgd())})
    assert len(found["head"]) == 2


@pytest.mark.parametrize(
    ("select", "words"),
    [(nothing, "no parameter"), (biases, "parameters of another slice"), (foreign, "that are not the supernet's")],
)
def test_what_is_no_slice(select: Any, words: str) -> None:
    parts = {"codes": Slice(select=select, updates=sgd())}
    if select is biases:
        parts = {"head": Slice(select=head, updates=sgd())} | parts
    with pytest.raises(UsageError, match=f"The slice 'codes' of the supernet has .*{words}"):
        families_of(operations_net(), parts)


@dataclass(frozen=True)
class HeadAlone:
    parts = ("head",)
    objective = CrossEntropy()

    def check(self, net: Supernet) -> None:
        return

    def moves(self, step: Step) -> Moves:
        yield Move(updates="head", paths=[Path(step.space.sample(step.rng), self.objective)])


def test_a_slice_is_stepped_by_its_own_updates_and_the_rest_stays() -> None:
    net, before = operations_net(), operations_net()
    train(
        Recipe(
            name="head",
            program=HeadAlone(),
            weights=sgd(0.5),
            parts={"head": Slice(select=head, updates=sgd(0.1))},
        ),
        net=net,
        steps=1,
    )
    changed = {
        name
        for (name, p), q in zip(net.state_dict().items(), before.state_dict().values(), strict=True)
        if not torch.equal(p, q)
    }
    assert changed == {"module.8.weight", "module.8.bias"}, "running statistics are the weights' too"
