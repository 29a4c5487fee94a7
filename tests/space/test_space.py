import copy
import hashlib
import itertools
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from strategies import all_codes, architectures, decisions, generators, ofa_like, spaces
from supernet.errors import UsageError
from supernet.space import Choice, Space

DEPTH = Choice("depth", (1, 2))
OP = Choice("op", ("conv", "skip"), order=("skip", "conv"))
KERNEL = Choice("kernel", (5, 3, 7), when=DEPTH > 1)
SPACE = Space([DEPTH, KERNEL, OP])


# -- declaration -------------------------------------------------------------------------------------------


def test_choices_of_conditions_and_expressions_are_found_and_come_first():
    width = Choice("width", (8, 16))
    space = Space([KERNEL, width * 2 + OP.map(len), DEPTH])
    assert space.names == ("depth", "kernel", "width", "op")
    assert [space.column(name) for name in space.names] == [0, 1, 2, 3]
    assert len(space) == 4


def test_two_choices_of_one_name_are_refused_and_one_choice_twice_is_not():
    assert Space([DEPTH, DEPTH]).size == 2
    with pytest.raises(UsageError, match=r"Two different choices are named 'depth'\. To tie two layers"):
        Space([DEPTH, Choice("depth", (1, 2))])


def test_only_choices_span_a_space():
    with pytest.raises(UsageError, match="spanned by choices and expressions of them; got 'depth'"):
        Space(["depth"])


def test_the_fingerprint_never_changes():
    declared = [
        ["depth", [1, 2], None],
        ["kernel", [5, 3, 7], [["depth"], "40"]],  # false, true: bits 01, filled up to a byte
        ["op", ["conv", "skip"], None],
    ]
    assert SPACE.fingerprint == hashlib.sha256(json.dumps(declared).encode()).hexdigest()[:16]
    assert SPACE.fingerprint == "20c77da2d0b307ea"


def test_the_fingerprint_tells_declarations_apart():
    kind = Choice("kind", (1, 2))

    def gated(when):
        return Space([DEPTH, kind, Choice("kernel", (3, 5), when=when)])

    declarations = [
        Space([DEPTH]),
        Space([Choice("Depth", (1, 2))]),
        Space([Choice("depth", (2, 1))]),
        Space([Choice("depth", (1, 2, 3))]),
        Space([Choice("depth", ("1", "2"))]),
        Space([Choice("depth", (1.0, 2))]),
        Space([Choice("depth", (True, 2))]),
        Space([DEPTH, kind]),
        Space([kind, DEPTH]),
        gated(None),
        gated(DEPTH > 1),
        gated(kind > 1),
        gated(DEPTH <= 1),
        gated(DEPTH.map(lambda depth: depth == 3)),
        gated((DEPTH > 1) & (kind > 1)),
        gated((DEPTH > 1) | (kind > 1)),
    ]
    assert len({space.fingerprint for space in declarations}) == len(declarations)


def test_conditions_that_mean_the_same_have_one_fingerprint():
    same = [DEPTH > 1, DEPTH >= 2, ~(DEPTH < 2), DEPTH.is_in((2,)), DEPTH.map(lambda depth: depth == 2), DEPTH > 1]
    assert len({Space([Choice("kernel", (3, 5), when=when)]).fingerprint for when in same}) == 1


@given(spaces())
def test_copies_and_pickles_are_the_same_space(space):
    assert copy.deepcopy(space) is copy.copy(space) is space
    space.size  # noqa: B018  what is remembered travels too
    again = pickle.loads(pickle.dumps(space))
    assert again.fingerprint == space.fingerprint
    assert [arch.code for arch in again.enumerate()] == [arch.code for arch in space.enumerate()]
    assert next(iter(again.enumerate())) in space
    tied = pickle.loads(pickle.dumps((space, space.choices[0])))
    assert tied[0].choices[0] is tied[1]


