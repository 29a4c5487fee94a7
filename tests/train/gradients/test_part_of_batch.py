"""A move on a few examples: its gradient is that of these alone, cut to a norm of its own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from small_nets import executor, images, plain_net, sgd, step
from supernet.errors import UsageError
from supernet.train import CrossEntropy, Move, PartOfBatch, Path
from supernet.train.executor import Executor


def by_hand(run: Executor, count: int) -> tuple[float, dict[str, Tensor]]:
    """Loss and gradient of the smallest architecture on the first examples of the batch."""
    net, batch = run.net, run.batch("train")
    loss = F.cross_entropy(net(batch.x[:count], net.space.smallest()), batch.y[:count])
    loss.backward()
    found = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
    net.zero_grad(set_to_none=True)
    return loss.item(), found


@pytest.mark.parametrize("clip", [None, 0.05, 1e3])
def test_the_gradient_is_that_of_the_first_examples_and_clipped_as_a_whole(clip: float | None) -> None:
    net = plain_net()
    run = executor(net, images(), weights=sgd(0.5))
    loss, gradient = by_hand(run, 3)
    norm = torch.cat([g.flatten() for g in gradient.values()]).norm()
    assert 0.05 < norm < 1e3
    factor = 1.0 if clip is None else min(1.0, clip / float(norm))
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    move = Move(paths=[Path(net.space.smallest(), CrossEntropy())], gradient=PartOfBatch(examples=3, clip_norm=clip))
    assert run.execute(move, step(net)).losses == pytest.approx([loss])
    for name, p in net.named_parameters():
        wanted = before[name] - 0.5 * factor * gradient[name] if name in gradient else before[name]
        torch.testing.assert_close(p.detach(), wanted, rtol=1e-4, atol=1e-6)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="take 0 examples"):
        PartOfBatch(examples=0)
    with pytest.raises(UsageError, match="largest norm of the gradient"):
        PartOfBatch(examples=1, clip_norm=0.0)
    net = plain_net()
    paths = [Path(net.space.smallest(), CrossEntropy())] * 2
    with pytest.raises(UsageError, match="is of one path"):
        executor(net, images()).execute(Move(paths=paths, gradient=PartOfBatch(examples=1)), step(net))
