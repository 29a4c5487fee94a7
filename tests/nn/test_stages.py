"""Where networks make their feature maps smaller."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from small_nets import convolution, operations_net
from supernet import OpChoice, Supernet, zoo
from supernet.errors import UsageError
from supernet.nn.stages import stages
from supernet.nn.taps import tapped


@pytest.mark.parametrize(("layers", "ends"), [(8, (2, 5)), (20, (6, 13)), (3, (1, 2))])
def test_reduction_cells_end_the_stages_of_darts(layers: int, ends: tuple[int, int]) -> None:
    """The cells ⌊L/3⌋ and ⌊2L/3⌋, with 2C and 4C channels of 4 nodes each."""
    net = zoo.darts(channels=2, layers=layers, operations=("skip_connect",), image_size=16)
    found = stages(net)
    assert found.names == tuple(f"cells.{end}" for end in ends)
    assert (found.channels, found.sides, found.classes) == ((16, 32), (8, 4), 10)
    assert found.before
    assert all(name.startswith("module.stem.") for name in found.before)
    assert set(found.before) <= {name for name, _ in net.named_parameters()}


@pytest.mark.parametrize("cells", [1, 2])
def test_reductions_end_the_stages_of_nas_bench_201(cells: int) -> None:
    net = zoo.nasbench201(channels=2, cells=cells)
    found = stages(net)
    assert found.names == (f"layers.{cells}", f"layers.{2 * cells + 1}")
    assert (found.channels, found.sides) == ((4, 8), (16, 8))


def test_what_is_told_is_what_the_modules_return() -> None:
    net = operations_net()
    net.input_shape = (1, 8, 8)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net.train()
    found = stages(net)
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items()), "it was only looked at"
    with tapped(net.module, found.names) as seen:
        net(torch.randn(3, 1, 8, 8), net.space.largest())
    shapes = [tuple(seen[name].shape[1:3]) for name in found.names]
    assert shapes == list(zip(found.channels, found.sides, strict=True))
    assert stages(net) is found, "it is looked for once"
    net.restructured()
    assert stages(net) is not found


def test_networks_without_stages_are_refused() -> None:
    net = operations_net()
    with pytest.raises(UsageError, match="does not know the shape of its images"):
        stages(net)
    layers = nn.Sequential(
        OpChoice("op", {"a": convolution(2, 1), "b": convolution(2, 3)}), nn.Flatten(), nn.Linear(32, 3)
    )
    with pytest.raises(UsageError, match="No layer of Sequential makes its feature maps smaller"):
        stages(Supernet(layers, input_shape=(2, 4, 4)))
    with pytest.raises(UsageError, match="has no stages"):
        stages(Supernet(OpChoice("op", {"a": nn.Identity(), "b": nn.ReLU()}), input_shape=(2, 4, 4)))