def test_to_json_is_json():
    assert json.loads(json.dumps(SPACE.restrict({"kernel": [3, 5]}).to_json())) == {
        "fingerprint": SPACE.fingerprint,
        "size": "6",
        "choices": [
            {"name": "depth", "options": [1, 2], "when": None},
            {"name": "kernel", "options": [5, 3], "when": "depth > 1"},
            {"name": "op", "options": ["conv", "skip"], "when": None},
        ],
    }
    assert repr(SPACE) == f"Space(3 choices, 8 architectures, fingerprint {SPACE.fingerprint})"


# -- architectures -----------------------------------------------------------------------------------------


@given(spaces())
def test_arch_reads_the_decisions_of_every_architecture(space):
    for arch in space.enumerate():
        assert space.arch(arch) == space.arch(arch.options()) == arch


def test_an_option_given_for_an_inactive_choice_makes_no_difference():
    assert SPACE.arch({"depth": 1, "kernel": 7, "op": "skip"}) == SPACE.arch({"depth": 1, "op": "skip"})


@pytest.mark.parametrize(
    ("given_decisions", "sentence"),
    [
        ({"depth": 1, "op": "skip", "width": 3}, r"no choice named 'width'; it has 'depth', 'kernel', 'op'\."),
        ({"depth": 3, "op": "skip"}, r"'depth' has no option 3; it allows 1, 2\."),
        ({"depth": 1, "kernel": 4, "op": "skip"}, "'kernel' has no option 4; it allows 5, 3, 7"),
        ({"depth": 2}, r"does not decide kernel, op; give an option for each\."),
        ({"depth": 1}, r"does not decide op; give"),
    ],
)
def test_decisions_that_are_no_architecture_are_refused(given_decisions, sentence):
    with pytest.raises(UsageError, match=sentence):
        SPACE.arch(given_decisions)


@pytest.mark.parametrize("data", [[], {"decisions": {}}, {"space": "x", "decisions": None}, "text"])
def test_json_that_is_no_architecture_is_refused(data):
    with pytest.raises(UsageError, match=r'An architecture in JSON is \{"space": fingerprint, "decisions"'):
        SPACE.from_json(data)


def test_json_of_another_space_is_refused():
    other = Space([DEPTH])
    theirs, ours = other.fingerprint, SPACE.fingerprint
    with pytest.raises(UsageError, match=f"belongs to the space {theirs}, but this space is {ours}"):
        SPACE.from_json(other.smallest().to_json())
    with pytest.raises(UsageError, match=f"of the space {theirs} was given to the space {ours}"):
        SPACE.codes([other.smallest()])
    assert other.smallest() not in SPACE
    assert "depth" not in SPACE


def test_json_of_the_space_outside_a_sub_space_is_refused():
    with pytest.raises(UsageError, match=r"'op' has no option 'conv'; it allows 'skip'\."):
        SPACE.restrict({"op": ["skip"]}).from_json(SPACE.largest().to_json())


@given(spaces())
def test_wrap_and_codes_are_inverse_on_canonical_codes(space):
    codes = all_codes(space)
    assert (space.codes(space.wrap(codes)) == space.canonical(codes)).all()
    assert space.codes([]).shape == (0, len(space))


@pytest.mark.parametrize(
    ("codes", "sentence"),
    [
        (np.zeros((2, 4), int), r"has shape \(N, 3\), one column per choice; got an array of shape \(2, 4\)"),
        (np.zeros(3, int), r"got an array of shape \(3,\)"),
        (np.zeros((1, 3)), "holds integers, the positions of the options; got an array of float64"),
        (np.asarray([[0, 0, 0], [0, 3, 0]]), "Column 1 of the population decides 'kernel', whose codes are 0 to 2; "),
        (np.asarray([[0, 0, 0], [0, 0, -1]]), "Column 2 .*codes are 0 to 1; got values from -1 to 0"),
        (np.asarray([[0, 0, 2**16]]), "got values from 65536 to 65536"),
    ],
)
def test_arrays_that_are_no_population_are_refused(codes, sentence):
    with pytest.raises(UsageError, match=sentence):
        SPACE.wrap(codes)


