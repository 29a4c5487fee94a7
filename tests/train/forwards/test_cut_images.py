"""Images with squares cut out, as the network sees them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from small_nets import executor, images, plain_net, step
from supernet.data import Batch
from supernet.errors import UsageError
from supernet.train import CrossEntropy, CutImages, Path, Ramp, Step


class Seen:
    """What goes into the first layer of a net."""

    def __init__(self) -> None:
        self.net = plain_net()
        self.run = executor(self.net, images())
        self.inputs: list[Tensor] = []
        first = next(module for module in self.net.modules() if isinstance(module, nn.Conv2d))
        first.register_forward_hook(lambda module, inputs, output: self.inputs.append(inputs[0].detach().clone()))

    def step(self, index: int, total: int = 11) -> Step:
        return replace(step(self.net, index, total=total), runner=self.run)

    def __call__(self, rule: CutImages, index: int, images: int = 64, total: int = 11) -> Tensor:
        x = torch.ones(images, 1, 8, 8)
        path = Path(self.net.space.arch({"block": "conv3"}), CrossEntropy())
        rule(self.step(index, total), path, Batch(x, torch.zeros(images, dtype=torch.long)))
        assert torch.equal(x, torch.ones_like(x)), "the batch itself stays as it is"
        return self.inputs[-1]


def test_a_square_is_cut_from_the_images_that_are_chosen() -> None:
    see = Seen()
    seen = see(CutImages(side=3, probability=1.0), 4, 200)
    missing = (seen == 0).sum((1, 2, 3))
    assert set(seen.unique().tolist()) == {0.0, 1.0}
    assert missing.max() == 9
    assert missing.min() >= 4, "of a square at a corner less is left"
    whole = seen[missing == 9][0, 0] == 0
    rows, columns = whole.any(1).nonzero().flatten(), whole.any(0).nonzero().flatten()
    assert rows.tolist() == list(range(int(rows[0]), int(rows[0]) + 3))
    assert columns.tolist() == list(range(int(columns[0]), int(columns[0]) + 3))
    assert len({tuple(row) for row in (seen == 0).flatten(1).tolist()}) > 20, "each image at a place of its own"


def test_the_probability_grows() -> None:
    see, rule = Seen(), CutImages(side=3, probability=Ramp(0.0, 1.0))
    shares = [(see(rule, index, 500) == 0).flatten(1).any(1).float().mean().item() for index in (0, 3, 5, 10)]
    assert shares[0] == 0
    assert shares[1] == pytest.approx(0.3, abs=0.08)
    assert shares[2] == pytest.approx(0.5, abs=0.08)
    assert shares[3] == 1


def test_passes_of_a_step_cut_alike_and_those_of_another_step_do_not() -> None:
    see, rule = Seen(), CutImages(side=3)
    before = torch.get_rng_state()
    one, again, later = see(rule, 2), see(rule, 2), see(rule, 3)
    assert torch.equal(one, again)
    assert not torch.equal(one, later)
    assert torch.equal(before, torch.get_rng_state())


def test_squares_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        CutImages(side=0)
    for probability in (-0.1, 16, Ramp(0.0, 1.5)):
        with pytest.raises(UsageError, match="probability of cutout"):
            CutImages(probability=probability)
    with pytest.raises(UsageError, match="wipe out"):
        Seen()(CutImages(side=8), 0)
