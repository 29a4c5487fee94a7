"""Taps see what modules return and leave nothing behind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from small_nets import executor, images, operations_net, step
from supernet.errors import UsageError
from supernet.nn.output import Output, as_output
from supernet.nn.taps import tapped
from supernet.train import CrossEntropy, Move, Outcome, Path


def hooks(net: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in net.modules())


def test_results_and_inputs_are_seen_and_no_hook_is_left() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 1)))
    x = torch.randn(4, 2)
    with tapped(net, ("0", "1:input", "2.0", "")) as taps:
        assert dict(taps) == {}
        y = net(x)
        assert hooks(net) == 4
    assert hooks(net) == 0
    assert torch.equal(taps["0"], net[0](x))
    assert taps["1:input"] is taps["0"]
    assert torch.equal(taps["2.0"], y)
    assert taps[""] is y
    net(-x)
    assert torch.equal(taps["0"], net[0](x)), "what is seen belongs to the passes inside"


def test_no_hook_is_left_where_a_pass_fails_or_a_name_is_unknown() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    with pytest.raises(RuntimeError), tapped(net, ("0",)):
        net(torch.ones(1, 5))
    for name in ("0.weight", "7", "0:output"):
        with pytest.raises(UsageError, match=r"There is no module .* to tap in Sequential"), tapped(net, ("0", name)):
            pass
    assert hooks(net) == 0


def test_a_module_that_does_not_run_has_no_entry_and_one_that_runs_twice_its_last_result() -> None:
    net = operations_net()
    with tapped(net.module, ("3.candidates.conv1", "3.candidates.conv3")) as taps:
        net(torch.ones(2, 1, 8, 8), net.space.arch({"block0": "conv1", "block1": "skip"}))
    assert set(taps) == {"3.candidates.conv1"}
    shared = nn.Linear(2, 2)
    with tapped(shared, ("",)) as taps:
        shared(torch.zeros(1, 2))
        last = shared(torch.ones(1, 2))
    assert taps[""] is last


def test_what_is_no_tensor_is_refused() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x

    module = Two()
    with (
        pytest.raises(UsageError, match="What was to be tapped at '' is a tuple and no tensor"),
        tapped(module, ("",)),
    ):
        module(torch.ones(1))
    assert hooks(module) == 0


@dataclass(frozen=True)
class Near:
    """The distance of a feature from that of the path before; notes what it sees."""

    seen: list[dict[str, Any]]

    def __call__(self, outcome: Outcome) -> dict[str, Tensor]:
        self.seen.append({name: tensor.shape for name, tensor in outcome.taps.items()})
        terms = {"loss": CrossEntropy()(outcome)}
        for earlier in outcome.earlier:
            assert not earlier.taps["0"].requires_grad
            terms["near"] = (outcome.taps["0"] - earlier.taps["0"]).square().mean()
        return terms


def test_objectives_see_taps_of_their_path_and_of_earlier_ones() -> None:
    net, seen = operations_net(), []
    run = executor(net, images())
    now = replace(step(net), runner=run)
    paths = [Path(arch, Near(seen), taps=("0", "8:input")) for arch in (net.space.largest(), net.space.smallest())]
    result = run.execute(Move(paths=[*paths, Path(net.space.largest(), CrossEntropy())]), now)
    assert seen == [{"0": (16, 8, 4, 4), "8:input": (16, 32)}] * 2
    assert result.terms["near"] == 0.0, "the stem is the same"
    assert hooks(net) == 0


def test_an_output_is_one_and_logits_are_one() -> None:
    logits = torch.ones(1, 2)
    output = Output(logits, (logits,))
    assert as_output(output) is output
    assert as_output(logits) == (logits, (), {})
