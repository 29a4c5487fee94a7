"""Routes: counted, drawn and conditioned on like their enumeration."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from supernet.errors import UsageError
from supernet.space import Choice, Space
from supernet.space.ways import Passes, Ways


def reach(blocks: int, at_most: int) -> list[tuple[int, ...]]:
    """Each of some blocks leads to some of the next ones, or to the end."""
    return [tuple(range(n + 1, min(n + at_most, blocks) + 1)) for n in range(blocks)]


def by_brute_force(following: list[tuple[int, ...]]) -> set[tuple[int, ...]]:
    last = len(following)
    routes = ((0, *middle, last) for n in range(last) for middle in combinations(range(1, last), n))
    return {route for route in routes if all(b in following[a] for a, b in pairwise(route))}


@pytest.mark.parametrize(("following", "count"), [(reach(7, 4), 56), (reach(7, 7), 64), ([(1,), (2, 3), (3,)], 2)])
def test_routes_are_those_of_brute_force_and_each_is_one_architecture(following, count) -> None:
    ways = Ways(following)
    wanted = by_brute_force(following)
    assert ways.count == len(wanted) == count
    assert set(ways.routes()) == wanted
    space = Space([choice for choice in ways.choices if choice is not None])
    assert space.size == count
    listed = {ways.route(lambda choice, arch=arch: arch[choice.name]) for arch in space.enumerate()}
    assert listed == wanted
    for route in wanted:
        arch = space.arch(ways.decisions(route))
        assert ways.route(lambda choice, arch=arch: arch[choice.name]) == route


def test_conditions_hold_for_what_the_route_comes_by() -> None:
    ways = Ways(reach(6, 3))
    inside = [Choice(f"in{n}", range(3), when=ways.on(n)) for n in range(6)]
    between = [Choice(f"on{n}", range(2), when=ways.taken(n, n + 1)) for n in range(5)]
    space = Space([*(c for c in ways.choices if c is not None), *inside, *between])
    weigh = lambda r: 3 ** (len(r) - 1) * 2 ** sum(b - a == 1 and b < 6 for a, b in pairwise(r))  # noqa: E731
    assert space.size == sum(map(weigh, ways.routes()))
    codes = space.population(np.random.default_rng(0), 200)
    active = space.active_mask(codes)
    for n in range(6):
        assert (Passes(ways, n).holds(space, codes) == active[:, space.column(f"in{n}")]).all()
    for n in range(5):
        passes = Passes(ways, n, n + 1)
        assert (passes.holds(space, codes) == active[:, space.column(f"on{n}")]).all()
        assert [passes.met(lambda c, arch=arch: arch[c.name]) for arch in space.wrap(codes)] == passes.holds(
            space, codes
        ).tolist()
        row = codes[:1].copy()
        for choice, code in passes.example().items():
            row[:, space.column(choice.name)] = code
        assert passes.holds(space, row).all()


def test_conditions_on_more_options_than_can_be_listed_are_tabulated_by_what_they_tell_apart() -> None:
    ways = Ways(reach(21, 10))  # a block asks ten others of eleven readings: 11¹⁰ joint settings
    space = Space([choice for choice in ways.choices if choice is not None])
    counts = [1]
    for _ in range(21):
        counts.append(sum(counts[-10:]))
    assert space.size == ways.count == counts[-1]
    codes = space.population(np.random.default_rng(0), 50)
    assert (space.unindex(space.index(codes)) == codes).all()
    assert [list(space.active(code)) for code in codes.tolist()] == space.active_mask(codes).tolist()
    assert len({Space(list(space.choices)).fingerprint, space.fingerprint}) == 1


def test_what_is_no_graph_or_no_route_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Behind the node 1 come \(1,\)"):
        Ways([(1,), (1,)])
    with pytest.raises(UsageError, match="No node leads to the node 1"):
        Ways([(2,), (2,)])
    with pytest.raises(UsageError, match=r"\(0, 3\) is no route from 0 to 3"):
        Ways(reach(3, 2)).decisions((0, 3))
