"""Few-shot NAS: the supernet, then leaf after leaf, by any method that trains paths."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from method_trials import Watch, on_digits, published, split_by, squares, train, vector
from small_nets import elastic_net, operations_net, step
from supernet import Choice, Space, zoo
from supernet.errors import UsageError
from supernet.methods import dynas, fairnas, few_shot, k_shot, sandwich, spos
from supernet.train import MomentumSeparation, Phase, Recipe, Sandwich
from supernet.train.edits.split_by_option import SplitByOption
from supernet.train.phases import plan
from supernet.train.samplers.within import Within

EQUAL: dict[str, Any] = {"parent_epochs": 1, "leaf_epochs": 1}
TRIALS = {
    "few_shot": lambda: on_digits(few_shot(**EQUAL).with_weights(lr=0.3), operations_net(), steps=160),
    "few_shot, fresh": lambda: on_digits(few_shot(transfer=False).with_weights(lr=0.4), operations_net(), steps=210),
    "few_shot, sandwich": lambda: on_digits(
        few_shot(sandwich(), **EQUAL).with_weights(per=None), elastic_net(), steps=160
    ),
}
ALTERNATIVES = {
    "recipe": spos(),
    "choices": ("b",),
    "transfer": False,
    "parent_epochs": 601,
    "leaf_epochs": 301,
}
SETTINGS = {"choices": None, "transfer": True, "parent_epochs": 600, "leaf_epochs": 300}
SHORT = {"parent_epochs": 1, "leaf_epochs": 1}
REFUSES = {"darts", "few_shot", "gm_nas", "k_shot"}


def test_defaults_are_the_released_ones() -> None:
    assert published(few_shot().weights) == {
        "lr": 0.025,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 1e-4,
        "per": None,
        "clip": None,
        "inactive": "decay",
        "decay_vectors": True,
        "end": 0.04,
    }
    assert pytest.approx(0.001) == 0.025 * 0.04


def test_few_shot_trains_the_supernet_and_then_leaf_after_leaf() -> None:
    edges = zoo.nasbench201(channels=4, cells=1).space
    phases = few_shot().on(edges).phases
    assert [phase.name for phase in phases] == ["parent", *(f"leaf {leaf}" for leaf in range(5))]
    assert [stretch.steps for stretch in plan(phases, 2100)] == [600, 300, 300, 300, 300, 300]
    assert [phase.enter is not None for phase in phases] == [False, True, False, False, False, False]
    alone = few_shot(transfer=False).on(edges).phases
    assert [phase.name for phase in alone] == [f"leaf {leaf}" for leaf in range(5)]
    assert alone[0].enter == SplitByOption(None, fresh=True)


@pytest.mark.parametrize("inactive", ["freeze", "decay"])
@pytest.mark.parametrize("transfer", [True, False])
def test_only_the_leaf_whose_turn_it_is_moves(transfer: bool, inactive: Any) -> None:
    """Neither do weight decay and momentum move another."""
    recipe = few_shot(parent_epochs=3, leaf_epochs=3, transfer=transfer)
    recipe = recipe.with_weights(inactive=inactive, weight_decay=0.1).on(operations_net().space)
    watch = Watch()
    train(recipe, steps=3 * len(recipe.phases), monitors=[watch])
    for number, (before, after) in enumerate(itertools.pairwise(watch.seen), start=1):
        if number % 3 == 0:
            continue  # the first step of a phase: leaves may have been split before it
        name = recipe.phases[number // 3].name
        mine = 0 if name == "parent" else int(name.removeprefix("leaf "))
        moved = [not torch.equal(one, other) for one, other in zip(before, after, strict=True)]
        assert moved == [leaf == mine for leaf in range(3)], name


@pytest.mark.filterwarnings("ignore::supernet.StaleStatistics")  # equal logits are asked for, not good ones
def test_leaves_start_from_the_trained_supernet() -> None:
    """After the step in which they were split, the leaves that were not trained yet have its logits, bitwise."""
    recipe = few_shot(**EQUAL).with_weights(inactive="freeze")
    parent = train(recipe, steps=8, stop_after=2).net.eval()
    children = train(recipe, steps=8, stop_after=3).net.eval()
    x = next(squares().validation.batches(8)).x
    with torch.no_grad():
        for arch in parent.space.enumerate():
            same = torch.equal(parent(x, arch), children(x, arch))
            assert same == (children.module.leaf(arch) != 0)


def test_fresh_leaves_come_from_the_seed() -> None:
    def started(seed: int, leaf: int) -> torch.Tensor:
        recipe = few_shot(transfer=False).with_weights(inactive="freeze")
        return vector(train(recipe, steps=6, seed=seed, stop_after=1).net.module.copies[leaf])

    assert torch.equal(started(1, 2), started(1, 2))
    assert not torch.equal(started(1, 2), started(2, 2))
    assert not torch.equal(started(1, 1), started(1, 2))


def test_several_choices_make_a_leaf_per_joint_option() -> None:
    recipe = few_shot(choices=("block1", "block0"), **EQUAL)
    net = train(recipe, steps=10).net
    assert [space.size for space in net.module.spaces] == [1] * 9
    assert {net.module.leaf(arch) for arch in net.space.enumerate()} == set(range(9))


def test_leaves_are_as_many_as_the_choices_have_joint_options() -> None:
    net = elastic_net()
    always = [choice.name for choice in net.space.choices if choice.when is None and len(choice) > 1]
    for choices in (None, (always[-1],), tuple(always[:2])):
        joint = math.prod(len(net.space.allowed(name)) for name in choices or always[:1])
        assert len(few_shot(choices=choices, transfer=False).on(net.space).phases) == joint
        assert len(few_shot(choices=choices).adapted(net).module.copies) == joint


def test_the_default_split_is_the_edge_of_the_official_code() -> None:
    adapted = split_by(zoo.nasbench201(channels=4, cells=1), None)
    assert [space.allowed("1<-0") for space in adapted.module.spaces] == [
        (op,) for op in ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    ]
    assert [space.size for space in adapted.module.spaces] == [3125] * 5


def test_a_space_that_cannot_be_split_so_is_refused_before_training() -> None:
    with pytest.raises(UsageError, match=r"depend on the space; take recipe\.on\(net\.space\)"):
        _ = few_shot().phases
    with pytest.raises(UsageError, match="cannot be split"):
        few_shot().on(Space([Choice("kernel", (3,))]))
    with pytest.raises(UsageError, match="no choice named 'nothing'"):
        train(few_shot(choices=("nothing",)))
    with pytest.raises(UsageError, match="each once"):
        train(few_shot(choices=("block0", "block0")))
    with pytest.raises(UsageError, match="only exists under a condition"):
        train(few_shot(choices=("kernel",)), net=elastic_net())


def test_every_leaf_is_trained_by_the_method_it_goes_around() -> None:
    recipe = few_shot(sandwich(), **EQUAL)
    assert (recipe.name, recipe.weights) == ("few_shot(sandwich)", sandwich().weights)
    programs = [phase.program for phase in recipe.on(operations_net().space).phases]
    assert [program.sampler for program in programs] == [  # type: ignore[attr-defined]
        Within(Sandwich(2), leaf) for leaf in (0, 0, 1, 2)
    ]
    assert all(program.objective == sandwich().program.objective for program in programs)  # type: ignore[attr-defined,union-attr]


@pytest.mark.parametrize("choices", [("1<-0",), pytest.param(("1<-0", "3<-2"), marks=pytest.mark.slow)])
@pytest.mark.slow
def test_momentum_is_never_separated_by_a_choice_that_leaves_are_made_by(choices: tuple[str, ...]) -> None:
    """Neither in the supernet that is trained before them, nor where the choice is named."""
    for states in (MomentumSeparation(), MomentumSeparation(choice="1<-0")):
        for inner in (spos(), fairnas()):
            recipe = few_shot(dynas(inner, states=states), choices=choices)
            net = recipe.adapted(zoo.nasbench201(channels=2, cells=1))
            parent, *_ = recipe.on(net.space).phases
            separating, first = set(), step(net)
            for seed in range(30):
                now = replace(first, seed=seed)
                paths = [path for move in parent.program.moves(now) for path in move.paths]  # type: ignore[union-attr]
                edge = states.edge(net.space, seed, choices)
                codes = [path.decisions.code[net.space.column(edge)] for path in paths]  # type: ignore[union-attr]
                assert {recipe.weights.states.group(now, paths)} == set(codes)  # type: ignore[union-attr]
                separating.add(edge)
            assert separating == set(net.space.names) - set(choices)
    with pytest.raises(UsageError, match="or split by fewer"):
        MomentumSeparation().edge(net.space, 0, net.space.names)


def test_what_has_leaves_sets_or_phases_already_is_refused() -> None:
    for recipe in (few_shot(), k_shot(), few_shot(dynas())):
        with pytest.raises(
            UsageError, match=r"has several already; use one of the two|parts beside it, which belong to one"
        ):
            few_shot(recipe)
    (program,) = spos().programs
    phased = Recipe(name="two", program=(Phase(name="a", share=1, program=program),), weights=spos().weights)
    with pytest.raises(UsageError, match="has phases of its own"):
        few_shot(phased)
