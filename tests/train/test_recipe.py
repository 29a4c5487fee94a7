"""Recipes as values: what fits together, and their description."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import pytest
import torch

from small_nets import operations_net, sgd
from supernet.data import AllImages, Chained, Cutout, RandomLabelled
from supernet.errors import UsageError
from supernet.methods import attentivenas, darts, few_shot, gm_nas, greedynas, k_shot, mcd, sandwich, spos, sum_nas
from supernet.space import Arch
from supernet.train import (
    AgainstClassifiers,
    Auxiliary,
    BesideTeachers,
    Bilevel,
    Constant,
    CopyOfNet,
    Cosine,
    CrossEntropy,
    Fixed,
    LogitPerOption,
    Part,
    Path,
    PerClient,
    Phase,
    Ramp,
    Recipe,
    Reptile,
    StrictFair,
    Strongest,
    TrainPaths,
    Uniform,
)
from supernet.train.recipe import describe


def test_pieces_that_do_not_fit_are_refused() -> None:
    parts = {"architecture": Part(build=LogitPerOption(), updates=sgd())}
    with pytest.raises(UsageError, match="'x' needs a part 'architecture' with updates: its Bilevel steps it"):
        Recipe(name="x", program=Bilevel(), weights=sgd())
    with pytest.raises(UsageError, match="needs a part 'architecture' with updates"):
        Recipe(name="x", program=Bilevel(), weights=sgd(), parts={"architecture": Part(build=LogitPerOption())})
    with pytest.raises(UsageError, match=r"learns how much options count, so it needs `derive="):
        Recipe(name="x", program=Bilevel(), weights=sgd(), parts=parts)
    with pytest.raises(UsageError, match="updates for the part 'architecture', but its program never moves it"):
        Recipe(name="x", program=TrainPaths(sampler=Uniform()), weights=sgd(), parts=parts)
    with pytest.raises(UsageError, match="derives an architecture from a part 'architecture', but it has none"):
        Recipe(name="x", program=TrainPaths(sampler=Uniform()), weights=sgd(), derive=Strongest())
    with pytest.raises(UsageError, match="called 'weights', as the supernet's own are"):
        Recipe(
            name="x", program=TrainPaths(sampler=Uniform()), weights=sgd(), parts={"weights": Part(build=CopyOfNet())}
        )
    phase = Phase(name="p", share=1, program=TrainPaths(sampler=Uniform()), updates={"codes": sgd()})
    with pytest.raises(UsageError, match="needs a part 'codes' with updates: its phase 'p' steps it"):
        Recipe(name="x", program=(phase,), weights=sgd())


def test_settings_of_the_weights_reach_phases_that_step_them_in_a_way_of_their_own() -> None:
    program, schedule = TrainPaths(sampler=Uniform()), Cosine(0.1)
    own = {"weights": sgd(0.5, momentum=0.9).with_settings(schedule=schedule)}
    first, second = (
        Phase(name=name, share=1, program=program, updates=given) for name, given in (("a", own), ("b", {}))
    )
    changed = Recipe(name="x", program=(first, second), weights=sgd(0.2)).with_weights(lr=0.1)
    assert changed.weights == sgd(0.1)
    assert [dict(phase.updates) for phase in changed.phases] == [
        {"weights": sgd(0.1, momentum=0.9).with_settings(schedule=schedule)},
        {},
    ]


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Bilevel(order=3), "is 1 or 2; got 3"),
        (lambda: Bilevel(first="alpha"), "'architecture' or 'weights'; got 'alpha'"),
        (lambda: Bilevel(begin=1.5), r"share in \[0, 1\]; got 1.5"),
        (lambda: TrainPaths(sampler=Uniform(), micro_batch=0), "at least 1, or None"),
        (lambda: TrainPaths(sampler=Uniform(), regularise="last"), "'all' paths or on the 'first'; got 'last'"),
    ],
)
def test_programs_refuse_options_outside_their_range(build: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        build()


def test_a_changed_piece_changes_the_description() -> None:
    base = spos()
    fair = replace(base, program=replace(base.program, sampler=StrictFair()))
    assert base.describe()["program"]["sampler"] == {"piece": "train.samplers.uniform:Uniform", "count": 1}
    assert fair.describe()["program"]["sampler"] == {"piece": "train.samplers.strict_fair:StrictFair"}
    assert {k: v for k, v in fair.describe().items() if k != "program"} == {
        k: v for k, v in base.describe().items() if k != "program"
    }


def test_descriptions_name_functions_arguments_and_architectures() -> None:
    arch = operations_net().space.arch({"block0": "skip", "block1": "conv1"})
    assert describe(Fixed(arch)) == {
        "piece": "train.samplers.fixed:Fixed",
        "arch": {"block0": "skip", "block1": "conv1"},
    }
    assert describe(partial(torch.optim.SGD, lr=0.1)) == {"call": "torch.optim.sgd:SGD", "lr": 0.1}
    assert describe(partial(pow, 2)) == {"call": "builtins:pow", "arguments": [2]}
    assert describe({"a": (1, None), "b": np.float32(0.5)}) == {"a": [1, None], "b": 0.5}


def test_pieces_of_one_name_are_told_apart_by_their_modules() -> None:
    other = dataclass(frozen=True)(type("Uniform", (Uniform,), {"__module__": "elsewhere.samplers"}))
    assert describe(other(1)) == {"piece": "elsewhere.samplers:Uniform", "count": 1}
    assert describe(other(1)) != describe(Uniform(1))


class Teacher:
    """Without fields: two teachers of other weights look alike."""

    def __call__(self, archs: object) -> object:
        return archs


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        (lambda archs: archs, "is a lambda or stands inside a function: it has no name"),
        (Teacher(), "Teacher has no fields by which it could be told .* frozen dataclass, or a function at the top"),
        (Teacher().__call__, "The method Teacher.__call__ of an object has no name"),
        (partial(Teacher(), 1), "Teacher has no fields"),
        ({1, 2}, "builtins:set has no fields"),
    ],
)
def test_what_another_could_pass_for_is_refused(piece: object, words: str) -> None:
    """A training would otherwise be resumed with another teacher, without a word."""
    with pytest.raises(UsageError, match=words):
        describe(piece)
    with pytest.raises(UsageError, match=words):
        attentivenas(predictor=piece).describe()  # type: ignore[arg-type]


def test_a_piece_of_ones_own_needs_no_registration() -> None:
    @dataclass(frozen=True)
    class Halves(Constant):
        steps: int = 3

    described = spos().with_weights(schedule=Halves(7)).describe()["weights"]["schedule"]
    assert described["piece"].endswith(":test_a_piece_of_ones_own_needs_no_registration.<locals>.Halves")
    assert described["steps"] == 7
    derive = {
        "piece": "train.derivations.strongest:Strongest",
        "exclude": [],
        "edges": 2,
        "weigh_edges": False,
        "part": "architecture",
    }
    assert darts().describe()["derive"] == derive


# -- one architecture alone ----------------------------------------------------------------------------------------


@cache
def an_arch() -> Arch:
    return operations_net().space.smallest()


def trained_alone(recipe: Recipe) -> TrainPaths:
    program = recipe.alone(an_arch()).program
    assert isinstance(program, TrainPaths)
    assert program.sampler == Fixed(an_arch())
    return program


@pytest.mark.parametrize(
    ("recipe", "objective"),
    [
        (spos(), CrossEntropy(0.1)),
        (sandwich(label_smoothing=0.2, hard=0.5), CrossEntropy(0.2)),
        (attentivenas(), CrossEntropy(0.1)),
        (greedynas(), CrossEntropy(0.1)),
        (k_shot(), CrossEntropy(0.1)),
        (few_shot(), CrossEntropy(0.0)),
        (darts(), CrossEntropy(0.0)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_alone_the_objective_is_what_it_says_itself(recipe: Recipe, objective: CrossEntropy) -> None:
    assert trained_alone(recipe).objective == objective
    assert recipe.alone(an_arch()).adapt is None


def test_alone_what_the_training_of_an_architecture_needs_stays() -> None:
    """The settings that layers read, the images and the auxiliary heads; random labels go."""
    loss = Auxiliary(CrossEntropy(0.1), 0.3)
    settings, late = {"drop_path": Ramp(0.0, 0.2)}, {"scale": 2.0}
    program = TrainPaths(sampler=Uniform(), objective=loss)
    phases = (Phase(name="a", share=1, program=program), Phase(name="b", share=1, program=program, settings=late))
    for changes, kept in (
        ((AllImages(), RandomLabelled(3), Cutout(2)), Chained((AllImages(), Cutout(2)))),
        ((RandomLabelled(3),), None),
    ):
        recipe = Recipe(name="x", program=phases, weights=sgd(), settings=settings, data=Chained(changes))
        found = recipe.alone(an_arch())
        assert (found.settings, found.data) == ({**settings, **late}, kept)
        assert trained_alone(recipe).objective == loss
    assert replace(spos(), data=RandomLabelled(3)).alone(an_arch()).data is None
    assert replace(spos(), data=AllImages()).alone(an_arch()).data == AllImages()


def test_alone_the_settings_of_a_search_go() -> None:
    recipe = replace(darts(), settings={"aux_skip": Ramp(1.0, 0.0)}, data=AllImages()).alone(an_arch())
    assert not recipe.settings
    assert recipe.data is None


def test_alone_the_way_of_sum_nas_is_that_of_one_path() -> None:
    """Its outer learning rate of 1 is for a way, not for a gradient."""
    assert trained_alone(sum_nas()).gradient == Reptile()


def test_alone_a_program_of_several_moves_keeps_what_its_objective_needs() -> None:
    """Teachers from outside beside its own parts; also where phases depend on the space."""

    @dataclass(frozen=True)
    class OnEverySpace:
        program: AgainstClassifiers

        def phases(self, space: object) -> tuple[Phase, ...]:
            return (Phase(name="all", share=1, program=self.program),)

    heads, settings = replace(sgd(), states=PerClient()), {"drop_path": 0.1}
    recipe = mcd(heads=heads).with_objective(lambda labels: BesideTeachers(labels=labels))
    outside = Part(build=lambda setting: operations_net())
    recipe = replace(recipe, parts={**recipe.parts, "teachers": outside, "other": outside}, settings=settings)
    for program in (recipe.program, OnEverySpace(recipe.program)):  # type: ignore[arg-type]
        found = replace(recipe, program=program).alone(an_arch())
        assert list(found.parts) == ["classifier", "classifiers", "teachers"]
        assert found.settings == settings
        assert found.parts["classifier"].updates == sgd(), "one network has one momentum"  # type: ignore[union-attr]


def test_a_program_without_an_objective_cannot_train_alone() -> None:
    class Silent:
        parts = ()

    with pytest.raises(UsageError, match="Silent of the recipe 'x' does not say under which loss"):
        Recipe(name="x", program=Silent(), weights=sgd()).alone(an_arch())  # type: ignore[arg-type]


# -- what a program holds ------------------------------------------------------------------------------------------


def test_the_sampler_of_every_program_is_exchanged() -> None:
    program = TrainPaths(sampler=Uniform())
    phases = tuple(Phase(name=name, share=1, program=program) for name in "ab")
    for recipe in (spos(), replace(spos(), program=phases), greedynas(), k_shot(), few_shot(), gm_nas()):
        changed = recipe.with_sampler(lambda _: StrictFair())
        assert all(program.sampler == StrictFair() for program in changed.programs)  # type: ignore[attr-defined]
        assert changed.on(operations_net().space).phases != recipe.on(operations_net().space).phases
    with pytest.raises(UsageError, match="Bilevel of the recipe 'darts' does not train the paths of a sampler"):
        darts().with_sampler(lambda sampler: sampler)


def test_a_sampler_that_does_not_say_what_it_draws_is_refused_by_methods_around_it() -> None:
    class Mine:
        pass

    with pytest.raises(UsageError, match="what Mine draws for a move; give the sampler an attribute `draws`, one of"):
        _ = spos(sampler=Mine()).draws  # type: ignore[arg-type]


def test_a_path_that_could_mean_options_or_indices_is_refused() -> None:
    with pytest.raises(UsageError, match="A path is an architecture or Decisions; got a dict"):
        Path({"block0": 0}, CrossEntropy())  # type: ignore[arg-type]
