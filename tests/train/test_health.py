"""What is wrong with a training, by its log."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from small_nets import operations_net, step
from supernet.data import Batch
from supernet.nn.output import Output
from supernet.train import CrossEntropy, InPlaceDistillation, Outcome, Sandwich, TrainPaths
from supernet.train.health import chance_of, warnings_of

LN10 = math.log(10)


def log(*losses: float) -> list[dict[str, float]]:
    return [{"step": step, "loss": loss} for step, loss in enumerate(losses, start=1)]


def accuracies(smallest: float, random: float, largest: float) -> dict[str, float]:
    return {"step": 9, "accuracy/smallest": smallest, "accuracy/random": random, "accuracy/largest": largest}


def test_a_loss_that_stands_at_ln_k_has_collapsed() -> None:
    (sentence,) = warnings_of(log(2.0, 1.5, *[LN10] * 5), 10, chance=LN10)
    assert "stood at 2.303 for the last 5 lines" in sentence
    assert "2.303 is what a network loses that tells no example from another" in sentence
    assert "Lower the learning rate" in sentence


@pytest.mark.parametrize(
    ("losses", "classes"),
    [
        ([2.0, *[LN10] * 4], 10),  # four lines are too few
        ([*[LN10] * 20, 2.1], 10),  # it has left
        ([*[1.0] * 60, *[LN10] * 5], 10),  # five of sixty-five lines are too few
        ([LN10] * 20, 100),  # that is a good loss for a hundred classes
        ([LN10] * 20, None),
        ([LN10 * 1.03] * 20, 10),
        ([math.nan] * 20, 10),
        ([], 10),
    ],
)
def test_other_losses_have_not(losses: list[float], classes: int | None) -> None:
    assert warnings_of(log(*losses), classes, chance=math.log(classes or 10)) == []


def test_two_per_cent_is_the_border() -> None:
    assert warnings_of(log(*[LN10 * 1.019] * 6), 10, chance=LN10)
    assert warnings_of(log(*[LN10 * 0.981] * 6), 10, chance=LN10)
    assert not warnings_of(log(*[LN10 * 0.979] * 6), 10, chance=LN10)


def test_equal_accuracies_near_guessing_are_one_answer_to_everything() -> None:
    (sentence,) = warnings_of([{"loss": 5.0}, accuracies(0.1, 0.1, 0.1)], 10, chance=LN10)
    assert "All 3 subnets" in sentence
    assert "10.0 %" in sentence
    assert warnings_of([accuracies(0.1, 0.1, 0.1)], None) == []
    assert warnings_of([accuracies(1.0, 1.0, 1.0)], 2, chance=math.log(2)) == []
    assert warnings_of([accuracies(0.1, 0.1, 0.11)], 10, chance=LN10) == []


@pytest.mark.parametrize(
    ("row", "other"),
    [
        (accuracies(0.90, 0.85, 0.80), "smallest one (90.0 %)"),
        (accuracies(0.70, 0.85, 0.80), "random one (85.0 %)"),
    ],
)
def test_the_largest_must_not_be_the_worst(row: dict[str, float], other: str) -> None:
    (sentence,) = warnings_of([accuracies(0.5, 0.6, 0.7), row], 10, chance=LN10, images=1000)
    assert f"The largest subnet (80.0 %) is worse than the {other}" in sentence


@pytest.mark.parametrize("accuracy", [accuracies(0.90, 0.85, 0.80), accuracies(0.1, 0.1, 0.1)])
def test_of_a_method_that_derives_only_the_loss_is_looked_at(accuracy: dict[str, float]) -> None:
    augmented = {**accuracy, "accuracy/largest, augmented": 0.99}
    assert warnings_of([augmented], 10, chance=LN10)
    assert warnings_of([augmented], 10, chance=LN10, derives=True) == []
    assert warnings_of([*log(*[LN10] * 5), augmented], 10, chance=LN10, derives=True)


def test_noise_is_no_reason_to_warn() -> None:
    # Standard error of the difference at 0.80 and 0.85 among n images: sqrt((0.16 + 0.1275) / n).
    border = 4 * (0.16 + 0.1275) / 0.05**2
    row = accuracies(0.7, 0.85, 0.80)
    assert warnings_of([row], 10, chance=LN10, images=int(border * 0.98)) == []
    assert warnings_of([row], 10, chance=LN10, images=int(border * 1.02)) != []


def test_only_the_last_measurement_counts() -> None:
    worse, better = accuracies(0.9, 0.9, 0.5), accuracies(0.9, 0.9, 0.95)
    assert warnings_of([worse, better, {"loss": 0.1}], 10, chance=LN10) == []
    assert warnings_of([better, worse, {"loss": 0.1}], 10, chance=LN10) != []


def test_figures_that_are_no_shares_are_left_alone() -> None:
    assert warnings_of([accuracies(90.0, 85.0, 80.0)], 10, chance=LN10) == []
    assert warnings_of([accuracies(math.nan, 0.5, math.nan)], 10, chance=LN10) == []
    assert warnings_of([{"accuracy/largest": 0.5}], 10, chance=LN10) == []


@pytest.mark.parametrize(("augmented", "warned"), [(0.56, False), (0.58, True), (0.45, False), (math.nan, False)])
def test_better_on_augmented_images_means_that_statistics_do_not_fit(augmented: float, warned: bool) -> None:
    # standard error of the difference at 0.5 and 1,000 images: 0.0224
    rows = [{**accuracies(0.3, 0.4, 0.5), "accuracy/largest, augmented": augmented}, {"loss": 1.0}]
    found = warnings_of(rows, images=1000)
    assert bool(found) == warned
    assert all("58.0 % on validation images augmented" in sentence for sentence in found)


def test_an_objective_says_what_its_loss_is_by_chance() -> None:
    """Equal answers lose ln K under any smoothing; an objective that says nothing is never called collapsed."""
    logits, labels = torch.zeros(4, 7), torch.arange(4)
    for objective in (CrossEntropy(), CrossEntropy(0.3), InPlaceDistillation(0.1), InPlaceDistillation(hard=0.5)):
        program = TrainPaths(sampler=Sandwich(), objective=objective)
        first = Outcome(Output(logits), Batch(logits, labels), step(operations_net()))
        for earlier in ((), (first,)):
            loss = float(objective(replace(first, earlier=earlier)))
            assert chance_of(program, math.log(7)) == pytest.approx(loss, rel=1e-5)
    assert chance_of(TrainPaths(sampler=Sandwich(), objective=InPlaceDistillation(temperature=2.0)), 2.0) is None

    def of_random_labels(outcome: Outcome) -> torch.Tensor:
        return F.cross_entropy(outcome.logits, outcome.batch.y.roll(1))

    silent = chance_of(TrainPaths(sampler=Sandwich(), objective=of_random_labels), LN10)
    assert silent is None
    assert chance_of(TrainPaths(sampler=Sandwich()), None) is None  # the task does not say
    assert warnings_of(log(*[LN10] * 9), 10, chance=silent) == []
