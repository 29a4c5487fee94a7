"""The layered layout keeps its promises on random graphs."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from supernet.report.layers import keep_apart, longest_paths
from supernet.report.layout import arrange

Graph = tuple[int, list[tuple[int, int]]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 9))
    pairs = list(combinations(range(count), 2))
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=14)) if pairs else []
    return count, edges


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_boxes_lie_apart_inside_the_frame(graph: Graph) -> None:
    count, edges = graph
    sizes = {i: (40.0 + 7 * (i % 3), 20.0 + 5 * (i % 2)) for i in range(count)}
    layout = arrange(sizes, edges, width=300)
    boxes = [(layout.centres[i], sizes[i]) for i in range(count)]
    for (x, y), (w, h) in boxes:
        assert w / 2 - 1e-6 <= x <= layout.width - w / 2 + 1e-6
        assert h / 2 - 1e-6 <= y <= layout.height - h / 2 + 1e-6
    for ((x0, y0), (w0, h0)), ((x1, y1), (w1, h1)) in combinations(boxes, 2):
        assert abs(x0 - x1) >= (w0 + w1) / 2 or abs(y0 - y1) >= (h0 + h1) / 2
    assert len(layout.routes) == len(edges)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_no_edge_runs_through_a_box(graph: Graph) -> None:
    count, edges = graph
    sizes = dict.fromkeys(range(count), (50.0, 24.0))
    layout = arrange(sizes, edges, width=10**6)  # one row
    for (source, target), route in zip(edges, layout.routes, strict=True):
        for (x, y), (nx, ny) in zip(route.points[1:-1:2], route.points[2:-1:2], strict=True):
            assert y == ny  # level across the layer
            for other in set(range(count)) - {source, target}:
                cx, cy = layout.centres[other]
                assert nx <= cx - 25 or x >= cx + 25 or abs(cy - y) > 12


def test_a_chain_turns_at_the_end_of_each_row() -> None:
    sizes = dict.fromkeys(range(12), (100.0, 30.0))
    layout = arrange(sizes, [(i, i + 1) for i in range(11)], width=520)
    rows: dict[float, list[int]] = {}
    for i in range(12):
        rows.setdefault(layout.centres[i][1], []).append(i)
    assert list(rows.values()) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    xs = [layout.centres[i][0] for i in range(12)]
    assert xs[:4] == sorted(xs[:4])
    assert xs[4:8] == sorted(xs[4:8], reverse=True)
    assert (xs[4], xs[8]) == (xs[3], xs[7])
    assert layout.width <= 520
    assert [route.heading for route in layout.routes[2:5]] == ["right", "down", "left"]


def test_crossings_are_removed() -> None:
    edges = [("s", "a"), ("s", "b"), ("a", "y"), ("b", "x"), ("x", "t"), ("y", "t")]
    layout = arrange(dict.fromkeys("sabxyt", (20.0, 20.0)), edges, width=10**6)
    height = {i: layout.centres[i][1] for i in "sabxyt"}
    assert (height["a"] < height["b"]) == (height["y"] < height["x"])


def test_longest_paths() -> None:
    assert longest_paths("abcd", [("a", "b"), ("b", "c"), ("a", "c"), ("c", "d")]) == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert longest_paths("ab", [("a", "b"), ("b", "a")]) is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=6))
def test_keep_apart_is_the_nearest_choice(wanted: list[float]) -> None:
    gaps = [3.0] * (len(wanted) - 1)
    placed = keep_apart(wanted, gaps)
    assert all(b - a >= 3 - 1e-9 for a, b in pairwise(placed))

    def loss(ys: list[float]) -> float:
        return sum((y - w) ** 2 for y, w in zip(ys, wanted, strict=True))

    for first, last in combinations(range(len(wanted) + 1), 2):  # no block can move and be nearer
        for move in (-0.01, 0.01):
            moved = [y + move * (first <= i < last) for i, y in enumerate(placed)]
            if all(b - a >= 3 for a, b in pairwise(moved)):
                assert loss(moved) >= loss(placed) - 1e-9
