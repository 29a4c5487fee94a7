"""Who gets which task, and what happens when workers die; engines that are played here."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from supernet.errors import RunError
from supernet.workers import Crew, Died, Done, Outcome, Ready, Work
from supernet.workers._protocol import Event


@dataclass
class Played:
    """Workers that square numbers in a random order, and die as the seed says."""

    count: int
    seed: int = 0
    deadly: float = 0.0
    always: frozenset[int] = frozenset()
    stillborn: bool = False
    births: list[bool] = field(default_factory=list)
    idle: set[int] = field(default_factory=set)
    bored: bool = False
    given: list[int] = field(default_factory=list)
    coming: dict[int, int | None] = field(default_factory=dict)

    def check(self) -> None:
        pass

    def open(self, work: Work, most: int | None = None) -> Played:
        self.random = random.Random(self.seed)
        return self

    def start(self, seat: int) -> None:
        assert seat not in self.coming, "the seat is taken"
        self.coming[seat] = None

    def give(self, seat: int, task: int) -> None:
        assert seat not in self.coming, "it has a task, or has not begun"
        self.idle.remove(seat)
        self.given.append(task)
        self.coming[seat] = task

    def wait(self) -> Sequence[Event]:
        assert self.coming, "it would wait for ever"
        if self.bored and self.idle:  # one that has nothing to do dies
            return [Died(self.idle.pop(), "killed by SIGKILL")]
        seat = self.random.choice(sorted(self.coming))
        task = self.coming.pop(seat)
        unlucky = task is not None and self.given.count(task) < 3 and self.random.random() < self.deadly
        unborn = task is None and bool(self.births) and not self.births.pop(0)
        if self.stillborn or unborn or task in self.always or unlucky:
            return [Died(seat, "killed by SIGKILL")]
        self.idle.add(seat)
        if task is None:
            return [Ready(seat)]
        if task < 0:
            return [Done(seat, Outcome(error=ValueError(str(task))))]
        return [Done(seat, Outcome(task * task))]

    def close(self) -> None:
        self.coming.clear()


WORK = Work(len, (), to_do="square")


@pytest.mark.parametrize("seed", range(20))
def test_results_are_those_of_one_whoever_dies(seed: int) -> None:
    played = Played(count=seed % 4 + 1, seed=seed, deadly=0.15)
    with Crew(played, WORK) as crew:
        numbers = [crew.submit(task) for task in range(30)]
        assert [crew.result(number) for number in numbers] == [task * task for task in range(30)]
        assert len(crew.lost) == len(played.given) - 30
        more = {crew.submit(task): task for task in (7, 8, 9)}
        assert {more[number]: value for number, value in crew.finished()} == {7: 49, 8: 64, 9: 81}


def test_some_died_in_the_test_before() -> None:
    played = Played(count=2, seed=1, deadly=0.15)
    with Crew(played, WORK) as crew:
        for number in [crew.submit(task) for task in range(30)]:
            crew.result(number)
        assert crew.lost == ["killed by SIGKILL"] * len(crew.lost) != []


def test_a_task_that_kills_is_given_up_after_three() -> None:
    played = Played(count=2, always=frozenset({4}))
    with Crew(played, WORK) as crew:
        numbers = [crew.submit(task) for task in range(8)]
        with pytest.raises(RunError, match=r"that square have ended unexpectedly, 3 workers .* \(killed by SIGKILL\)"):
            [crew.result(number) for number in numbers]
    assert played.given.count(4) == 3


def test_the_task_of_a_dead_worker_goes_first() -> None:
    played = Played(count=1, seed=3, deadly=0.3)
    with Crew(played, WORK) as crew:
        for number in [crew.submit(task) for task in range(12)]:
            crew.result(number)
    assert played.given == sorted(played.given), "one worker does the tasks in their order, each until it is done"
    assert len(played.given) > 12


def test_workers_that_never_begin_are_not_started_for_ever() -> None:
    with Crew(Played(count=2, stillborn=True), WORK) as crew:
        number = crew.submit(1)
        with pytest.raises(RunError, match=r"before their first task.*What is finished is kept"):
            crew.result(number)


def test_only_deaths_in_a_row_count_and_a_birth_ends_the_row() -> None:
    played = Played(count=1, births=[False, False, True, False, False, True], always=frozenset())
    played.deadly = 1.0  # the only task costs two workers
    with Crew(played, WORK) as crew:
        assert crew.result(crew.submit(5)) == 25
        assert len(crew.lost) == 6


def test_no_task_goes_to_a_worker_that_died_idle() -> None:
    played = Played(count=3)
    with Crew(played, WORK) as crew:
        first = [crew.submit(task) for task in range(3)]
        assert [crew.result(number) for number in first] == [0, 1, 4]
        played.bored = True
        alone = crew.submit(9)
        played.bored = len(played.idle) > 0
        crew._turn()
        assert crew.lost == ["killed by SIGKILL"]
        played.bored = False
        more = [crew.submit(task) for task in range(4, 9)]
        assert [crew.result(number) for number in (alone, *more)] == [81, 16, 25, 36, 49, 64]


def test_an_error_is_raised_where_its_result_is_asked_for() -> None:
    with Crew(Played(count=2), WORK) as crew:
        bad, good = crew.submit(-1), crew.submit(3)
        assert crew.result(good) == 9
        with pytest.raises(ValueError, match="-1"):
            crew.result(bad)
