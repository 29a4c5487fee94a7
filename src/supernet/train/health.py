"""What the log of a training says about its health."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from supernet.quantity import ACCURACY, Quantity

DEFAULT_IMAGES = 1000
"""How many images accuracies along a training are of, at most, and where nothing is known."""

AUGMENTED = "largest, augmented"
"""Name of the largest subnet where it is measured on images augmented as in training."""

_ACCURACY = "accuracy/"
_NEAR = 0.02  # of the loss by chance: one this close to it is that of a constant answer
_LINES = 5
_SHARE = 0.1


def warnings_of(
    rows: Sequence[Mapping[str, float]],
    num_classes: int | None = None,
    *,
    chance: float | None = None,
    images: int = DEFAULT_IMAGES,
    score: Quantity = ACCURACY,
    derives: bool = False,
) -> list[str]:
    """Sentences about what is wrong with a training, by its log; none where all is well.

    Three things are looked for. *The loss has collapsed*: it stood within 2 % of `chance`, the loss of a network that
    tells no example from another, in the last tenth of the log (five lines at least); or the subnets that were measured
    last all had the same accuracy, at most 1.5 times that of guessing. *Larger is worse*: at the last measurement the
    largest subnet was below the smallest, or below the random one, by more than two standard errors of the
    difference. *Statistics do not fit*: it was better on augmented images than on plain ones, by more than three.

    Args:
        rows: The log, as in `train.jsonl` or `Trained.history`.
        num_classes: K; None leaves out what needs it.
        chance: What the objective says its loss is without information, ln K of cross-entropy (`chance_of`). None: it
            says nothing, as where labels are random by design; then nothing is called collapsed.
        images: Images that accuracies were measured on; they decide the standard error.
        score: What subnets are compared by; where it is no share of the images, only the loss is looked at.
        derives: Whether the method ends with one architecture. Its supernet is trained for that and not for single
            subnets, so that their accuracies are no sign of ill health and only the loss is looked at.
    """
    if derives:
        rows = [{name: value for name, value in row.items() if not name.startswith(_ACCURACY)} for row in rows]
    found = [] if not num_classes or chance is None else _collapsed(rows, num_classes, chance)
    if score != ACCURACY:
        return found
    return found or [*_larger_is_worse(_last_accuracies(rows), images), *_better_augmented(rows, images)]


def chance_of(program: object, of_task: float | None) -> float | None:
    """What the objective of a program says its loss is without information; None: it or the task does not say."""
    chance = getattr(getattr(program, "objective", None), "chance", None)
    return None if chance is None or of_task is None else chance(of_task)


def _collapsed(rows: Sequence[Mapping[str, float]], num_classes: int, chance: float) -> list[str]:
    losses = [row["loss"] for row in rows if "loss" in row]
    stood = 0
    for loss in reversed(losses):
        if not abs(loss - chance) <= _NEAR * chance:
            break
        stood += 1
    cure = "Lower the learning rate, warm it up, or clip the gradient."
    if stood >= max(_LINES, _SHARE * len(losses)):
        return [
            f"The loss has stood at {losses[-1]:.3f} for the last {stood} lines of the log: "
            f"{chance:.3f} is what a network loses that tells no example from another. {cure}"
        ]
    last = {name: value for name, value in _last_accuracies(rows).items() if name != AUGMENTED}
    if len(last) > 1 and len(set(last.values())) == 1 and min(last.values()) <= 1.5 / num_classes:
        return [
            f"All {len(last)} subnets that were measured have an accuracy of {100 * min(last.values()):.1f} %, where "
            f"guessing has {100 / num_classes:.1f} %: they give one answer to every example. {cure}"
        ]
    return []


def _larger_is_worse(last: Mapping[str, float], images: int) -> list[str]:
    largest = last.get("largest")
    if largest is None:
        return []
    for other in ("smallest", "random"):
        accuracy = last.get(other)
        if accuracy is None or not (0 <= accuracy <= 1 and 0 <= largest <= 1):
            continue
        if accuracy - largest > 2 * _error(largest, accuracy, images):
            return [
                f"The largest subnet ({100 * largest:.1f} %) is worse than the {other} one ({100 * accuracy:.1f} %) "
                "by more than noise: the supernet was trained too briefly, its large subnets too rarely, or batch norm "
                "statistics do not fit. Train longer, or with the sandwich rule."
            ]
    return []


def _better_augmented(rows: Sequence[Mapping[str, float]], images: int) -> list[str]:
    last = _last_accuracies(rows)
    if not {"largest", AUGMENTED} <= set(last):
        return []
    plain, augmented = last["largest"], last[AUGMENTED]
    if not (0 <= plain <= 1 and augmented - plain > 3 * _error(plain, augmented, images)):
        return []
    return [
        f"The largest subnet has {100 * augmented:.1f} % on validation images augmented like those of training, but "
        f"{100 * plain:.1f} % on plain ones: its batch norm statistics do not fit these, and rankings suffer. Pad by "
        'reflection (padding = "reflect" in the augmentation), or augment less.'
    ]


def _error(one: float, other: float, images: int) -> float:
    """Standard error of the difference of two accuracies."""
    return math.sqrt((one * (1 - one) + other * (1 - other)) / images)


def _last_accuracies(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Accuracy of each subnet in the last line that holds any."""
    for row in reversed(rows):
        found = {name.removeprefix(_ACCURACY): value for name, value in row.items() if name.startswith(_ACCURACY)}
        if found:
            return found
    return {}
