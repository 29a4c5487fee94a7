"""Diagrams check themselves and survive JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from report_run import cell_diagram, chain_diagram
from supernet.errors import UsageError
from supernet.nn.diagram import Diagram, Edge, Node

STAGE = {"depth": 3, "width": 24, "kernel": 5, "expand": 6}
CHAIN = {f"stage{stage}.{name}": value for stage in range(1, 5) for name, value in STAGE.items()}


def test_json_round_trip() -> None:
    for diagram in (cell_diagram(), chain_diagram(CHAIN)):
        assert Diagram.from_json(json.loads(json.dumps(diagram.to_json()))) == diagram


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "not a diagram: .*got `null`"),
        ({"nodes": [{"id": "a", "label": "a"}]}, "field `edges`"),
        ({"nodes": [{"id": "a"}], "edges": []}, r"field `label` - at `\$.nodes\[0\]`"),
        ({"nodes": [{"id": "a", "label": 3}], "edges": []}, r"got `int` - at `\$.nodes\[0\].label`"),
        ({"nodes": [{"id": "a", "label": "a", "kind": "box"}], "edges": []}, "'box'"),
        ({"nodes": [], "edges": []}, "at least one node"),
        ({"nodes": [5], "edges": []}, "not a diagram"),
    ],
)
def test_what_is_not_a_diagram(value: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Diagram.from_json(value)


def test_graphs_that_cannot_be_drawn() -> None:
    a, b = Node("a", "a"), Node("b", "b")
    with pytest.raises(UsageError, match="op, input, output, node"):
        Node("a", "a", kind="box")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="'a' is used twice"):
        Diagram((a, a), ())
    with pytest.raises(UsageError, match="no node 'c'"):
        Diagram((a, b), (Edge("a", "c"),))
    with pytest.raises(UsageError, match="cycle"):
        Diagram((a, b), (Edge("a", "b"), Edge("b", "a")))
    with pytest.raises(UsageError, match="cycle"):
        Diagram((a,), (Edge("a", "a"),))