def test_values_of_a_population():
    codes = SPACE.codes(list(SPACE.enumerate()))
    assert SPACE.values(codes, 12) == 12
    assert SPACE.values(codes, OP).tolist() == [arch["op"] for arch in SPACE.enumerate()]
    with pytest.raises(UsageError, match="no choice named 'width'"):
        SPACE.values(codes, Choice("width", (8, 16)) * 2)
    with pytest.raises(UsageError, match=r"'depth' with the options \(1, 2, 3\), but in this space it has \(1, 2\)"):
        SPACE.values(codes, Choice("depth", (1, 2, 3)) * 2)


@given(spaces())
def test_largest_and_smallest_are_the_ends_of_the_order(space):
    for arch, end in ((space.largest(), max), (space.smallest(), min)):
        assert arch in space
        for choice in space.choices:
            if arch[choice.name] is not None:
                assert arch[choice.name] == end(space.allowed(choice.name), key=choice.order.index)


def test_largest_and_smallest_follow_the_order_given():
    assert SPACE.largest().options() == {"depth": 2, "kernel": 7, "op": "conv"}
    assert SPACE.smallest().options() == {"depth": 1, "op": "skip"}


# -- drawing -----------------------------------------------------------------------------------------------


def test_per_choice_every_decision_is_uniform_and_independent():
    space = Space([DEPTH, KERNEL, OP])
    codes = space.population(np.random.default_rng(0), 24_000)
    # depth 1: two architectures of 1/4 each; depth 2: six of 1/12 each.
    numbers = np.bincount(space.index(codes), minlength=8)
    assert chisquare(numbers, 24_000 * np.asarray([1 / 4] * 2 + [1 / 12] * 6)).pvalue > 1e-3
    assert chisquare(numbers).pvalue < 1e-12


def test_per_architecture_every_architecture_is_equally_likely():
    codes = SPACE.population(np.random.default_rng(1), 24_000, per="architecture")
    assert chisquare(np.bincount(SPACE.index(codes), minlength=8)).pvalue > 1e-3


def test_per_architecture_is_uniform_beyond_machine_integers():
    space = ofa_like(6)
    codes = space.population(np.random.default_rng(2), 20_000, per="architecture")
    depths = [81, 729, 6561]
    for stage in range(6):
        counts = np.bincount(codes[:, space.column(f"stage{stage}.depth")], minlength=3)
        assert chisquare(counts, 20_000 * np.asarray(depths) / sum(depths)).pvalue > 1e-3


@given(spaces(), st.integers(0, 2**32 - 1))
def test_samples_lie_in_the_space_and_follow_the_seed(space, seed):
    codes = space.population(np.random.default_rng(seed), 8)
    assert space.contains(codes).all()
    assert space.sample(np.random.default_rng(seed)) == space.wrap(codes)[0]
    exact = space.population(np.random.default_rng(seed), 8, per="architecture")
    assert {decisions(arch) for arch in space.wrap(exact)} <= architectures(space)


def test_drawing_per_anything_else_is_refused():
    with pytest.raises(UsageError, match="cannot be drawn per 'depth'; use per='choice' or per='architecture'"):
        SPACE.population(np.random.default_rng(0), 1, per="depth")


# -- encodings ---------------------------------------------------------------------------------------------


@given(spaces())
def test_encodings_by_their_definition(space):
    codes = space.population(np.random.default_rng(0), 10)
    onehot, ordinal = space.encode(codes), space.encode(codes, "ordinal")
    assert onehot.dtype == ordinal.dtype == np.float32
    for arch, hot, places in zip(space.wrap(codes), onehot, ordinal, strict=True):
        assert hot.tolist() == [float(arch[c.name] == option) for c in space.choices for option in c.options]
        for choice, place in zip(space.choices, places, strict=True):
            option = arch[choice.name]
            expected = 0 if option is None else choice.order.index(option) / max(len(choice) - 1, 1)
            assert place == pytest.approx(expected)


