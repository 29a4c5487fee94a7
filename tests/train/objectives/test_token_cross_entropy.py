"""A mean over tokens, against one over examples."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from small_nets import plain_net, step
from supernet.data import Batch
from supernet.nn.output import Output
from supernet.tasks import Classification, LanguageModelling, Task
from supernet.train import CrossEntropy, Outcome, TokenCrossEntropy

Y = torch.tensor([[1, 2, 3, 4], [5, 6, -100, -100]])
TASK = LanguageModelling(9)


def outcome(logits: Tensor, y: Tensor, task: Task) -> Outcome:
    return Outcome(Output(logits), Batch(y.clamp(min=0), y), replace(step(plain_net()), task=task))


def test_every_token_weighs_the_same() -> None:
    """A token of a long and of a short example: 1 / 6 each, where a mean over examples gives 1 / 8 and 1 / 4."""
    logits = torch.zeros(2, 4, 9, requires_grad=True)
    found = {}
    for objective in (TokenCrossEntropy(), CrossEntropy()):
        (gradient,) = torch.autograd.grad(objective(outcome(logits, Y, TASK)), logits)
        found[type(objective)] = gradient[:, :, 0] * 9  # softmax gives each of nine tokens a ninth
    assert torch.allclose(found[TokenCrossEntropy], torch.tensor([[1 / 6] * 4, [1 / 6, 1 / 6, 0, 0]]))
    assert torch.allclose(found[CrossEntropy], torch.tensor([[1 / 8] * 4, [1 / 4, 1 / 4, 0, 0]]))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_is_the_cross_entropy_of_all_tokens_in_a_row(smoothing: float) -> None:
    logits = torch.randn(2, 4, 9, generator=torch.Generator().manual_seed(0))
    expected = F.cross_entropy(logits.flatten(0, 1), Y.flatten(), label_smoothing=smoothing)
    assert TokenCrossEntropy(smoothing)(outcome(logits, Y, TASK)).item() == pytest.approx(expected.item(), rel=1e-6)


def test_without_tokens_it_is_the_cross_entropy() -> None:
    logits, y = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 3, 1, 1, 2])
    given = outcome(logits, y, Classification())
    assert torch.equal(TokenCrossEntropy(0.1)(given), CrossEntropy(0.1)(given))


def test_a_batch_without_tokens_has_no_loss() -> None:
    y = torch.full((2, 4), -100)
    assert TokenCrossEntropy()(outcome(torch.randn(2, 4, 9), y, TASK)).item() == 0.0
