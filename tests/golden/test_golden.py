"""Fixed seeds give what they gave when it was recorded: bit for bit on such a machine, within rounding elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from golden import record
from golden.cases import CASES, DECIDED_BY_ROUNDING, TRAININGS
from supernet import methods

torch.set_num_threads(1)


@pytest.mark.parametrize("name", CASES)
def test_a_fixed_seed_gives_what_it_gave(name: str) -> None:
    held = record.read(record.file(name))
    if name in DECIDED_BY_ROUNDING and not record.rounds_alike(held["machine"], record.machine()):
        pytest.skip("what it decides on the way depends on the last bit, and another kind of machine recorded it")
    found = record.check(name, held)
    assert not found, "\n".join(found)


def test_every_case_is_recorded_and_nothing_else() -> None:
    for path in {record.file(name) for name in CASES} | set(record.FOLDER.iterdir()):
        assert list(record.read(path)["cases"]) == [name for name in CASES if record.file(name) == path], path.name


def test_every_method_has_a_case() -> None:
    assert {name.partition(",")[0] for name in TRAININGS} == set(methods.__all__)


@pytest.mark.parametrize("differs", record.DECISIVE)
def test_bits_are_compared_only_where_machines_round_alike(differs: str) -> None:
    case = record.outcome("spos")
    held: dict[str, Any] = {"machine": record.machine(), "cases": {"spos": case}}
    assert record.check("spos", held) == []
    case["weights"] = case["weights"][::-1]
    case["log"][1]["loss"] *= 1 + 1e-6
    assert [line.partition(":")[0] for line in record.check("spos", held)[1:]] == ["weights", "log[1].loss"]
    held["machine"][differs] = "another"
    assert record.check("spos", held) == []
    case["log"][1]["loss"] *= 1.01
    case["counts"]["block0"][2] += 1
    assert [line.partition(":")[0] for line in record.check("spos", held)[1:]] == ["log[1].loss", "counts.block0[2]"]


@pytest.mark.parametrize(
    ("recorded", "found"), [({"a": 1}, {"a": 1, "b": 1}), ({"a": 1}, {}), ([1, 2], [1]), (1, 1.0), ("1", 1), (3, 4)]
)
def test_structure_and_whole_numbers_are_compared_everywhere(recorded: Any, found: Any) -> None:
    assert all(record.differences(recorded, found, bitwise=bitwise) for bitwise in (True, False))