def test_encodings_by_hand():
    codes = SPACE.codes([SPACE.arch({"depth": 2, "kernel": 5, "op": "skip"}), SPACE.arch({"depth": 1, "op": "conv"})])
    assert SPACE.encode(codes).tolist() == [[0, 1, 1, 0, 0, 0, 1], [1, 0, 0, 0, 0, 1, 0]]
    assert SPACE.encode(codes, "ordinal").tolist() == [[1, 0.5, 0], [0, 0, 1]]
    with pytest.raises(UsageError, match="encoding 'binary' does not exist; use 'ordinal' or 'onehot'"):
        SPACE.encode(codes, "binary")


# -- sub-spaces --------------------------------------------------------------------------------------------


@given(spaces(), st.data())
def test_split_is_a_partition(space, data):
    free = [choice.name for choice in space.choices if choice.when is None]
    name = data.draw(st.sampled_from(free))
    options = data.draw(st.permutations(space.allowed(name)))
    cut = data.draw(st.integers(0, len(options)))
    groups = data.draw(st.sampled_from([None, [group for group in (options[:cut], options[cut:]) if group]]))
    parts = space.split(name, groups)
    assert sum(part.size for part in parts) == space.size
    for arch in space.enumerate():
        assert sum(arch in part for part in parts) == 1
    assert {part.fingerprint for part in parts} == {space.fingerprint}


@given(spaces(), generators())
def test_a_sub_space_holds_the_architectures_with_the_options_that_are_left(space, rng):
    kept = {name: [option for option in space.allowed(name) if rng.random() < 0.6] for name in space.names}
    kept = {name: options for name, options in kept.items() if options}
    part = space.restrict(kept)
    expected = {a for a in architectures(space) if all(name not in kept or option in kept[name] for name, option in a)}
    assert {decisions(arch) for arch in part.enumerate()} == expected
    assert {decisions(arch) for arch in space.enumerate() if arch in part} == expected
    assert part.restrict({}).size == part.size


def test_a_sub_space_can_only_shrink():
    part = SPACE.restrict({"kernel": [7, 3]})
    assert part.allowed("kernel") == (3, 7)
    assert SPACE.allowed("kernel") == (5, 3, 7)
    for wanted in ([5], [], [3, 4]):
        with pytest.raises(UsageError, match=r"'kernel' was to be restricted to \[.*\]; give at least one of \(3, 7\)"):
            part.restrict({"kernel": wanted})
    with pytest.raises(UsageError, match="no choice named 'width'"):
        part.restrict({"width": [1]})


def test_splits_that_are_no_partition_are_refused():
    with pytest.raises(UsageError, match="'kernel' only exists under a condition, so it cannot split the space"):
        SPACE.split("kernel")
    for groups in ([["conv"]], [["conv", "skip"], ["skip"]], [["conv"], ["pool"]], [["conv", "skip"], []]):
        with pytest.raises(UsageError, match=r"must hold each of the options \('conv', 'skip'\) of 'op' exactly once"):
            SPACE.split("op", groups)


def test_tuples_may_be_given_as_json_writes_them():
    space = Space([Choice("kernels", ((3, 5), (3, 3)))])
    assert space.restrict({"kernels": [[3, 5]]}).size == 1
    assert [part.size for part in space.split("kernels", [[[3, 3]], [[3, 5]]])] == [1, 1]
    assert space.arch({"kernels": [3, 3]}).code == (1,)


def test_a_space_without_choices_holds_one_architecture():
    space = Space([])
    assert space.sample(np.random.default_rng(0)) == space.largest() == space.smallest() == space.arch({})
    codes = space.population(np.random.default_rng(0), 3)
    assert codes.shape == space.mutate(codes, np.random.default_rng(0), p=1.0).shape == (3, 0)
    assert space.encode(codes).shape == space.encode(codes, "ordinal").shape == (3, 0)
    assert space.neighbours(space.largest()) == []
    with pytest.raises(UsageError, match="it has none"):
        space.column("depth")


def test_all_architectures_of_nas_bench_201():
    operations = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    edges = [f"edge{source}{target}" for target, source in itertools.product(range(4), repeat=2) if source < target]
    space = Space([Choice(edge, operations) for edge in edges])
    assert space.size == 15_625
    assert len(set(space.enumerate())) == 15_625
