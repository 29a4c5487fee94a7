"""The distance of layers by hand, and that the anchor has no gradient."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from small_nets import operations_net, step
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.nn import Output
from supernet.train import Aligned, CrossEntropy
from supernet.train.move import Outcome


def outcome(**taps: torch.Tensor) -> Outcome:
    torch.manual_seed(0)
    batch = Batch(torch.zeros(3, 1, 8, 8), torch.tensor([0, 1, 2]))
    return Outcome(Output(torch.randn(3, 10)), batch, step(operations_net()), taps=taps)


def test_the_distance_is_the_sum_of_means_over_the_layers_of_both() -> None:
    a, b = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1.0, 1.0, 1.0])
    anchor = outcome(first=torch.zeros(2, 2), second=torch.zeros(3), elsewhere=torch.ones(9))
    path = replace(outcome(first=a, second=b, own=torch.ones(7)), earlier=(anchor,))
    found = Aligned(CrossEntropy(0.1), 0.5)(path)
    assert found["alignment"].item() == pytest.approx(0.5 * ((1 + 4 + 9 + 16) / 4 + 1))
    assert found["loss"] == CrossEntropy(0.1)(path)
    assert Aligned()(replace(path, earlier=(anchor, path)))["alignment"] == 0, "the one just before is the anchor"


def test_the_gradient_is_that_of_the_path_alone() -> None:
    anchor, path = torch.ones(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    found = Aligned(weight=3.0)(replace(outcome(layer=path), earlier=(outcome(layer=anchor),)))["alignment"]
    found.backward()
    assert anchor.grad is None
    assert torch.allclose(path.grad, 3.0 * 2 * (0 - 1) / 4 * torch.ones(4))  # type: ignore[arg-type]


def test_layers_of_other_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"'layer' returns \(2, 4\) in one architecture and \(2, 8\) in another"):
        Aligned()(replace(outcome(layer=torch.zeros(2, 4)), earlier=(outcome(layer=torch.zeros(2, 8)),)))


def test_a_first_path_and_negative_weights_are_refused() -> None:
    with pytest.raises(UsageError, match="Put one before it"):
        Aligned()(outcome(layer=torch.zeros(1)))
    with pytest.raises(UsageError, match="weight of the alignment"):
        Aligned(weight=-1.0)
    assert Aligned(CrossEntropy(0.3)).alone() == CrossEntropy(0.3)
    assert Aligned().chance(2.3) is None
