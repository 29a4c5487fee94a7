"""Diagrams check themselves, survive JSON, and become readable pictures."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest

from report_run import cell_diagram, chain_diagram
from supernet.errors import UsageError
from supernet.report.diagram import Diagram, Edge, Node, svg
from supernet.report.shapes import HUES, hue

SVG = "{http://www.w3.org/2000/svg}"
STAGE = {"depth": 3, "width": 24, "kernel": 5, "expand": 6}
CHAIN = {f"stage{stage}.{name}": value for stage in range(1, 5) for name, value in STAGE.items()}


def test_json_round_trip() -> None:
    for diagram in (cell_diagram(), chain_diagram(CHAIN)):
        assert Diagram.from_json(json.loads(json.dumps(diagram.to_json()))) == diagram


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "object with the lists"),
        ({"nodes": [{"id": "a", "label": "a"}]}, "'edges'"),
        ({"nodes": [{"id": "a"}], "edges": []}, "label"),
        ({"nodes": [{"id": "a", "label": 3}], "edges": []}, "'label' is 3, a text is needed"),
        ({"nodes": [{"id": "a", "label": "a", "kind": "box"}], "edges": []}, "op, input, output, node"),
        ({"nodes": [], "edges": []}, "at least one node"),
        ({"nodes": [5], "edges": []}, "not a diagram"),
    ],
)
def test_what_is_not_a_diagram(value: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Diagram.from_json(value)


def test_graphs_that_cannot_be_drawn() -> None:
    a, b = Node("a", "a"), Node("b", "b")
    with pytest.raises(UsageError, match="'a' is used twice"):
        Diagram((a, a), ())
    with pytest.raises(UsageError, match="no node 'c'"):
        Diagram((a, b), (Edge("a", "c"),))
    with pytest.raises(UsageError, match="cycle"):
        Diagram((a, b), (Edge("a", "b"), Edge("b", "a")))


def test_cell_shows_every_operation() -> None:
    root = ElementTree.fromstring(svg(cell_diagram(), title="cell 9 < 10"))
    labels = [text.text for text in root.iter(f"{SVG}text")]
    assert sorted(labels) == sorted([*"0123", *(edge.label for edge in cell_diagram().edges)])
    assert len(list(root.iter(f"{SVG}polygon"))) == 6  # one arrow head per edge
    assert len(list(root.iter(f"{SVG}rect"))) == 4 + 6
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == root.get("aria-label") == "cell 9 < 10"
    assert "0 to 1 through conv 3x3" in (root.findtext(f"{SVG}desc") or "")


@pytest.mark.parametrize("width", [330.0, 900.0])
def test_chain_keeps_to_the_width(width: float) -> None:
    root = ElementTree.fromstring(svg(chain_diagram(CHAIN), width=width))
    assert float(root.get("width", "nan")) <= width
    labels = [text.text for text in root.iter(f"{SVG}text")]
    assert labels.count("MB6 k5") == 12
    assert len(list(root.iter(f"{SVG}polygon"))) == 15


def test_labels_are_escaped_and_long_ones_cut() -> None:
    long = "<script>alert(1)</script> & a name that goes on and on"
    drawn = svg(Diagram((Node("a", long), Node("b", "b")), (Edge("a", "b", long),)))
    root = ElementTree.fromstring(drawn)
    assert "<script" not in drawn
    assert all(len(text.text or "") < 30 for text in root.iter(f"{SVG}text"))
    assert [t.text for t in root.iter(f"{SVG}title")].count(long) == 2  # in full on pointing at it


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
