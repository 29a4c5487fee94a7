"""What holds of every method: it is tried, keeps the laws, and shows every option in its description."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from method_trials import squares, train, vector
from small_nets import elastic_net, executor, operations_net, sgd, step
from supernet import Supernet, deploy, methods
from supernet.data import ImageData
from supernet.errors import RunError, UsageError
from supernet.judge.alone import Alone, Regime
from supernet.methods import darts, fairnas, one_shot, sandwich, spos
from supernet.paper import Paper
from supernet.space import Arch
from supernet.train import Context, Edit, Fixed, Recipe, TrainPaths, Updates, fit
from supernet.train.alone import alone
from supernet.train.executor import Executor
from supernet.train.laws import (
    RECIPE_LAWS,
    RecipeLaw,
    Trial,
    learns,
    moves_change_one_family,
    resumes_bitwise,
    seed_decides,
)
from supernet.train.move import Move
from supernet.train.programs._protocol import TrainsOne
from supernet.train.step import Step

METHODS: dict[str, Callable[..., Recipe]] = {name: getattr(methods, name) for name in sorted(methods.__all__)}


TRAIN = (learns, resumes_bitwise, seed_decides)
"""The laws that need several trainings, or a long one."""


@dataclass(frozen=True)
class Tried:
    """What the test file of a method says of it.

    Attributes:
        trials: `TRIALS`, trainings that keep the laws; named after the method.
        alternatives: `ALTERNATIVES`, another value than the default for every option.
        settings: `SETTINGS`, the defaults that paper or code give, beside label smoothing and updates.
        smoothing: `SMOOTHING`, the label smoothing; 0 where the file does not say.
        short: `SHORT`, options by which it can be trained in a few steps.
        refuses: `REFUSES`, the methods that this one does not go around.
        refused_by: `REFUSED_BY`, the methods that do not go around this one, beside those whose `REFUSES` name it.
        net: `NET`, builds a net that it can be trained on, where that is not one of two choices of operations.
        data: `DATA`, gives images that it can be trained on, where those are not squares of one domain.
    """

    trials: Mapping[str, Callable[[], Trial]]
    alternatives: Mapping[str, Any]
    settings: Mapping[str, Any]
    smoothing: float
    short: Mapping[str, Any]
    refuses: Set[str]
    refused_by: Set[str]
    net: Callable[[], Supernet]
    data: Callable[[], ImageData]


def tried() -> dict[str, Tried]:
    """By the name of the method: every `test_<name>.py` of this folder that has trials."""
    found = {}
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        if file.name != Path(__file__).name and "TRIALS = {" in file.read_text(encoding="utf-8"):
            module = imported(file)
            found[file.stem.removeprefix("test_")] = Tried(
                module.TRIALS,
                module.ALTERNATIVES,
                module.SETTINGS,
                getattr(module, "SMOOTHING", 0.0),
                getattr(module, "SHORT", {}),
                getattr(module, "REFUSES", frozenset()),
                getattr(module, "REFUSED_BY", frozenset()),
                getattr(module, "NET", operations_net),
                getattr(module, "DATA", squares),
            )
    return found


def imported(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tried_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TRIED = tried()
TRIALS = {name: trial for found in TRIED.values() for name, trial in found.trials.items()}


LAWS = [pytest.param(law, marks=[pytest.mark.slow] if law in TRAIN else [], id=law.__name__) for law in RECIPE_LAWS]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", TRIALS)
def test_methods_keep_the_laws(name: str, law: RecipeLaw) -> None:
    law(TRIALS[name]())


def test_every_method_is_tried() -> None:
    assert set(TRIED) == set(METHODS)
    for method, found in TRIED.items():
        assert found.trials, f"{method} has no trial"
        assert all(name.partition(",")[0] == method for name in found.trials)


def test_nothing_is_built_before_a_trial_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def built(*_: object, **__: object) -> None:
        raise AssertionError("a net was built when a test file was imported")

    monkeypatch.setattr("supernet.nn.supernet.Supernet.__init__", built)
    tried()


# -- the laws themselves can fail ------------------------------------------------------------------------------


def test_the_law_of_learning_catches_a_method_that_does_not() -> None:
    lazy = replace(spos(), weights=sgd(1e-6))
    with pytest.raises(AssertionError, match="the loss went from"):
        learns(Trial(recipe=lazy, net=operations_net(), data=squares(), steps=20))


def test_the_law_of_moves_catches_a_move_that_touches_the_other_family(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Executor.execute

    def leaky(self: Executor, move: Move, now: Step) -> float:
        loss = original(self, move, now)
        if move.updates == "architecture":
            next(self.net.buffers()).add_(1e-3)
        return loss

    monkeypatch.setattr(Executor, "execute", leaky)
    with pytest.raises(AssertionError, match=r"a move on the architecture changed .* of the buffers"):
        moves_change_one_family(Trial(recipe=darts(), net=operations_net(), data=squares()))


# -- what ends a training --------------------------------------------------------------------------------------


def breaks(context: Context) -> None:
    for part in context.parts.values():
        for parameter in part.parameters():
            parameter.data.fill_(float("nan"))


@pytest.mark.parametrize("name", ["drnas", "enas", "gdas", "proxyless"])  # three of them draw from a library's laws
def test_what_is_learned_and_no_longer_finite_ends_the_training_in_a_sentence(name: str) -> None:
    trial = TRIALS[name]()
    recipe = replace(trial.recipe, edits=(*trial.recipe.edits, Edit(name="break", apply=breaks)))
    with pytest.raises(RunError, match=r"Lower the learning rate or clip the gradient"):
        fit(trial.net, recipe, trial.data, steps=trial.steps, batch_size=16, accelerator="cpu", progress=False)


# -- signatures and descriptions -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_every_option_shows_in_the_description(name: str) -> None:
    method, alternatives = METHODS[name], TRIED[name].alternatives
    parameters = inspect.signature(method).parameters
    assert set(alternatives) == set(parameters)
    seen = {json.dumps(method().describe(), sort_keys=True)}
    for option, value in alternatives.items():
        positional = parameters[option].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        assert positional == (option == "recipe"), f"{option} is given by keyword alone"
        assert value != parameters[option].default
        described = json.dumps(method(**{option: value}).describe(), sort_keys=True)
        assert described not in seen, f"{option} changes nothing, or the same as another option"
        seen.add(described)


def test_no_two_methods_describe_alike() -> None:
    programs = [json.dumps({**method().describe(), "name": None, "weights": None}) for method in METHODS.values()]
    assert len(set(programs)) == len(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_says_where_it_was_published(name: str) -> None:
    method = METHODS[name]
    module = inspect.getmodule(method)
    paper = getattr(module, "PAPER", None)
    assert isinstance(paper, Paper)
    assert str(paper.link) in (method.__doc__ or ""), "the docstring links the paper"
    assert paper.authors[0] in (module.__doc__ or ""), "the first line of the module names its first author"
    assert f"{paper.venue} {paper.year}" in (module.__doc__ or "")


def test_no_two_papers_have_one_key() -> None:
    papers = {inspect.getmodule(method).PAPER for method in METHODS.values()}  # type: ignore[union-attr]
    assert len({paper.key for paper in papers}) == len(papers) >= len(METHODS) - 3, (
        "the final trainings are those of DARTS and ENAS"
    )


def test_a_method_is_short() -> None:
    """A recipe is what its paper invented: code lines without docstrings and imports."""
    lengths = {name: code_lines(Path(inspect.getfile(method))) for name, method in METHODS.items()}
    assert lengths["fairnas"] <= 25
    assert sorted(lengths.values())[len(lengths) // 2] <= 30, lengths


def code_lines(file: Path) -> int:
    """Lines that hold code, but for docstrings, imports and where the method was published."""

    tree = ast.parse(file.read_text(encoding="utf-8"))
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.arg | ast.keyword):
            lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    for node in ast.walk(tree):
        left_out = (
            isinstance(node, ast.Import | ast.ImportFrom)
            or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
            or (isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "PAPER")
        )
        if left_out and isinstance(node, ast.stmt):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    text = file.read_text(encoding="utf-8").splitlines()
    return sum(bool(text[line - 1].strip()) for line in lines)


# -- published settings, beside those of the optimisers that the files of the methods check ------------------------


@pytest.mark.parametrize("name", METHODS)
def test_the_settings_are_those_of_paper_or_code(name: str) -> None:
    parameters = inspect.signature(METHODS[name]).parameters.values()
    elsewhere = {"recipe", "label_smoothing"}
    own = {p.name: p.default for p in parameters if p.name not in elsewhere and not isinstance(p.default, Updates)}
    assert own == TRIED[name].settings
    assert smoothing(METHODS[name]()) == TRIED[name].smoothing


# -- what sets the methods apart -------------------------------------------------------------------------------


def test_no_two_methods_train_the_same_weights() -> None:
    """From the same start, on the same images, with the same optimiser."""
    ends = []
    for method in (spos, fairnas, one_shot, sandwich, darts):
        net = operations_net()
        train(replace(method(), weights=sgd()), net=net, steps=4)
        ends.append(vector(net))
    for number, end in enumerate(ends):
        for other in ends[number + 1 :]:
            assert (end - other).norm() > 1e-3


# -- one architecture alone ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_judge_and_deploy_train_one_architecture_alike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recipes: list[Recipe] = []

    def noting(net: object, recipe: Recipe, *_: object, **__: object) -> None:
        recipes.append(recipe)

    monkeypatch.setattr("supernet.judge.alone.fit", noting)
    monkeypatch.setattr("supernet.deploy.train_one.fit", noting)
    recipe, net = METHODS[name](), operations_net()
    arch = net.space.largest()
    regime = Regime(build=operations_net, recipe=recipe, data=squares(), steps=2, batch_size=16, accelerator="cpu")
    Alone(regime)(arch, 0)
    deploy.retrained(net, arch, squares(), steps=2, recipe=recipe, batch_size=16, accelerator="cpu")
    one, other = recipes
    assert one == replace(other, name=one.name) == recipe.alone(arch)
    if isinstance(recipe.programs[-1], TrainsOne):
        assert getattr(one.program, "drawn") == Fixed(arch)  # noqa: B009
    else:
        assert isinstance(one.program, TrainPaths)
        assert one.program.sampler == Fixed(arch)
    assert smoothing_of(getattr(one.program, "objective")) == smoothing(recipe)  # noqa: B009
    assert one.weights.alone() == one.weights


def smoothing(recipe: Recipe) -> float:
    """Of the objective that a recipe's programs train under."""
    objectives = [program.objective for program in recipe.programs if hasattr(program, "objective")]
    (found,) = {smoothing_of(alone(objective)) for objective in objectives}
    return found


