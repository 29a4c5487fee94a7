"""Each option runs once before a training begins."""

from __future__ import annotations

import time

import pytest
import torch
from torch import Tensor, nn

from small_nets import images, operations_net
from supernet import Choice, ElasticDepth, ElasticLinear, OpChoice, Supernet, fit
from supernet.errors import UsageError
from supernet.methods import spos
from supernet.nn.tryout import try_options

DEPTH = Choice("depth", (1, 2))


class Counted(nn.Linear):
    calls = 0

    def forward(self, input: Tensor) -> Tensor:
        self.calls += 1
        assert not self.training
        assert not torch.is_grad_enabled()
        return super().forward(input)


def blocks(**misfit: nn.Module) -> Supernet:
    made = [
        OpChoice(Choice(f"op{n}", tuple("abcdef"), when=n < DEPTH if n else None), {o: Counted(4, 4) for o in "abcdef"})
        for n in range(2)
    ]
    for option, module in misfit.items():
        made[1].candidates[option] = module
    return Supernet(nn.Sequential(ElasticDepth(DEPTH, made), ElasticLinear(4, 3)))


def test_every_option_runs_at_least_once_and_no_more_than_needed() -> None:
    net = blocks().train()
    try_options(net, torch.ones(2, 4))
    calls = [m.calls for m in net.modules() if isinstance(m, Counted)]
    assert min(calls) >= 1
    assert sum(calls) <= 2 * 7 + 1
    assert net.training


@pytest.mark.parametrize(
    ("misfit", "said"),
    [
        (nn.Linear(5, 4), "option 'e' of the choice 'op1' does not fit .*mat1 and mat2 shapes"),
        (nn.Linear(4, 5), "option 'e' of the choice 'op1' does not fit .*5 input channels"),
        (nn.Unflatten(1, (2, 2)), "option 'e' of the choice 'op1' does not fit"),
        (nn.Embedding(2, 4), "option 'e' of the choice 'op1' does not fit"),
    ],
)
def test_the_option_that_does_not_fit_is_named(misfit: nn.Module, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        try_options(blocks(e=misfit), torch.ones(2, 4))


def test_another_shape_of_the_output_is_named() -> None:
    net = Supernet(OpChoice("head", {"a": nn.Linear(4, 3), "b": nn.Linear(4, 2)}))
    with pytest.raises(UsageError, match=r"option 'b' of the choice 'head' .* shape \(2, 2\) where .* \(2, 3\)"):
        try_options(net, torch.ones(2, 4))


def test_options_that_fail_together_are_an_architecture_that_cannot_run() -> None:
    class Together(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if (x > 2).all():
                raise RuntimeError("both")
            return x

    class Plus(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + 1

    pair = [OpChoice(f"op{n}", {"a": nn.Identity(), "b": Plus()}) for n in range(2)]
    with pytest.raises(UsageError, match="architecture 'op0=b,op1=b' cannot run: both"):
        try_options(Supernet(nn.Sequential(*pair, Together())), torch.ones(2, 4))


def test_fit_stops_before_the_first_step() -> None:
    net = operations_net()
    block = next(m for m in net.modules() if isinstance(m, OpChoice))
    block.candidates["conv1"] = nn.Conv2d(8, 9, 1)
    with pytest.raises(UsageError, match="option 'conv1' of the choice 'block0' does not fit"):
        fit(net, spos(), images(), steps=1, batch_size=4, progress=False, accelerator="cpu")


def test_hundreds_of_choices_take_seconds() -> None:
    net = Supernet(nn.Sequential(*(OpChoice(f"op{n}", {o: nn.Tanh() for o in "abcde"}) for n in range(300))))
    start = time.perf_counter()
    try_options(net, torch.ones(2, 4))
    assert time.perf_counter() - start < 5
