"""Sampling probabilities against brute force over whole spaces."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import spaces
from supernet.errors import UsageError
from supernet.judge import Distribution
from supernet.judge.distribution import pair_probabilities
from supernet.space import Choice, Space

OPS = ("skip", "conv")


def nas_bench_201() -> Space:
    return Space([Choice(f"{t}<-{s}", tuple("abcde")) for t in range(1, 4) for s in range(t)])


def test_nas_bench_201_equals_brute_force():
    space, rng = nas_bench_201(), np.random.default_rng(0)
    probabilities = {name: rng.dirichlet(np.full(5, 0.3)) for name in space.names}
    codes = space.unindex(range(space.size))
    found = Distribution.independent(space, probabilities).probability(codes)
    expected = [
        math.prod(probabilities[n][c] for n, c in zip(space.names, code, strict=True)) for code in codes.tolist()
    ]
    assert len(found) == 15_625
    assert np.abs(found - expected).max() < 1e-9
    assert found.sum() == pytest.approx(1, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(spaces(), st.integers(0, 2**32 - 1))
def test_probabilities_of_every_space_sum_to_one(space, seed):
    rng = np.random.default_rng(seed)
    distribution = Distribution.independent(space, {c.name: rng.dirichlet(np.ones(len(c))) for c in space.choices})
    codes = space.unindex(range(space.size))
    assert distribution.probability(codes).sum() == pytest.approx(1)
    assert space.contains(distribution.draw(rng, 50)).all()


def two_edges(cell: str, ops: tuple[str, ...], nodes: int) -> list[Choice]:
    """A cell of DARTS: its first node keeps both of its edges, each other one chooses two."""
    choices = [Choice(f"{cell}.2<-{source}", ops) for source in range(2)]
    for node in range(3, 2 + nodes):
        pairs = tuple(itertools.combinations(range(node), 2))
        inputs = Choice(f"{cell}.{node}.inputs", pairs)
        kept = [inputs.is_in([pair for pair in pairs if source in pair]) for source in range(node)]
        choices += [inputs, *(Choice(f"{cell}.{node}<-{s}", ops, when=when) for s, when in enumerate(kept))]
    return choices


def edges(space: Space) -> list[str]:
    return [name for name in space.names if "<-" in name]


def small_cells() -> tuple[Space, dict[str, np.ndarray]]:
    space = Space([*two_edges("normal", ("none", *OPS), 2), *two_edges("reduce", ("none", *OPS), 1)])
    rng = np.random.default_rng(4)
    return space, {name: rng.dirichlet(np.ones(3)) for name in edges(space)}


def test_two_edges_equal_the_procedure_step_by_step():
    """Both orders of the two draws and every operation, multiplied out; `none` is never drawn."""
    space, probabilities = small_cells()
    expected: dict[tuple[int, ...], float] = {}
    nodes = [("normal.2", 2), ("normal.3", 3), ("reduce.2", 2)]

    def run(left, decisions, chance):
        if not left:
            code = space.arch(decisions).code
            expected[code] = expected.get(code, 0.0) + chance
            return
        (node, sources), *rest = left
        strength = [max(probabilities[f"{node}<-{s}"][1:]) for s in range(sources)]
        for i, j in itertools.permutations(range(sources), 2):
            pair = strength[i] / sum(strength) * strength[j] / (sum(strength) - strength[i])
            for a, b in itertools.product(range(2), repeat=2):
                p, q = probabilities[f"{node}<-{i}"], probabilities[f"{node}<-{j}"]
                ops = p[1 + a] / (1 - p[0]) * q[1 + b] / (1 - q[0])
                more = {f"{node}<-{i}": OPS[a], f"{node}<-{j}": OPS[b]}
                more |= {f"{node}.inputs": (min(i, j), max(i, j))} if sources > 2 else {}
                run(rest, decisions | more, chance * pair * ops)

    run(nodes, {}, 1.0)
    codes = space.unindex(range(space.size))
    found = Distribution.of_weights(space, probabilities).probability(codes)
    assert len(expected) == 4 * 12 * 4 < space.size == 9 * 27 * 9
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert found == pytest.approx([expected.get(tuple(code), 0.0) for code in codes.tolist()], abs=1e-12)


def test_draws_follow_the_probabilities():
    space, probabilities = small_cells()
    distribution = Distribution.of_weights(space, probabilities)
    exact = distribution.probability(space.unindex(range(space.size)))
    drawn = distribution.draw(np.random.default_rng(0), 100_000)
    counts = np.bincount(space.index(drawn), minlength=space.size)
    possible = exact > 0
    assert counts[~possible].sum() == 0
    chi2 = ((counts - 100_000 * exact)[possible] ** 2 / (100_000 * exact[possible])).sum()
    assert chi2 < possible.sum() + 4 * math.sqrt(2 * possible.sum())


def test_the_space_of_darts():
    ops = ("max", "avg", "skip", "sep3", "sep5", "dil3", "dil5")
    space = Space([*two_edges("normal", ops, 4), *two_edges("reduce", ops, 4)])
    assert space.size == (1 * 3 * 6 * 10 * 7**8) ** 2
    assert len(edges(space)) == 28
    codes = space.population(np.random.default_rng(0), 1000)
    uniform = Distribution.of_weights(space, {edge: np.full(7, 1 / 7) for edge in edges(space)})
    assert uniform.log_probability(codes) == pytest.approx(-math.log(space.size))


@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=6))
def test_pairs_sum_to_one_and_favour_strong_edges(strengths):
    pairs = pair_probabilities(strengths)
    assert len(pairs) == math.comb(len(strengths), 2)
    assert pairs.sum() == pytest.approx(1)
    best = list(itertools.combinations(range(len(strengths)), 2))[int(pairs.argmax())]
    assert sum(strengths[i] for i in best) == pytest.approx(sum(sorted(strengths)[-2:]))


def test_weights_of_edges_that_a_method_learns_are_its_own():
    space, probabilities = small_cells()
    learned = probabilities | {"normal.3.inputs": [0.2, 0.5, 0.3]}
    found = Distribution.of_weights(space, learned)
    assert found.probabilities[space.column("normal.3.inputs")].tolist() == [0.2, 0.5, 0.3]
    assert found.probabilities[space.column("normal.3<-0")].tolist() == pytest.approx(probabilities["normal.3<-0"])
    plain = nas_bench_201()
    given = {name: [0.1, 0.2, 0.3, 0.2, 0.2] for name in plain.names}
    codes = plain.unindex(range(100))
    expected = Distribution.independent(plain, given).probability(codes)
    assert Distribution.of_weights(plain, given).probability(codes).tolist() == expected.tolist()


def test_what_has_probability_zero_is_never_drawn():
    space = Space([Choice("a", (1, 2)), Choice("b", (1, 2))])
    distribution = Distribution.independent(space, {"a": [1, 0], "b": [0.5, 0.5]})
    assert distribution.probability(space.unindex(range(4))).tolist() == [0.5, 0.5, 0, 0]
    assert (distribution.draw(np.random.default_rng(0), 100)[:, 0] == 0).all()


@pytest.mark.parametrize(
    ("probabilities", "says"),
    [
        ({"a": [0.5, 0.5]}, "No probabilities were given for 'b'"),
        ({"a": [0.5, 0.5], "b": [1, 0], "c": [1]}, "no choice named 'c'"),
        ({"a": [0.5, 0.4], "b": [1, 0]}, "sum to 0.9 instead of 1"),
        ({"a": [1.5, -0.5], "b": [1, 0]}, "at least 0"),
        ({"a": [math.nan, 1], "b": [1, 0]}, "must be finite"),
        ({"a": [1.0], "b": [1, 0]}, "2 probabilities are needed"),
    ],
)
def test_bad_probabilities_are_refused(probabilities, says):
    with pytest.raises(UsageError, match=says):
        Distribution.independent(Space([Choice("a", (1, 2)), Choice("b", (1, 2))]), probabilities)


def test_bad_cells_are_refused():
    space, probabilities = small_cells()
    with pytest.raises(UsageError, match=r"does not choose every pair of edges .*normal\.3<-2"):
        Distribution.of_weights(space, {k: v for k, v in probabilities.items() if k != "normal.3<-2"})
    with pytest.raises(UsageError, match=r"No probabilities were given for 'reduce\.2<-0'"):
        Distribution.of_weights(space, {k: v for k, v in probabilities.items() if k != "reduce.2<-0"})
    nothing = {f"normal.3<-{source}": [1, 0, 0] for source in (0, 1)}
    with pytest.raises(UsageError, match=r"for normal\.3, with the strengths .*at least two"):
        Distribution.of_weights(space, probabilities | nothing)
    one = Space([Choice("a.inputs", ((0,), (1,))), Choice("a<-0", OPS), Choice("a<-1", OPS)])
    with pytest.raises(UsageError, match="does not choose every pair"):
        Distribution.of_weights(one, {"a<-0": [0.5, 0.5], "a<-1": [0.5, 0.5]})
    sub = Space([Choice("a", (1, 2))]).restrict({"a": [1]})
    with pytest.raises(UsageError, match="all have probability 0"):
        Distribution.independent(sub, {"a": [0, 1]})