def smoothing_of(objective: Any) -> float:
    """Of an objective, or of the one that it adds auxiliary heads to."""
    return float(getattr(objective, "objective", objective).label_smoothing)


@pytest.mark.parametrize("name", METHODS)
def test_alone_every_method_trains_to_finite_weights(name: str) -> None:
    net = operations_net()
    recipe = METHODS[name](**TRIED[name].short).alone(net.space.largest())
    found = TRIED[name].data()
    trained = fit(net, recipe, found, steps=3, batch_size=16, accelerator="cpu", progress=False)
    assert torch.isfinite(vector(trained.net)).all()


def test_one_architecture_alone_can_be_trained() -> None:
    net = elastic_net()
    arch: Arch = net.space.smallest()
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    run = executor(net, squares())
    recipe = Recipe(name="alone", program=TrainPaths(sampler=Fixed(arch)), weights=sgd())
    for index in range(3):
        run.begin()
        for move in recipe.programs[0].moves(step(net, index)):
            run.execute(move, step(net, index))
    changed = {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    assert changed
    assert not any(name.startswith("module.3") for name in changed), "the block that depth 0 leaves out was trained"


# -- methods around methods ------------------------------------------------------------------------------------

AROUND = tuple(name for name, method in METHODS.items() if "recipe" in inspect.signature(method).parameters)


def test_methods_around_others_say_which_they_refuse() -> None:
    assert [name for name, found in TRIED.items() if found.refuses] == list(AROUND)
    assert len(AROUND) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("inner", METHODS)
@pytest.mark.parametrize("outer", AROUND)
def test_every_pair_trains_or_is_refused_where_it_is_made(outer: str, inner: str) -> None:
    recipe = METHODS[inner](**TRIED[inner].short)
    if inner in TRIED[outer].refuses or outer in TRIED[inner].refused_by:
        with pytest.raises(UsageError):
            METHODS[outer](recipe, **TRIED[outer].short)
        return
    around = METHODS[outer](recipe, **TRIED[outer].short)
    assert around.name == f"{outer}({recipe.name})"
    net = TRIED[inner].net()
    steps = max(2, len(around.on(net.space).phases))
    found = TRIED[inner].data()
    trained = fit(net, around, found, steps=steps, batch_size=32, accelerator="cpu", progress=False)
    assert trained.steps == steps
    assert torch.isfinite(vector(trained.net)).all()


@pytest.mark.parametrize(
    "made",
    [
        lambda few, gm, k: few(methods.dynas(spos())),
        lambda few, gm, k: gm(methods.dynas(spos())),
        lambda few, gm, k: k(methods.dynas(spos())),
        lambda few, gm, k: methods.dynas(few(fairnas())),
        lambda few, gm, k: few(methods.dynas(fairnas())),
        lambda few, gm, k: few(methods.sum_nas(methods.dynas(fairnas()))),
        lambda few, gm, k: methods.dynas(methods.sum_nas()),
    ],
)
def test_three_methods_around_each_other_train(made: Callable[..., Recipe]) -> None:
    few, gm, k = (
        lambda recipe, name=name: METHODS[name](recipe, **TRIED[name].short)
        for name in ("few_shot", "gm_nas", "k_shot")
    )
    recipe, net = made(few, gm, k), operations_net()
    steps = 2 * len(recipe.on(net.space).phases)
    trained = fit(net, recipe, squares(), steps=steps, batch_size=16, accelerator="cpu", progress=False)
    assert torch.isfinite(vector(trained.net)).all()
