"""ABS: after each stage the options whose subnets have turned least are dropped, until few architectures are left."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from command_line import supernet
from method_trials import on_digits, published, train
from small_nets import operations_net
from supernet import zoo
from supernet.errors import UsageError
from supernet.measure import Subnet
from supernet.methods import angle_shrinking, rlnas, spos
from supernet.methods.single_path.angle_shrinking import ANEW, DROP, FINAL, SEARCH
from supernet.nn import OpChoice, Supernet
from supernet.search import Evolution
from supernet.space import Space
from supernet.train import Angle, Context, Recipe, Scored, StrictFair, Uniform, sgd
from supernet.train.edits.drop_options import DropOptions

SHORT: dict[str, Any] = {"threshold": 4, "drop": replace(DROP, count=1), "first_epochs": 1, "stage_epochs": 1}

FEW: dict[str, Any] = {"threshold": 4, "drop": replace(DROP, count=1)}


def small(**options: Any) -> Recipe:
    return angle_shrinking(**FEW | options).with_weights(lr=0.1, per=None)


TRIALS = {
    "angle_shrinking": lambda: replace(
        on_digits(small(first_epochs=20, stage_epochs=5, schedule_epochs=30), operations_net()), watched=6
    ),
    "angle_shrinking, of every choice": lambda: on_digits(small(drop=replace(DROP, count=None)), operations_net()),
}
ALTERNATIVES = {
    "sampler": Uniform(2),
    "drop": replace(DROP, count=None),
    "threshold": 1e5,
    "first_epochs": 150,
    "stage_epochs": 20,
    "schedule_epochs": 400,
    "rebase": None,
    "label_smoothing": 0.2,
    "weights": sgd(0.1),
}
SETTINGS = {
    "sampler": Uniform(),
    "drop": DROP,
    "threshold": 1e6,
    "first_epochs": 100,
    "stage_epochs": 5,
    "schedule_epochs": 250,
    "rebase": 50,
}
SMOOTHING = 0.1
REFUSED_BY = frozenset({"few_shot", "gm_nas", "k_shot"})


def stages(recipe: Recipe, space: Space) -> list[tuple[float, tuple[float, float]]]:
    return [(phase.share, phase.part) for phase in recipe.on(space).phases]


def test_defaults_are_those_of_the_released_code() -> None:
    told = published(angle_shrinking().weights)
    assert (told["lr"], told["momentum"], told["nesterov"], told["weight_decay"]) == (0.25, 0.9, False, 4e-5)
    assert (0.25 * told["end"], told["decay_vectors"], told["per"]) == (5e-4, False, 512)
    assert angle_shrinking().weights.clip_value == 5.0
    assert told["inactive"] == "freeze", "unlike RLNAS, whose code leaves gradients of zero"
    assert Evolution(population=50, parents=10, mutations=25, crossovers=25, mutation_p=0.5) == SEARCH
    for later, clip in ((ANEW, (None, 5.0)), (FINAL, (5.0, None))):
        recipe = spos(**later)
        told = published(recipe.weights)
        assert (told["lr"], told["per"], told["weight_decay"], told["end"], told["inactive"]) == (
            0.5,
            1024,
            4e-5,
            0,
            "freeze",
        )
        assert (recipe.weights.clip_norm, recipe.weights.clip_value, told["decay_vectors"]) == (*clip, False)
    assert DropOptions(rating=Scored(Angle(ends="last")), count=7, samples=1000, max_macs=600e6) == DROP


def test_the_stages_of_the_mobilenet_space() -> None:
    """100 epochs, then 5 at a time, along one line of 250; more options could not be dropped one by one."""
    net = zoo.mobilenetv2(variant="proxyless_gpu", width_multiplier=0.1, image_size=32)
    found = stages(angle_shrinking(), net.space)
    assert [share for share, _ in found] == [100.0] + [5.0] * (len(found) - 1)
    assert [part[0] for _, part in found] == [0.0, *(pytest.approx((100 + 5 * n) / 250) for n in range(len(found) - 1))]
    assert not any(phase.restart for phase in angle_shrinking().on(net.space).phases), "momentum goes on"
    # 141 options; the most even way down to a million: 18 choices of two options, the others decided, leave 2^18.
    assert 13 <= len(found) <= 17


def turned(context: Context) -> None:
    """Make the weights of conv1 in block0, and of conv3 in block1, those that have turned most."""
    for block in context.net.modules():
        if isinstance(block, OpChoice):
            best = {"block0": "conv1", "block1": "conv3"}[block.choice.name]
            with torch.no_grad():
                for name, candidate in block.candidates.items():
                    for parameter in candidate.parameters():
                        if parameter.ndim > 1:
                            parameter.fill_(-5 if name == best else 1)


class Turned(DropOptions):
    """Turns weights before it looks at them."""

    def __call__(self, context: Context) -> dict[str, float]:  # type: ignore[override]
        turned(context)
        return dict(super().__call__(context))


def test_options_that_have_turned_least_go_and_the_training_ends(tmp_path: Path) -> None:
    net = operations_net()
    for block in net.modules():  # the weights begin where those that stay have been turned from
        if isinstance(block, OpChoice):
            for parameter in block.parameters():
                torch.nn.init.constant_(parameter, 1.0)
    recipe = small(drop=Turned(rating=Scored(Angle()), count=1), threshold=2)
    trained = train(recipe, net=net, steps=40, out=tmp_path / "run")
    assert trained.space is not None
    assert trained.space.size <= 2
    assert "conv1" in trained.space.allowed("block0")
    assert "conv3" in trained.space.allowed("block1")
    assert trained.steps <= 40
    assert "architectures are left" in trained.memory["finished"]
    kept = json.loads((tmp_path / "run" / "restriction.json").read_text())
    assert {name: tuple(options) for name, options in kept.items()} == {
        name: trained.space.allowed(name) for name in kept
    }


def test_paths_come_from_what_is_left() -> None:
    seen: list[tuple[int, dict[str, Any]]] = []

    class Noting(Uniform):
        def paths(self, step: Any) -> Any:
            found = super().paths(step)
            seen.append((step.space.size, dict(found[0].options())))
            return found

    trained = train(small(sampler=Noting(), threshold=1, rebase=None), steps=60)
    sizes = [size for size, _ in seen]
    assert sizes[0] == 9
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) >= 3
    assert trained.space is not None
    assert trained.space.size == 1


def test_angles_are_measured_from_later_weights_once_enough_is_dropped() -> None:
    """With rebase=0 from those after the first stage; never again."""
    always, once = (train(small(threshold=1, rebase=rebase), steps=60) for rebase in (None, 0))
    begun = operations_net().state_dict()
    assert all(torch.equal(value, begun[name]) for name, value in always.parts["initial"].state_dict().items())
    first = train(small(threshold=1, rebase=None), steps=60, stop_after=round(60 * 100 / 115))
    moved = once.parts["initial"]
    assert isinstance(moved, Supernet)
    angle = Angle(initial="begun")
    arch = once.net.space.largest()
    assert angle(Subnet(moved, arch, {"begun": operations_net()})) > 0.01
    assert first.memory["dropped"] == 1
    assert all(torch.equal(value, moved.state_dict()[name]) for name, value in first.net.state_dict().items())


def test_what_cannot_be_shrunk_is_refused_before_the_training() -> None:
    with pytest.raises(UsageError, match="smaller threshold"):
        train(angle_shrinking(), steps=4)
    with pytest.raises(UsageError, match="gets none of"):
        train(small(), steps=1)


def test_the_same_from_samplers_of_their_own_kind() -> None:
    fair = small(sampler=StrictFair(), drop=replace(DROP, count=None))
    trained = train(fair, steps=20)
    assert trained.space is not None
    assert [len(trained.space.allowed(name)) for name in trained.space.names] == [2, 2]


def test_searches_rank_by_accuracy() -> None:
    assert angle_shrinking().ranks_by is None
    assert angle_shrinking().data is None
    assert rlnas().ranks_by is not None


@pytest.mark.slow
def test_a_search_takes_what_is_left(tmp_path: Path) -> None:
    out = tmp_path / "run"
    method = ("--method", "angle_shrinking", "-M", "threshold=4", "-M", "drop.count=1", "-M", "weights.lr=0.01")
    short = ("--steps", 24, "--batch-size", 32, "--monitor-every", 0, "--accelerator", "cpu")
    done = supernet("train", "--space", "small_nets:operations_net", *method, *short, "--data", "digits", "--out", out)
    assert done.code == 0, done.err
    found = supernet("search", out, "--searcher", "random", "--budget", 9)
    assert found.code == 0, found.err
    left = json.loads((out / "restriction.json").read_text())
    points = [json.loads(line) for line in (out / "search.jsonl").read_text().splitlines()]
    assert 1 <= len(points) <= 4
    assert all(point["arch"][name] in options for point in points for name, options in left.items())
