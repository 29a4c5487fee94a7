import copy
import json
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given

from strategies import all_codes, decisions, generators, spaces
from supernet.space import Choice, Space

DEPTH = Choice("depth", (1, 2))
SPACE = Space([DEPTH, Choice("kernel", ((3, 3), (5, 5)), when=DEPTH > 1), Choice("op", ("conv", "skip"))])


def test_reads_as_a_mapping_with_none_for_inactive_choices():
    arch = SPACE.arch({"depth": 1, "op": "skip"})
    assert dict(arch) == {"depth": 1, "kernel": None, "op": "skip"}
    assert arch.options() == {"depth": 1, "op": "skip"}
    assert (len(arch), list(arch)) == (3, ["depth", "kernel", "op"])
    assert repr(arch) == "Arch(depth=1, op=skip)"
    assert (arch.code, arch.active) == ((0, 0, 1), (True, False, True))


@given(spaces(restricted=False))
def test_equal_means_equal_active_decisions(space):
    archs = space.wrap(all_codes(space))
    for first in archs[:12]:
        for second in archs:
            same = decisions(first) == decisions(second)
            assert (first == second) == same
            assert (hash(first) == hash(second)) or not same
    assert len(set(archs)) == space.size


def test_architectures_of_different_spaces_differ():
    other = Space([Choice("depth", (1, 2)), Choice("op", ("conv", "skip"))])
    alone = Space([Choice("depth", (1, 2)), Choice("op", ("conv", "pool"))])
    assert other.smallest().options() == alone.smallest().options()
    assert other.smallest() != alone.smallest()
    assert other.smallest() != dict(other.smallest())


def test_an_architecture_of_a_sub_space_equals_that_of_the_space():
    part = SPACE.restrict({"op": ["skip"]})
    arch = part.arch({"depth": 1, "op": "skip"})
    assert arch == SPACE.arch(arch.options())
    assert arch in SPACE
    assert {arch: 1}[SPACE.arch(arch.options())] == 1


@pytest.mark.parametrize("name", ["code", "space", "active", "other"])
def test_cannot_be_changed(name):
    arch = SPACE.smallest()
    with pytest.raises(FrozenInstanceError):
        setattr(arch, name, ())
    with pytest.raises(FrozenInstanceError):
        delattr(arch, name)
    with pytest.raises(TypeError):
        arch["depth"] = 2


@given(spaces(), generators())
def test_json_brings_back_the_same_architecture(space, rng):
    arch = space.sample(rng)
    text = json.dumps(arch.to_json(), allow_nan=False)
    again = space.from_json(json.loads(text))
    assert again == arch
    assert decisions(again) == decisions(arch)
    assert all(type(again[name]) is type(arch[name]) for name in arch)


def test_copies_are_the_architecture_itself_and_pickles_are_equal():
    arch = SPACE.sample(np.random.default_rng(0))
    assert copy.copy(arch) is arch
    assert copy.deepcopy({"best": arch})["best"] is arch
    again = pickle.loads(pickle.dumps(arch))
    assert again == arch
    assert hash(again) == hash(arch)
    assert dict(again) == dict(arch)
    assert again in SPACE
