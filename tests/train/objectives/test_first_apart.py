"""Which path learns by which of two losses, and from whom."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from small_nets import plain_net, step
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn.output import Output
from supernet.train import CrossEntropy, FirstApart, FromTeachers, Outcome
from supernet.train.alone import alone
from supernet.train.parts.teachers import TaughtBy

LOGITS = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
BATCH = Batch(torch.eye(4)[:, None, None, :3].contiguous(), torch.tensor([0, 1, 2, 0]))


def outcome(*earlier: Outcome, classes: int = 3) -> Outcome:
    teachers = TaughtBy([torch.nn.Sequential(torch.nn.Flatten(), torch.nn.ZeroPad1d((0, classes - 3)))], 5.0)
    return Outcome(Output(LOGITS), BATCH, step(plain_net(), parts={"teachers": teachers}), earlier)


def first(_: Outcome) -> Tensor:
    return torch.tensor(1.0)


def others(_: Outcome) -> Tensor:
    return torch.tensor(2.0)


def test_the_first_path_is_apart() -> None:
    objective = FirstApart(first=first, others=others)
    assert [objective(outcome()).item(), objective(outcome(outcome())).item()] == [1.0, 2.0]  # type: ignore[union-attr]
    assert objective(outcome(outcome(), outcome())).item() == 2.0  # type: ignore[union-attr]
    assert FirstApart(first=CrossEntropy(0.3), others=others).alone() == CrossEntropy(0.3)
    assert alone(FirstApart(first=FromTeachers(labels=CrossEntropy(0.2)), others=others)) == CrossEntropy(0.2)


def test_teachers_are_the_target() -> None:
    target = (5 * BATCH.images.flatten(1)).softmax(1)
    found = FromTeachers()(outcome())
    torch.testing.assert_close(found, F.cross_entropy(LOGITS, target))
    torch.testing.assert_close(found, -(target * LOGITS.log_softmax(1)).sum(1).mean())


def test_teachers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match=r"\(4, 5\) probabilities, .* \(4, 3\) logits"):
        FromTeachers()(outcome(classes=5))
    with pytest.raises(UsageError, match="A part 'other' of the kind TaughtBy"):
        FromTeachers(part="other")(outcome())
