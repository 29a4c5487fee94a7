"""½ [ρ H(teacher, path) + (2 − ρ) H(labels, path)]."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from small_nets import operations_net, step
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Output
from supernet.train import CrossEntropy, MatchedDistillation
from supernet.train.move import Outcome


def outcome(logits: torch.Tensor, *earlier: Outcome) -> Outcome:
    batch = Batch(torch.zeros(3, 1, 8, 8), torch.tensor([0, 1, 2]))
    return Outcome(Output(logits), batch, step(operations_net()), earlier)


@pytest.mark.parametrize("match", [0.0, 0.3, 1.0])
def test_the_two_terms_by_hand(match: float) -> None:
    torch.manual_seed(0)
    student, first, teacher = torch.randn(3, 3, 10)
    found = MatchedDistillation(match, CrossEntropy(0.1))(outcome(student, outcome(first), outcome(teacher)))
    logs = student.log_softmax(1)
    soft = -(teacher.softmax(1) * logs).sum(1).mean()
    target = torch.eye(10)[[0, 1, 2]] * 0.9 + 0.01
    hard = -(target * logs).sum(1).mean()
    assert found["distillation"].item() == pytest.approx(match * soft.item() / 2)
    assert found["labels"].item() == pytest.approx((2 - match) * hard.item() / 2, rel=1e-5)
    assert functional.cross_entropy(student, torch.tensor([0, 1, 2])) != hard


def test_alone_there_are_labels_only() -> None:
    assert MatchedDistillation(0.5, CrossEntropy(0.2)).alone() == CrossEntropy(0.2)


def test_a_first_path_and_other_matches_are_refused() -> None:
    with pytest.raises(UsageError, match="Put its teacher first"):
        MatchedDistillation(0.5)(outcome(torch.zeros(3, 10)))
    for match in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="match of teacher and path"):
            replace(MatchedDistillation(0.5), match=match)
