"""Losses against formulas written out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from small_nets import plain_net, step
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn.output import Output
from supernet.train import CrossEntropy, InPlaceDistillation, Outcome

LOGITS = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
TEACHER = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 3, 1, 1, 2])


def outcome(logits: Tensor, *earlier: Tensor) -> Outcome:
    batch, now = Batch(torch.zeros(len(LABELS), 1, 1, 1), LABELS), step(plain_net())
    teachers = [Outcome(Output(of), batch, now) for of in earlier]
    return Outcome(Output(logits), batch, now, teachers)


def log_probabilities(logits: Tensor) -> np.ndarray:
    z = logits.double().numpy()
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_cross_entropy_with_smoothed_labels(smoothing: float) -> None:
    logs = log_probabilities(LOGITS)
    target = np.full((5, 4), smoothing / 4)
    target[np.arange(5), LABELS.numpy()] += 1 - smoothing
    expected = -(target * logs).sum() / 5
    assert CrossEntropy(smoothing)(outcome(LOGITS)).item() == pytest.approx(expected, abs=1e-6)


def test_the_first_path_learns_from_labels_and_the_others_from_the_first() -> None:
    objective = InPlaceDistillation(label_smoothing=0.2)
    assert torch.equal(objective(outcome(LOGITS)), CrossEntropy(0.2)(outcome(LOGITS)))
    expected = -(np.exp(log_probabilities(TEACHER)) * log_probabilities(LOGITS)).sum() / 5
    worst = -TEACHER  # only the first of the earlier paths teaches
    assert objective(outcome(LOGITS, TEACHER, worst)).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_distillation_has_the_gradient_of_the_divergence(temperature: float) -> None:
    logits = LOGITS.clone().requires_grad_()
    loss = InPlaceDistillation(temperature=temperature)(outcome(logits, TEACHER))
    other = LOGITS.clone().requires_grad_()
    teacher = (TEACHER / temperature).softmax(1)
    divergence = F.kl_div((other / temperature).log_softmax(1), teacher, reduction="batchmean") * temperature**2
    (ours,), (expected,) = torch.autograd.grad(loss, logits), torch.autograd.grad(divergence, other)
    torch.testing.assert_close(ours, expected)
    written_out = temperature * ((LOGITS / temperature).softmax(1) - teacher) / 5
    torch.testing.assert_close(ours, written_out)


def test_hard_labels_are_mixed_in() -> None:
    soft, hard = InPlaceDistillation()(outcome(LOGITS, TEACHER)), CrossEntropy()(outcome(LOGITS))
    mixed = InPlaceDistillation(hard=0.3)(outcome(LOGITS, TEACHER))
    assert mixed.item() == pytest.approx(0.7 * soft.item() + 0.3 * hard.item(), rel=1e-6)
    assert not math.isclose(soft.item(), hard.item(), rel_tol=0.05)


def test_options_outside_their_range_are_refused() -> None:
    with pytest.raises(UsageError, match=r"smoothing is 1.0"):
        CrossEntropy(1.0)
    with pytest.raises(UsageError, match="temperature is 0"):
        InPlaceDistillation(temperature=0)
    with pytest.raises(UsageError, match=r"hard labels is 1.5"):
        InPlaceDistillation(hard=1.5)
