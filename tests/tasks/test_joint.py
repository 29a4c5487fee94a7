"""Several tasks at once: heads and targets by name, weights, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from supernet.errors import UsageError
from supernet.nn.batch import Batch
from supernet.nn.output import Output, as_output
from supernet.tasks import Classification, Detection, Joint, Regression, Segmentation

RNG = torch.Generator().manual_seed(0)
MASK, LABEL = torch.randn(4, 3, 8, 8, generator=RNG), torch.randn(4, 5, generator=RNG)
ASKED = {"mask": torch.randint(0, 3, (4, 8, 8), generator=RNG), "label": torch.randint(0, 5, (4,), generator=RNG)}
BATCH = Batch(torch.zeros(4, 1, 8, 8), ASKED)
PARTS: dict[str, Any] = {"mask": (Segmentation(), 1.0), "label": (Classification(), 0.5)}


@pytest.mark.parametrize(
    "returned",
    [
        {"mask": MASK, "label": LABEL},
        {"label": LABEL, "mask": MASK},
        {"logits": LABEL, "mask": MASK},
        Output(MASK, heads={"label": LABEL}),
    ],
    ids=["mask first", "label first", "logits", "Output"],
)
def test_each_task_has_its_head_and_its_target(returned: Any) -> None:
    output, task = as_output(returned), Joint(PARTS)
    apart = [
        Segmentation().loss(Output(MASK), Batch(BATCH.x, ASKED["mask"])),
        Classification().loss(Output(LABEL), Batch(BATCH.x, ASKED["label"])),
    ]
    assert torch.isclose(task.loss(output, BATCH), apart[0] + 0.5 * apart[1])
    meter = task.meter()
    meter.add(output, BATCH)
    told = meter.values()
    right = float((LABEL.argmax(1) == ASKED["label"]).float().mean())
    assert told["label.accuracy"] == right
    assert told["loss"] == pytest.approx(float(apart[0] + 0.5 * apart[1]), rel=1e-5)
    wrong = [
        Segmentation().errors(Output(MASK), Batch(BATCH.x, ASKED["mask"])),
        Classification().errors(Output(LABEL), Batch(BATCH.x, ASKED["label"])),
    ]
    assert torch.isclose(task.errors(output, BATCH), (wrong[0] + 0.5 * wrong[1]) / 1.5)


def test_several_heads_and_targets_of_a_task_have_its_name_before_a_dot() -> None:
    levels = torch.randn(4, 8, 4, 4, generator=RNG), torch.randn(4, 8, 2, 2, generator=RNG)
    boxes = torch.tensor([[[1.0, 1, 5, 6]]]).expand(4, 1, 4)
    asked = {"mask": ASKED["mask"], "objects.boxes": boxes, "objects.labels": torch.zeros(4, 1, dtype=torch.int64)}
    returned = {"mask": MASK, "objects": levels[0], "objects.coarse": levels[1], "mask.aux": MASK}
    task = Joint({"mask": (Segmentation(auxiliary=0.5), 1.0), "objects": (Detection(), 2.0)})
    batch = Batch(BATCH.x, asked)
    task.check(as_output(returned), batch, data="mine", classes=0)
    alone = Detection().loss(
        Output(levels[0], heads={"coarse": levels[1]}),
        Batch(BATCH.x, {"boxes": boxes, "labels": asked["objects.labels"]}),
    )
    mask = Segmentation().loss(Output(MASK), Batch(BATCH.x, ASKED["mask"]))
    assert torch.isclose(task.loss(as_output(returned), batch), 1.5 * mask + 2 * alone)
    with pytest.raises(UsageError, match="Detection has no error"):
        task.errors(as_output(returned), batch)


def test_which_score_ranks_is_an_option() -> None:
    assert Joint(PARTS).scores[0].name == "mask.miou"
    chosen = Joint(PARTS, rank_by="label.accuracy").scores
    assert (chosen[0].name, chosen[0].goal, chosen[0].share) == ("label.accuracy", "max", True)
    assert sorted(s.name for s in chosen) == sorted(s.name for s in Joint(PARTS).scores)
    with pytest.raises(UsageError, match=r"is no score of it; there are mask\.miou"):
        Joint(PARTS, rank_by="accuracy")


def test_a_missing_head_or_target_is_named() -> None:
    three = Joint({**PARTS, "age": (Regression(), 1.0)})
    output = as_output({"mask": MASK, "label": LABEL, "age": LABEL[:, :1]})
    with pytest.raises(UsageError, match=r"targets of mine are mask .* none of them is called 'age'"):
        three.check(output, BATCH, data="mine", classes=0)
    with pytest.raises(UsageError, match="returns no head 'mask', but logits, label"):
        Joint({**PARTS, "age": (Regression(), 1.0)}).head("mask", Output(MASK, heads={"label": LABEL}))
    output = as_output({"mask": MASK, "label": LABEL})
    bad = Batch(BATCH.x, {**ASKED, "label": ASKED["label"] + 5})
    with pytest.raises(UsageError, match=r"targets of mine \(label\) have the label"):
        Joint(PARTS).check(output, bad, data="mine", classes=0)


def test_tasks_that_make_no_sense_are_refused() -> None:
    wrong: list[tuple[Any, str]] = [
        ({}, "has no task"),
        ({"a": Segmentation()}, "give a task and the weight"),
        ({"a": (Segmentation(), -1.0)}, "give a task and the weight"),
        ({"a": ("mask", 1.0)}, "give a task and the weight"),
        ({"a.b": (Segmentation(), 1.0)}, "without a dot"),
        ({"a": (Segmentation(), 0.0)}, "nothing would be learned"),
    ]
    for tasks, sentence in wrong:
        with pytest.raises(UsageError, match=sentence):
            Joint(tasks)
