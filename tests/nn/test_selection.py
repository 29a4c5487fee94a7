"""What may be decided, and what is remembered while it is active."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import nn

from strategies import generators, spaces
from supernet import Choice, ElasticLinear, Mixture, OpChoice, Space, Supernet
from supernet.errors import UsageError
from supernet.nn import Mutable
from supernet.nn.selection import Decisions, Selection, as_decisions


def net() -> Supernet:
    width = Choice("width", (2, 4))
    return Supernet(nn.Sequential(OpChoice("op", {name: nn.Identity() for name in "abc"}), ElasticLinear(3, width)))


@pytest.mark.parametrize(
    "decision",
    [
        *(3, -1, "a", None, 1.0, (0, 3), (0, 0), [0, 1]),
        *(Mixture(torch.ones(2)), Mixture(torch.ones(3, 1))),
        *(Mixture(torch.ones(3), run=run) for run in [(0, 0), (3,)]),
    ],
)
def test_a_decision_that_fits_no_option_is_refused_before_anything_runs(decision: Any) -> None:
    with pytest.raises(UsageError, match="does not fit the choice 'op' with its 3 options"):
        net()(torch.ones(1, 3), Decisions(op=decision, width=0))


@pytest.mark.parametrize("index", [1, np.int64(1), torch.tensor(1)])
def test_every_kind_of_integer_is_an_index(index: Any) -> None:
    assert as_decisions(Decisions(op=index), net().space) == {"op": 1}
    assert net()(torch.ones(1, 3), Decisions(op=0, width=index)).shape == (1, 4)


REVERSED = Choice("width", (3, 2, 1, 0))


class Shows(nn.Module, Mutable):
    """Multiplies by the option that is read."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.selection.option(REVERSED)

    def depends_on(self) -> tuple[Choice, ...]:
        return (REVERSED,)

    def plain(self) -> nn.Module:
        return nn.Identity()


@pytest.mark.parametrize("option", REVERSED.options)
def test_a_plain_mapping_holds_options_and_decisions_hold_indices(option: int) -> None:
    shown, one = Supernet(Shows()), torch.ones(())
    arch = shown.space.arch({"width": option})
    assert shown(one, arch) == shown(one, arch.options()) == shown(one, dict(arch)) == option
    assert shown(one, Decisions(width=REVERSED.position(option))) == option
    assert shown(one, {"width": np.int64(option)}) == option


@given(spaces(restricted=False), generators())
def test_options_decide_as_their_architecture_does(space: Space, rng: np.random.Generator) -> None:
    arch = space.sample(rng)
    assert as_decisions(arch.options(), space) == as_decisions(dict(arch), space) == as_decisions(arch, space)
    switched_off = {c.name: c.options[-1] for c, active in zip(space.choices, arch.active, strict=True) if not active}
    assert as_decisions({**arch.options(), **switched_off}, space) == as_decisions(arch, space)
    assert as_decisions(Decisions(zip(space.names, arch.code, strict=True)), space) == as_decisions(arch, space)


def test_options_may_decide_in_part_and_mix() -> None:
    depth = Choice("depth", (1, 2))
    space = Space([depth, Choice("op", ("a", "b"), when=depth > 1), Choice("other", ("a", "b"))])
    mixture = Mixture(torch.ones(2))
    assert as_decisions({"op": "b"}, space) == {"op": 1}  # whether it matters is not known
    assert as_decisions({"depth": 1, "other": mixture}, space) == {"depth": 0, "op": 0, "other": mixture}
    assert as_decisions({"depth": mixture, "op": "b"}, space) == {"depth": mixture, "op": 1}


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"op": 1}, r"'op' has no option 1; it allows 'a', 'b', 'c'.*indices and subsets of them with Decisions"),
        ({"op": ("a", "b")}, r"'op' has no option \('a', 'b'\).*Decisions\(\{'op': …\}\)"),
        ({"opp": "a"}, "no choice named 'opp'; it has 'op', 'width'. Did you mean 'op'"),
    ],
)
def test_what_names_no_option_is_refused(target: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        net()(torch.ones(1, 3), target)


def test_conditions_read_what_an_inactive_choice_is_while_it_is_off() -> None:
    a = Choice("a", (1, 2))
    b = Choice("b", (1, 2), when=a > 1, off=0)
    space = Space([Choice("c", (1, 2), when=b < 2)])
    assert as_decisions({"a": 1, "c": 2}, space) == {"a": 0, "b": 0, "c": 1}
    assert as_decisions({"a": 2, "b": 2, "c": 2}, space) == {"a": 1, "b": 1, "c": 0}


class Reads(nn.Module, Mutable):
    """Multiplies by a setting."""

    settings = ("scale",)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.selection.setting("scale", 1)

    def depends_on(self) -> tuple[Choice, ...]:
        return (REVERSED,)

    def plain(self) -> nn.Module:
        return nn.Identity()


def test_settings_hold_inside_and_are_restored_on_leaving() -> None:
    whole, one = Supernet(Reads()), torch.ones(())
    arch = whole.space.smallest()
    assert whole.settings == {"scale"}
    with whole.active(arch, settings={"scale": 3}):
        assert whole(one) == 3
        with whole.active(arch, settings={"scale": 5}):
            assert whole(one) == 5
        assert whole(one, arch) == 1  # an evaluation in between has the default
        with pytest.raises(KeyError), whole.active(arch):
            raise KeyError
        assert whole(one) == 3
    assert whole(one, arch) == 1


def test_a_setting_that_no_layer_reads_is_refused() -> None:
    whole = Supernet(Reads())
    with (
        pytest.raises(UsageError, match=r"reads the setting 'scal'; the settings are 'scale'\. Did you mean 'scale'"),
        whole.active(whole.space.smallest(), settings={"scal": 3}),
    ):
        pass


def test_a_decision_for_an_unknown_choice_is_refused() -> None:
    with pytest.raises(UsageError, match="no choice named 'opp'"):
        net()(torch.ones(1, 3), Decisions(opp=0, width=0))


def test_a_missing_decision_matters_only_where_the_pass_meets_it() -> None:
    whole = net()
    with pytest.raises(UsageError, match="active architecture does not decide 'width'"):
        whole(torch.ones(1, 3), Decisions(op=0))
    with whole.active(Decisions(op=0)):
        assert whole.module[0](torch.ones(1, 3)).shape == (1, 3)


def test_expressions_made_in_passing_are_not_confused() -> None:
    a, b = Choice("a", (1, 2)), Choice("b", (10, 20))
    selection = Selection()
    selection.exchange({"a": 1, "b": 1})
    for factor in range(1, 200):  # each expression is dropped at once; its id is free for the next
        assert selection.value(a * factor) == 2 * factor
        assert selection.value(b * factor) == 20 * factor


def test_values_are_forgotten_when_another_architecture_becomes_active() -> None:
    a = Choice("a", (1, 2))
    selection = Selection()
    for code in (0, 1, 0):
        selection.exchange({"a": code})
        assert selection.value(a + 5) == selection.value(a) + 5 == code + 6


def test_nothing_is_active_in_a_copy_or_a_pickle() -> None:
    whole = net()
    weights = torch.ones(3, requires_grad=True) * 2  # not a leaf: torch would refuse to copy it
    with whole.active({"op": Mixture(weights), "width": 2}):
        for twin in (copy.deepcopy(whole), pickle.loads(pickle.dumps(whole))):
            with pytest.raises(UsageError, match="no architecture is active"):
                twin(torch.ones(1, 3))
        assert whole(torch.ones(1, 3)).shape == (1, 2)
