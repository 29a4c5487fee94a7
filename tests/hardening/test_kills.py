"""A few kills; `make kill` does two hundred."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardening.kills import TRIALS, tried

pytestmark = pytest.mark.slow  # processes of their own


@pytest.mark.parametrize("name", ["train dynas of fairnas", "search shifting", "run", "bench"])
def test_what_is_killed_goes_on_to_the_same_results(name: str, tmp_path: Path) -> None:
    assert tried(name, range(100, 101), 1, tmp_path) == []


def test_every_trial_is_one_of_a_verb_that_can_be_killed() -> None:
    assert {str(trial.work[0]) for trial in TRIALS.values()} == {"train", "search", "retrain", "run", "bench"}
