"""An architecture and its text say the same."""

from __future__ import annotations

import json
import shlex
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strategies import generators, spaces
from supernet.errors import UsageError
from supernet.space import Choice, Space
from supernet.space.text import in_shell
from zoo_networks import SMALL

DEPTH = Choice("depth", (1, 2, 3))
SPACE = Space([DEPTH, Choice("stage1.kernel", (3, 5)), Choice("stage2.kernel", (3, 5), when=DEPTH > 1)])

plain = st.one_of(st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5))
options = st.recursive(plain, lambda items: st.lists(items, max_size=3).map(tuple), max_leaves=5)


@st.composite
def wild_spaces(draw: st.DrawFn) -> Space:
    """Names and options of every kind and with every character."""
    special = st.text(st.sampled_from("ab,=%:;\"'{}()<~ \n"), min_size=1, max_size=5)
    names = draw(st.lists(st.one_of(st.text(min_size=1, max_size=5), special), min_size=1, max_size=3, unique=True))
    choices = []
    for name in names:
        given = draw(st.lists(st.one_of(options, special), min_size=1, max_size=4))
        try:
            choices.append(Choice(name, given))
        except UsageError:  # equal, or read alike: the first alone
            choices.append(Choice(name, given[:1]))
    return Space(choices)


def same(first: Any, second: Any) -> bool:
    return first == second and all(type(first[name]) is type(second[name]) for name in first)


def test_the_text_is_short_and_leaves_inactive_choices_out() -> None:
    assert str(SPACE.largest()) == "depth=3,stage1.kernel=5,stage2.kernel=5"
    assert str(SPACE.smallest()) == "depth=1,stage1.kernel=3"
    assert repr(SPACE.smallest()) == "Arch(depth=1, stage1.kernel=3)"


@settings(suppress_health_check=[HealthCheck.too_slow])  # the table of Unicode characters is made at first
@given(st.one_of(spaces(), wild_spaces()), generators())
def test_every_text_form_brings_back_the_architecture(space: Space, rng: np.random.Generator) -> None:
    arch = space.sample(rng)
    for text in (str(arch), json.dumps(arch.options()), json.dumps(arch.to_json()), str(arch.options())):
        assert same(space.parse(text), arch), text
        assert same(space.parse(f"\n {text} "), arch), text


@given(wild_spaces(), generators())
def test_a_shell_reads_the_text_as_one_word(space: Space, rng: np.random.Generator) -> None:
    text = str(space.sample(rng))
    assert shlex.split(text, posix=True) == [text]
    assert not set(text) & set("\"'`$\\;&|<>()[]{}*?!#~ \t\n"), text


@given(wild_spaces(), generators())
def test_what_people_read_is_one_word_of_a_shell_and_read_back(space: Space, rng: np.random.Generator) -> None:
    arch = space.sample(rng)
    (word,) = shlex.split(in_shell(arch), posix=True)
    assert same(space.parse(word), arch)


@given(wild_spaces())
def test_different_architectures_have_different_texts(space: Space) -> None:
    archs = list(space.enumerate())
    assert len({str(arch) for arch in archs}) == len(archs)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_every_architecture_of_the_zoo_can_be_written_and_read(name: str) -> None:
    space = SMALL[name][0]().space
    rng = np.random.default_rng(0)
    for arch in (space.smallest(), space.largest(), *(space.sample(rng) for _ in range(20))):
        assert same(space.parse(str(arch)), arch)


def test_names_and_options_may_be_written_as_they_are() -> None:
    space = Space([Choice("1<-0", ("conv 3", "skip")), Choice("flag", (False, True)), Choice("size", ((3, 5), 7))])
    arch = space.arch({"1<-0": "conv 3", "flag": True, "size": (3, 5)})
    assert str(arch) == "1%3C-0=conv%203,flag=True,size=3:5"
    assert space.parse("1<-0=conv 3, flag=True, size=3:5") == arch
    assert type(space.parse(str(arch))["flag"]) is bool
    assert in_shell(arch) == "'1<-0=conv%203,flag=True,size=3:5'"


def test_options_that_read_alike_are_refused_when_the_choice_is_made() -> None:
    for given_options in ((3, "3"), (True, "True"), (("a",), ("b",), ("",), ())):
        with pytest.raises(UsageError, match=r"both read '.*' in the text"):
            Choice("kernel", given_options)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("depht=2,stage1.kernel=3", "no choice named 'depht'; it has .* Did you mean 'depth'"),
        ("depth=4,stage1.kernel=3", "'depth' has no option '4'; it allows 1, 2, 3"),
        ('{"depth": 4, "stage1.kernel": 3}', "'depth' has no option 4; it allows 1, 2, 3"),
        ("depth=1", "does not decide stage1.kernel"),
        ("", "does not decide depth, stage1.kernel"),
        ("depth=1,depth=2,stage1.kernel=3", "'depth' twice"),
        ('{"depth": 1, "depth": 2, "stage1.kernel": 3}', "a choice twice"),
        ("best.json", "'best.json' is not an architecture. Write choice=option,.* such as 'depth=1,stage1.kernel=3'"),
        ('{"depth": 1', "is not valid JSON: "),
        ("{" * 100_000, "is not valid JSON"),
        ('{"a":' * 100_000, "is not valid JSON"),
        ("{1, 2}", "is not a mapping"),
        ('{"decisions": {"depth": 1}}', "in JSON is"),
        ('{"space": "0", "decisions": {"depth": 1}}', "belongs to the space 0"),
    ],
)
def test_what_is_no_architecture_is_refused_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        SPACE.parse(text)


def test_the_closest_option_is_offered() -> None:
    space = Space([Choice("op", [f"conv{k}x{k}" for k in range(1, 40)])])
    with pytest.raises(UsageError, match=r"27 more\. Did you mean 'conv3x3'"):
        space.parse("op=conv3x")


def test_the_example_in_an_error_is_written_as_people_do() -> None:
    space = Space([Choice("1<-0", ("none", "conv"))])
    with pytest.raises(UsageError, match="such as '1<-0=none'"):
        space.parse("foo")
    assert space.parse("1<-0=none") == space.smallest()
