"""Drawings: chains wrap, graphs keep their promises on random input, and everything stays text."""

from __future__ import annotations

import re
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from report_run import cell_diagram, chain_diagram
from supernet.nn.diagram import Diagram, Edge, Node
from supernet.report.drawing import HUES, Drawing, draw, hue
from supernet.report.page import rendered

STAGE = {"depth": 3, "width": 24, "kernel": 5, "expand": 6}
CHAIN = {f"stage{stage}.{name}": value for stage in range(1, 5) for name, value in STAGE.items()}
TALL, WIDE = 36.0, 104.0  # pixels: the largest box


@st.composite
def graphs(draw: st.DrawFn) -> Diagram:
    count = draw(st.integers(2, 9))
    pairs = draw(st.lists(st.sampled_from(list(combinations(range(count), 2))), unique=True, max_size=14))
    labels = draw(st.lists(st.sampled_from(("", "conv 3x3", "skip")), min_size=14, max_size=14))
    nodes = tuple(Node(str(i), f"node {i}", "detail" * (i % 2)) for i in range(count))
    edges = (Edge(str(a), str(b), label) for (a, b), label in zip(pairs, labels, strict=False))
    return Diagram(nodes, tuple(edges))


def markup(drawing: Drawing) -> str:
    return rendered("drawing.html.j2", drawing=drawing)


def test_a_chain_is_a_row_of_boxes_that_wraps() -> None:
    diagram = chain_diagram(CHAIN)
    drawing = draw(diagram, "chain 9 < 10")
    assert drawing.size is None
    assert [(box.label, box.detail) for box in drawing.boxes] == [(node.label, node.detail) for node in diagram.nodes]
    shown = markup(drawing)
    assert shown.count("<li>") == len(diagram.nodes)
    assert shown.count("<b>MB6 k5</b>") == 12
    assert 'aria-label="chain 9 &lt; 10"' in shown


def test_a_cell_shows_every_operation() -> None:
    drawing = draw(cell_diagram(), "cell")
    labels = [box.label for box in drawing.boxes]
    assert sorted(labels) == sorted([*"0123", *(edge.label for edge in cell_diagram().edges)])
    assert len([arrow for arrow in drawing.arrows if arrow.tip]) == 6  # one head per edge
    assert len(drawing.arrows) == 12  # two halves, around the operation
    shown = markup(drawing)
    assert (shown.count("<path"), shown.count("<polygon"), shown.count("<span")) == (12, 6, 10)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_boxes_lie_apart_inside_the_frame(diagram: Diagram) -> None:
    drawing = draw(diagram, "")
    if drawing.size is None:
        return
    width, height = drawing.size
    for box in drawing.boxes:
        assert box.half <= box.x <= width - box.half
        assert TALL / 2 <= box.y <= height - TALL / 2
    for one, other in combinations(drawing.boxes, 2):
        assert abs(one.x - other.x) >= one.half + other.half or abs(one.y - other.y) >= TALL


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_edges_lead_forwards_from_box_to_box_and_through_none(diagram: Diagram) -> None:
    drawing = draw(diagram, "")
    if drawing.size is None:
        return
    assert len([arrow for arrow in drawing.arrows if arrow.tip]) == len(diagram.edges)
    for arrow in drawing.arrows:
        numbers = [tuple(map(float, pair.split(","))) for pair in re.findall(r"[\d.]+,[\d.]+", arrow.path)]
        xs = [x for x, _ in numbers]
        assert xs == sorted(xs)
        for x, y in re.findall(r"([\d.]+),([\d.]+) H", arrow.path):  # passes a layer: level, and between its boxes
            layer = [box for box in drawing.boxes if box.x - WIDE / 2 <= float(x) <= box.x + WIDE / 2]
            assert all(abs(box.y - float(y)) >= TALL / 2 for box in layer)


def test_crossings_are_removed() -> None:
    pairs = [("s", "a"), ("s", "b"), ("a", "y"), ("b", "x"), ("x", "t"), ("y", "t")]
    drawing = draw(Diagram(tuple(Node(n, n) for n in "sabxyt"), tuple(Edge(a, b) for a, b in pairs)), "")
    height = {box.label: box.y for box in drawing.boxes}
    assert (height["a"] < height["b"]) == (height["y"] < height["x"])


def test_layers_are_longest_paths() -> None:
    pairs = [("a", "b"), ("b", "c"), ("a", "c"), ("c", "d")]
    drawing = draw(Diagram(tuple(Node(n, n) for n in "abcd"), tuple(Edge(a, b) for a, b in pairs)), "")
    xs = [box.x for box in drawing.boxes]
    gaps = [b - a for a, b in pairwise(xs)]
    assert gaps == [gaps[0]] * 3
    assert gaps[0] > WIDE


def test_labels_are_escaped_and_stand_in_full_in_the_tooltip() -> None:
    long = "<script>alert(1)</script> & a name that goes on and on"
    for edges in ((Edge("a", "b", long),), (Edge("a", "b"),)):
        shown = markup(draw(Diagram((Node("a", long), Node("b", "b")), edges), long))
        assert "<script" not in shown
        assert shown.count('title="&lt;script&gt;alert(1)&lt;/script&gt; &amp; a name that goes on and on"') >= 1


@pytest.mark.parametrize(
    "labels",
    [
        ("conv 3x3", "conv 1x1", "avg pool"),
        ("nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3"),
        tuple(f"MB{e} k{k}" for e in (3, 4, 6) for k in (3, 5, 7)),
        ("sep conv 3x3", "sep conv 5x5", "dil conv 3x3", "dil conv 5x5", "max pool 3x3", "avg pool 3x3"),
        (*(f"MB{e} k{k}" for e in (2, 3, 4) for k in (3, 5)), "conv 3×3", "conv 1×1"),
        ("shuffle k3", "shuffle k5", "shuffle k7", "xception"),
    ],
)
def test_operations_of_published_spaces_differ_in_colour(labels: tuple[str, ...]) -> None:
    colours = {hue(label) for label in labels}
    assert len(colours) == len(labels)
    assert colours <= set(HUES)


def test_colour_does_not_depend_on_spelling() -> None:
    assert hue("Conv 3×3") == hue("conv_3x3") == hue("conv-3x3")
    assert hue("skip_connect") is None
