"""Values from names and settings: where dotted names lead, what is converted, and what is refused in a sentence."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import pytest

from supernet import methods, settings
from supernet.data import Augment, ImageData
from supernet.errors import UsageError
from supernet.io.config import Config, Named
from supernet.runs.naming import build_data, build_method, build_space
from supernet.train import Cosine, LearningRate, Linear, OnLoss, Recipe
from supernet.train.schedules.complexity_aware import ComplexityAwareLR


@dataclass(frozen=True, kw_only=True)
class Descent:
    lr: float
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.99)

    def __post_init__(self) -> None:
        if self.lr < 0 or self.momentum < 0:
            raise UsageError(f"lr is {self.lr} and momentum {self.momentum}; neither is negative.")


@dataclass(frozen=True, kw_only=True)
class Ascent:
    height: float
    lr: float = 1.0


class Stepper(Protocol):
    lr: float


@dataclass(frozen=True, kw_only=True)
class Stepping:
    rule: Stepper = field(default=Descent(lr=0.1), metadata={"reach": True})
    schedule: LearningRate = field(default_factory=Cosine)
    clip: float | None = 5.0
    inactive: Literal["freeze", "decay"] = "freeze"


DEFAULT = Stepping()


def train(
    *,
    weights: Stepping = DEFAULT,
    parts: Mapping[str, Stepping] | None = None,
    recipe: Recipe | None = None,
    steps: int = 1,
    share: float = 0.5,
    bound: float = math.inf,
    limits: Mapping[str, float] | None = None,
    widths: Sequence[int] | int = (1, 2),
    choices: tuple[str, ...] | None = None,
    hooks: tuple[LearningRate, ...] = (),
    where: Path | None = None,
    name: str = "",
    fast: bool = False,
    free=None,
) -> dict[str, Any]:
    return {key: value for key, value in locals().items() if value is not train.__kwdefaults__[key]}


def given(*texts: str) -> dict[str, Any]:
    return settings.call(train, settings.parse(texts))


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["steps=4"], {"steps": 4}),
        (["steps=2e3"], {"steps": 2000}),
        (["share=1"], {"share": 1.0}),
        (["share=1e-3"], {"share": 0.001}),
        (["bound=-Infinity"], {"bound": -math.inf}),
        (["fast=true"], {"fast": True}),
        (["name=7"], {"name": "7"}),
        (["name=a=b"], {"name": "a=b"}),
        (["widths=8"], {"widths": 8}),
        (["widths=[8, 16]"], {"widths": (8, 16)}),
        (['choices=["1<-0"]'], {"choices": ("1<-0",)}),
        (["where=a/b"], {"where": Path("a/b")}),
        (['limits={"layer1.macs": 3, "b": 0.5}'], {"limits": {"layer1.macs": 3.0, "b": 0.5}}),
        (["limits.macs=3"], {"limits": {"macs": 3.0}}),
        (["free=[1]"], {"free": [1]}),
        (['free={"a": 1}'], {"free": {"a": 1}}),
        (["weights.rule.lr=0.2"], {"weights": Stepping(rule=Descent(lr=0.2))}),
        (["weights.lr=0.2"], {"weights": Stepping(rule=Descent(lr=0.2))}),
        (["weights.betas=[0.5, 1]"], {"weights": Stepping(rule=Descent(lr=0.1, betas=(0.5, 1.0)))}),
        (["weights.clip=none"], {"weights": Stepping(clip=None)}),
        (["weights.inactive=decay"], {"weights": Stepping(inactive="decay")}),
        (["weights.schedule.floor=0.04"], {"weights": Stepping(schedule=Cosine(0.04))}),
        (["weights.schedule=Linear", "weights.schedule.floor=1"], {"weights": Stepping(schedule=Linear(1.0))}),
        (["weights.schedule.floor=1", "weights.schedule=Linear"], {"weights": Stepping(schedule=Linear(1.0))}),
        (
            ["weights.schedule=OnLoss", "weights.schedule.schedule=ComplexityAwareLR", "weights.clip=1"],
            {"weights": Stepping(schedule=OnLoss(ComplexityAwareLR()), clip=1.0)},
        ),
        (['hooks=[{"piece": "Cosine", "floor": 1}, "Linear"]'], {"hooks": (Cosine(1.0), Linear())}),
        (["parts.theta.lr=2"], {"parts": {"theta": Stepping(rule=Descent(lr=2.0))}}),
        ([f"weights.rule={__name__}:Ascent", "weights.height=3"], {"weights": Stepping(rule=Ascent(height=3.0))}),
    ],
)
def test_settings_lead_to_values(texts: list[str], expected: dict[str, Any]) -> None:
    found = given(*texts)
    assert found == expected
    assert {key: type(value) for key, value in found.items()} == {key: type(value) for key, value in expected.items()}


def test_tables_and_dotted_names_say_the_same() -> None:
    table = {"weights": {"lr": 0.3, "schedule": {"piece": "Cosine", "floor": 0.1}}}
    assert settings.call(train, table) == given(
        "weights.lr=0.3", "weights.schedule=Cosine", "weights.schedule.floor=0.1"
    )
    assert json.loads(json.dumps(table)) == table
    later = table | settings.parse(["weights.schedule=Linear"])  # another piece has none of the settings of the first
    assert settings.call(train, later)["weights"].schedule == Linear()


def test_a_method_goes_around_another_by_name() -> None:
    assert given("recipe=spos")["recipe"].describe() == methods.spos().describe()
    inner = settings.call(train, {"recipe": {"method": "sandwich", "random": 3}})["recipe"]
    assert inner.describe() == methods.sandwich(random=3).describe()
    assert given("recipe=sandwich", "recipe.random=3")["recipe"].describe() == inner.describe()


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("steps=x", ["steps is 'x'", "a whole number"]),
        ("steps=1.5", ["steps is 1.5", "a whole number"]),
        ("steps=true", ["steps is True", "a whole number"]),
        ("steps=none", ["steps is None", "a whole number"]),
        ("steps.a=1", ["steps takes a whole number and has no settings"]),
        ("share=NaN", ["share is nan", "finite"]),
        ("share=1e999", ["share is inf", "finite"]),
        ("fast=3", ["fast is 3", "true or false"]),
        ("widths=[1, 2.5]", ["widths[1] is 2.5", "a whole number"]),
        ("widths={}", ["widths is an empty table", "a whole number"]),
        ("choices=a", ["choices is 'a'", 'a list, in JSON such as ["a", "b"]']),
        ("limits=3", ["limits is 3", "a table of settings"]),
        ("limits.a=NaN", ["limits.a is nan", "finite"]),
        ("where=~nosuchuser/x", ["~nosuchuser/x", "home directory"]),
        ("setps=3", ["train has no setting 'setps'", "did you mean steps?"]),
        ("weights.lr=abc", ["weights.rule.lr is 'abc'", "a number"]),
        ("weights.lr=NaN", ["weights.rule.lr is nan", "finite"]),
        ("weights.lr=-1", ["lr is -1.0", "neither is negative"]),
        ("weights.momentum=-1", ["momentum -1.0", "neither is negative"]),
        ("weights.betas=[1]", ["weights.rule.betas is [1]", "a list"]),
        ("weights.clip=NaN", ["weights.clip is nan", "finite"]),
        ("weights.inactive=melt", ["weights.inactive is 'melt'", "freeze or decay"]),
        ("weights.schedule=3", ["weights.schedule is 3", "a piece by name", "Cosine"]),
        ("weights.schedule=Uniform", ["weights.schedule is Uniform, which does not fit", "Cosine"]),
        ("weights.schedule=Cosinus", ["no piece named 'Cosinus'", "Cosine"]),
        ("weights.schedule.flor=1", ["weights.schedule has no setting 'flor'", "did you mean floor?"]),
        ("weights.shedule=Cosine", ["weights has no setting 'shedule'", "did you mean schedule?", "betas"]),
        ("weights=3", ["weights is 3", "settings (rule, schedule"]),
        ("recipe=spoos", ["no method named 'spoos'", "spos"]),
        ("recipe.random=3", ["Choose a method first, as recipe=NAME"]),
        ("hooks=[1]", ["hooks[0] is 1", "a piece by name"]),
        ("share", ["A setting is written name=value; got 'share'"]),
        ("=3", ["A setting is written name=value"]),
    ],
)
def test_what_does_not_fit_is_a_sentence(text: str, sentences: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        given(text)
    assert all(sentence in str(caught.value) for sentence in sentences), str(caught.value)


def too_much(*, n: int) -> None:
    raise MemoryError


@pytest.mark.parametrize("function", [too_much, lambda *, n: [][n], lambda *, n: 1 / 0])
def test_what_a_function_cannot_do_is_a_sentence(function: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match="own cannot be built with n=10"):
        settings.call(function, {"n": 10}, name="own")


class Maker(Protocol):
    def __call__(self, groups: list[float], /) -> OrderedDict[str, float]: ...


@dataclass(frozen=True)
class Makes:
    def __call__(self, parameters: list[float]) -> OrderedDict[str, float]:
        return OrderedDict(total=sum(parameters))


def test_a_piece_that_returns_something_else_does_not_fit() -> None:
    def built(*, maker: Maker | None = None) -> Maker | None:
        return maker

    assert settings.call(built, {"maker": f"{__name__}:Makes"}) == Makes()
    with pytest.raises(UsageError, match="maker is Cosine, which does not fit"):
        settings.call(built, {"maker": "Cosine"})


def test_settings_missing_where_they_are_needed_are_a_sentence() -> None:
    with pytest.raises(UsageError, match=r"^up needs height; there is no default\. Give a value\.$"):
        settings.call(Ascent, {}, name="up")

    def both(*, a: int, b: int, c: int) -> None: ...

    with pytest.raises(UsageError, match=r"^both needs b, c beside a; there is no default"):
        settings.call(both, {"a": 1})


def test_a_function_that_takes_anything_gets_it() -> None:
    def own(a: int, **rest: Any) -> tuple[int, dict[str, Any]]:
        return a, rest

    assert settings.call(own, {"a": "1", "b": "2"}) == (1, {"b": "2"})


def images(name: str, options: dict[str, Any], *, seed: int) -> ImageData:
    return build_data(Config(data=Named(name, options), seed=seed))


def test_spaces_and_data_are_refused_in_sentences() -> None:
    data = images("digits", {"augment": {"flip": True}, "validation": "0.5"}, seed=3)
    assert data.name == "digits"
    cases: list[tuple[Callable[[], Any], str]] = [
        (lambda: build_space("nasbench201", {"channels": 99999999999999}, data), "channels=99999999999999"),
        (lambda: build_space("nasbench201", {"statistics": "some"}, data), "track, batch or calibrate"),
        (lambda: build_space("builtins:dict", {}, data), "a space is a function that returns a Supernet"),
        (lambda: build_method("builtins:dict", {}), "a method is a function that returns a Recipe"),
        (lambda: images("builtins:dict", {}, seed=0), "a data set is a function that returns Data"),
        (lambda: images("~nosuchuser/x", {}, seed=0), "home directory is not known"),
        (lambda: images("digits", {"size": 3}, seed=0), "digits has no setting 'size'"),
        (lambda: images("digits", {"augment": {"flop": True}}, seed=0), "did you mean flip?"),
        (lambda: images("nowhere", {}, seed=0), "There is no data set 'nowhere'"),
    ]
    for make, sentence in cases:
        with pytest.raises(UsageError) as caught:
            make()
        assert sentence in str(caught.value), str(caught.value)


def test_an_augmentation_reaches_into_its_class() -> None:
    assert settings.call(lambda *, augment=None: augment, {"augment": {"flip": True}}) == {"flip": True}

    def load(*, augment: Augment | None = None) -> Augment | None:
        return augment

    assert settings.call(load, settings.parse(["augment.flip=true"])) == Augment(flip=True)
    assert settings.call(load, settings.parse(["augment={}"])) == Augment()
