"""`supernet list`: names and what is known of them."""

from __future__ import annotations

import json

from command_line import supernet
from supernet import catalog


def test_every_kind_is_listed_for_people_and_for_programs() -> None:
    for kind in catalog.KINDS:
        text, found = supernet("list", kind).out, json.loads(supernet("list", kind, "--json").out)
        assert [row["name"] for row in found] == [entry.name for entry in catalog.entries(kind)]
        assert all(row["name"] in text for row in found)
    counts = json.loads(supernet("list", "--json").out)
    assert counts == {kind: len(catalog.entries(kind)) for kind in catalog.KINDS}
