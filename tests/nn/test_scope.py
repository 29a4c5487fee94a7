"""Layers that run by decisions of their own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cell_nets import cells_net
from supernet import Choice, EdgeWeights, Mixture, OpChoice, Supernet, zoo
from supernet.errors import UsageError
from supernet.nn import Decisions
from supernet.nn.scope import mixing_layers, scoped


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        if self.factor == 0:
            raise ValueError("times nothing")
        return self.factor * x


def net() -> tuple[Supernet, list[OpChoice]]:
    """Three blocks that share a choice: x2 or x3, or an error."""
    choice = Choice("op", ("two", "three", "error"))
    blocks = [OpChoice(choice, {"two": Times(2.0), "three": Times(3.0), "error": Times(0.0)}) for _ in range(3)]
    return Supernet(nn.Sequential(*blocks)), blocks


def test_some_layers_run_by_decisions_of_their_own_and_the_others_by_what_is_active() -> None:
    supernet, blocks = net()
    one = torch.ones(1)
    with scoped(supernet, blocks[1:], {"op": "three"}):
        assert supernet(one, {"op": "two"}) == 2 * 3 * 3
        mixed = Mixture(torch.tensor([0.5, 0.5, 0.0], requires_grad=True), (0, 1))
        out = supernet(one, Decisions(op=mixed))
        assert out == 2.5 * 9
        out.backward()
        assert mixed.weights.grad is not None
        assert mixed.weights.grad.tolist()[:2] == [18, 27]
    assert supernet(one, {"op": "two"}) == 8
    assert not any(block._forward_hooks or block._forward_pre_hooks for block in blocks), "no hook stays behind"


def test_what_was_active_is_active_again_after_an_error() -> None:
    supernet, blocks = net()
    with supernet.active({"op": "two"}):
        with pytest.raises(ValueError, match="times nothing"), scoped(supernet, blocks[1:], {"op": "error"}):
            supernet(torch.ones(1))
        assert supernet(torch.ones(1)) == 8


def test_settings_are_those_around() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        supernet = zoo.nasbench201(channels=4, cells=1, in_channels=1, aux_skip=True)
    x = torch.randn(2, 1, 8, 8)
    arch, other = supernet.space.largest(), supernet.space.arch(dict.fromkeys(supernet.space.names, "skip_connect"))
    layers = [layer for of in mixing_layers(supernet).values() for layer in of]
    with supernet.active(arch, settings={"aux_skip": 0.7}):
        expected = supernet(x)
    with supernet.active(other, settings={"aux_skip": 0.7}), scoped(supernet, layers, arch):
        assert torch.equal(supernet(x), expected), "nodes hold blocks that are layers too"


def test_layers_are_found_once_for_every_cell_and_not_inside_others() -> None:
    found = mixing_layers(zoo.darts(channels=2, layers=4, nodes=2))
    assert {name: len(layers) for name, layers in found.items()} == {
        "normal.2.inputs": 2,
        "normal.3.inputs": 2,
        "reduce.2.inputs": 2,
        "reduce.3.inputs": 2,
    }
    assert {len(layers) for layers in mixing_layers(cells_net()).values()} == {1}


def test_decisions_that_do_not_fit_are_refused() -> None:
    supernet, blocks = net()
    with pytest.raises(UsageError), scoped(supernet, blocks, Decisions(op=EdgeWeights(torch.ones(3)))):
        pass
