"""How often each candidate was trained."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from supernet.errors import RunError
from supernet.nn import Mixture
from supernet.space import Choice, Space
from supernet.train.counts import UpdateCounts

DEPTH = Choice("depth", (1, 2))
SPACE = Space([DEPTH, Choice("kernel", (3, 5, 7), when=DEPTH > 1), Choice("op", ("conv", "skip"))])


def test_every_active_decision_of_every_path_counts_once() -> None:
    archs = SPACE.wrap(SPACE.population(np.random.default_rng(0), 500))
    counts = UpdateCounts(SPACE)
    for arch in archs:
        counts.observe(arch)
    for name, option, paths in counts.rows():
        assert paths == sum(arch[name] == option for arch in archs), (name, option)
    by_choice = {row["choice"]: sum(row["paths"]) for row in counts.to_json()}
    deep = sum(arch["depth"] == 2 for arch in archs)
    assert by_choice == {"depth": 500, "kernel": deep, "op": 500}
    assert 0 < deep < 500


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (2, [0, 0, 1]),
        ((0, 2), [1, 0, 1]),
        (Mixture(torch.tensor([0.2, 0.3, 0.5])), [1, 1, 1]),
        (Mixture(torch.tensor([0.0, 1.0, 0.0], requires_grad=True)), [0, 1, 0]),
        (Mixture(torch.tensor([0.2, 0.3, 0.5]), run=(1,)), [0, 1, 0]),
    ],
)
def test_a_decision_trains_the_options_it_computes(decision: object, expected: list[int]) -> None:
    counts = UpdateCounts(SPACE)
    counts.observe({"kernel": decision})
    assert [paths for name, _, paths in counts.rows() if name == "kernel"] == expected
    assert sum(paths for name, _, paths in counts.rows() if name != "kernel") == 0


def test_a_memory_that_is_saved_in_between_goes_on() -> None:
    archs = SPACE.wrap(SPACE.population(np.random.default_rng(1), 40))
    whole = UpdateCounts(SPACE)
    memory: dict[str, list[int]] = {}
    before = UpdateCounts(SPACE, memory)
    for arch in archs:
        whole.observe(arch)
    for arch in archs[:25]:
        before.observe(arch)
    after = UpdateCounts(SPACE, json.loads(json.dumps(memory)))
    for arch in archs[25:]:
        after.observe(arch)
    assert after.rows() == whole.rows()
    assert UpdateCounts.from_json(SPACE, json.loads(json.dumps(whole.to_json()))).rows() == whole.rows()


@pytest.mark.parametrize("kept", [{"depth": [1, 2]}, {"depth": [1, 2], "kernel": [1, 2], "op": [1, 2]}])
def test_counts_of_another_space_are_refused(kept: dict[str, list[int]]) -> None:
    with pytest.raises(RunError, match="belong to another space"):
        UpdateCounts(SPACE, kept)
