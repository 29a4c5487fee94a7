"""α-divergences against their formula, their gradients against autograd, and which of two an image has."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from small_nets import plain_net, step
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn.output import Output
from supernet.tasks import Regression
from supernet.train import AdaptiveDivergence, CrossEntropy, Outcome
from supernet.train.objectives.adaptive_divergence import alpha_divergence

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(7, 5, generator=GENERATOR, dtype=torch.float64)
TEACHER = torch.randn(7, 5, generator=GENERATOR, dtype=torch.float64)
LABELS = torch.tensor([0, 3, 1, 1, 2, 4, 0])


def outcome(logits: Tensor, *earlier: Tensor) -> Outcome:
    batch, now = Batch(torch.zeros(len(LABELS), 1, 1, 1), LABELS), step(plain_net())
    teachers = [Outcome(Output(of), batch, now) for of in earlier]
    return Outcome(Output(logits), batch, now, teachers)


def divergence(p: Tensor, q: Tensor, alpha: float) -> Tensor:
    """D_α(p ‖ q) by its definition, (B,)."""
    if alpha == 1:
        return (p * (p / q).log()).sum(1)
    if alpha == 0:
        return (q * (q / p).log()).sum(1)
    return ((q * (p / q) ** alpha).sum(1) - 1) / (alpha * (alpha - 1))


@pytest.mark.parametrize("alpha", [-1.0, -0.5, 0.0, 0.5, 1.0, 2.0])
def test_unclipped_the_surrogate_has_the_value_and_the_gradient_of_the_divergence(alpha: float) -> None:
    logits, other = LOGITS.clone().requires_grad_(), LOGITS.clone().requires_grad_()
    value, surrogate = alpha_divergence(logits, TEACHER, alpha)
    expected = divergence(TEACHER.softmax(1), other.softmax(1), alpha)
    torch.testing.assert_close(value, expected.detach())
    assert not value.requires_grad
    (found,), (wanted,) = torch.autograd.grad(surrogate.sum(), logits), torch.autograd.grad(expected.sum(), other)
    torch.testing.assert_close(found, wanted)
    assert wanted.abs().max() > 0.05


@pytest.mark.parametrize(("limit", "near"), [(1.0, 1 + 1e-7), (0.0, 1e-7)])
def test_close_to_a_limit_it_is_the_divergence_of_the_limit(limit: float, near: float) -> None:
    values, gradients = [], []
    for alpha in (limit, near):
        logits = LOGITS.clone().requires_grad_()
        value, surrogate = alpha_divergence(logits, TEACHER, alpha)
        values.append(value)
        gradients += torch.autograd.grad(surrogate.sum(), logits)
    torch.testing.assert_close(*values, atol=1e-6, rtol=0)
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=0)


def test_at_one_it_is_the_kullback_leibler_divergence_and_is_not_clipped() -> None:
    logits = LOGITS.clone().requires_grad_()
    value, surrogate = alpha_divergence(logits, 9 * TEACHER, 1.0, clip=0.1)
    expected = F.kl_div(logits.log_softmax(1), (9 * TEACHER).softmax(1), reduction="none").sum(1)
    torch.testing.assert_close(value, expected.detach())
    (found,) = torch.autograd.grad(surrogate.sum(), logits)
    torch.testing.assert_close(found, LOGITS.softmax(1) - (9 * TEACHER).softmax(1))


def test_powers_are_clipped_in_value_and_gradient() -> None:
    q, p, clip = torch.tensor([[0.01, 0.09, 0.9]]), torch.tensor([[0.5, 0.3, 0.2]]), 2.0
    # (p / q)^-1 is 0.02, 0.3, 4.5; the last is cut
    powers = torch.tensor([[0.02, 0.3, 2.0]])
    logits = q.log().requires_grad_()
    value, surrogate = alpha_divergence(logits, p.log(), -1.0, clip=clip)
    torch.testing.assert_close(value, (q * (powers - 1)).sum(1) / 2)
    (found,) = torch.autograd.grad(surrogate.sum(), logits)
    weights = q * powers / -1.0
    torch.testing.assert_close(found, -(weights - q * weights.sum()))  # −Σ w log softmax(z)


def test_probabilities_of_nothing_leave_everything_finite() -> None:
    far = torch.tensor([[200.0, 0.0, -200.0], [-200.0, 0.0, 200.0]])
    for alpha in (-1.0, 0.0, 1.0, 2.0):
        logits = far.clone().requires_grad_()
        value, surrogate = alpha_divergence(logits, -far, alpha, clip=5.0)
        (found,) = torch.autograd.grad(surrogate.sum(), logits)
        assert torch.isfinite(value).all()
        assert torch.isfinite(found).all()


def test_every_image_has_the_larger_of_its_two_divergences() -> None:
    """Of one image the path spreads what its teacher is sure of; of the other it misses what its teacher spreads."""
    flat, sure = torch.zeros(5), torch.tensor([3.0, 0.0, 0.0, 0.0, 0.0])
    q, p = torch.stack([flat, 3 * sure] * 3 + [flat]).double(), torch.stack([sure, flat] * 3 + [sure]).double()
    logits = q.clone().requires_grad_()
    loss = AdaptiveDivergence()(outcome(logits, p))
    parts = {alpha: alpha_divergence(q, p, alpha, clip=5.0)[0] for alpha in (-1.0, 1.0)}
    larger = torch.where(parts[-1.0] > parts[1.0], -1.0, 1.0).tolist()
    assert larger == [-1.0, 1.0] * 3 + [-1.0], "what is overestimated asks for −1, what is underestimated for 1"
    assert loss.item() == pytest.approx(torch.maximum(parts[-1.0], parts[1.0]).mean().item(), rel=1e-9)
    (found,) = torch.autograd.grad(loss, logits)
    for image, alpha in enumerate(larger):
        alone = q[image : image + 1].clone().requires_grad_()
        (own,) = torch.autograd.grad(alpha_divergence(alone, p[image : image + 1], alpha, clip=5.0)[1].sum(), alone)
        torch.testing.assert_close(found[image], own[0] / len(q))


def test_the_first_path_learns_from_labels_and_only_it_teaches() -> None:
    objective = AdaptiveDivergence(label_smoothing=0.2)
    assert torch.equal(objective(outcome(LOGITS)), CrossEntropy(0.2)(outcome(LOGITS)))
    teacher = TEACHER.clone().requires_grad_()
    loss = objective(outcome(LOGITS.clone().requires_grad_(), teacher, -9 * TEACHER))
    assert loss.item() == pytest.approx(objective(outcome(LOGITS, TEACHER)).item())
    assert torch.autograd.grad(loss, teacher, allow_unused=True) == (None,)
    assert objective(outcome(LOGITS, LOGITS)).item() == pytest.approx(0, abs=1e-12)
    assert objective.alone() == CrossEntropy(0.2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alphas": (1.0,)}, "give two"),
        ({"alphas": (1.0, 1.0)}, "give two"),
        ({"alphas": (math.nan, 1.0)}, "Each α"),
        ({"clip": 0.0}, "bound β"),
        ({"label_smoothing": 1.0}, "smoothing"),
    ],
)
def test_values_outside_their_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        AdaptiveDivergence(**options)


def test_other_tasks_are_refused() -> None:
    asked = outcome(LOGITS, TEACHER)
    with pytest.raises(UsageError, match="Regression does not have"):
        AdaptiveDivergence()(replace(asked, step=replace(asked.step, task=Regression())))
