"""Labels and teachers from outside in one loss, and that the teachers stay where one architecture learns alone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from small_nets import operations_net, plain_net, step
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn.output import Output
from supernet.train import BesideTeachers, CrossEntropy, Outcome, Part, Recipe, Teachers, TrainPaths, Uniform, sgd
from supernet.train.alone import alone
from supernet.train.parts.teachers import TaughtBy

LOGITS = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
BATCH = Batch(torch.eye(4)[:, None, None, :3].contiguous(), torch.tensor([0, 1, 2, 0]))


def outcome() -> Outcome:
    teachers = TaughtBy([torch.nn.Flatten()], 5.0)
    return Outcome(Output(LOGITS), BATCH, step(plain_net(), parts={"teachers": teachers}), ())


@pytest.mark.parametrize("weight", [0.25, 1.0])
def test_labels_and_teachers_share_the_loss(weight: float) -> None:
    found = BesideTeachers(weight=weight, labels=CrossEntropy(0.1))(outcome())
    target = (5 * BATCH.images.flatten(1)).softmax(1)
    torch.testing.assert_close(found["teachers"], -weight * (target * LOGITS.log_softmax(1)).sum(1).mean())
    labels = (1 - weight) * F.cross_entropy(LOGITS, BATCH.labels, label_smoothing=0.1)
    torch.testing.assert_close(sum(found.values()) - found["teachers"], labels)
    assert len(found) == 2


def test_alone_it_stays_with_its_part_and_others_go() -> None:
    objective, build = BesideTeachers(part="reference"), Teachers(networks=("a.pt2",))
    parts = {name: Part(build=build, mode="eval", kept=False) for name in ("reference", "another")}
    program = TrainPaths(sampler=Uniform(), objective=objective)
    recipe = Recipe(name="taught", program=program, weights=sgd(0.1), parts=parts)
    found = recipe.alone(operations_net().space.smallest())
    assert alone(objective) == objective
    assert found.program.objective == objective  # type: ignore[union-attr]
    assert dict(found.parts) == {"reference": parts["reference"]}


def test_a_weight_outside_its_range_is_refused() -> None:
    for weight in (0.0, 1.1):
        with pytest.raises(UsageError, match="The weight of the teachers"):
            BesideTeachers(weight=weight)
