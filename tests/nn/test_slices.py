"""Which entries of a weight the setting `slice` takes, in every layer that follows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn

from supernet import Choice, ElasticBatchNorm2d, ElasticConv2d, ElasticLayerNorm, ElasticLinear, Supernet
from supernet.errors import UsageError
from supernet.nn import ClassToken, ElasticEmbedding, ElasticPositions, RelativeBias2d, RelativePositions2d
from supernet.nn.selection import Selection
from supernet.nn.slices import active_slice


def entries(whole: int, size: int, place: float, unit: int = 1) -> list[int]:
    selection = Selection()
    selection.exchange({}, {"slice": place})
    return active_slice(selection, torch.arange(whole), size, unit=unit).tolist()  # type: ignore[no-any-return]


def test_a_slice_begins_where_it_is_said() -> None:
    assert entries(10, 3, 0) == [0, 1, 2]
    assert entries(10, 3, -1) == [7, 8, 9]
    assert entries(10, 3, 0.3) == [3, 4, 5]
    assert entries(10, 3, 0.8) == [8, 9, 0]
    assert entries(10, 10, 0.8) == list(range(10))
    assert entries(12, 6, 0.7, unit=3) == [6, 7, 8, 9, 10, 11]


def test_cyclic_slices_of_all_places_use_every_entry_alike() -> None:
    """ViTAS, §3.1: with a window that goes round, each channel serves every width as often as any other."""
    for size in range(1, 10):
        used = [entry for begin in range(10) for entry in entries(10, size, begin / 10)]
        assert [used.count(entry) for entry in range(10)] == [size] * 10


def test_prefix_and_suffix_together_balance_the_channels() -> None:
    """BCNet: over all widths, channel i is in C + 1 of the slices from the left and the right; by prefixes in C − i."""
    left = [entry for size in range(1, 11) for entry in entries(10, size, 0)]
    right = [entry for size in range(1, 11) for entry in entries(10, size, -1)]
    assert [left.count(i) for i in range(10)] == list(range(10, 0, -1))
    assert [left.count(i) + right.count(i) for i in range(10)] == [11] * 10


LAYERS: dict[
    str, tuple[Callable[[Choice], nn.Module], Callable[[], Tensor], Callable[[nn.Module, Tensor, Tensor], Tensor]]
]
LAYERS = {
    "linear in": (
        lambda w: ElasticLinear(w, 3),
        lambda: torch.randn(2, 4),
        lambda m, x, i: nn.functional.linear(x, m.weight[:, i], m.bias),
    ),
    "linear out": (
        lambda w: ElasticLinear(5, w),
        lambda: torch.randn(2, 5),
        lambda m, x, i: nn.functional.linear(x, m.weight[i], m.bias[i]),
    ),
    "embedding": (
        lambda w: ElasticEmbedding(7, w),
        lambda: torch.tensor([[1, 6]]),
        lambda m, x, i: m.weight[x][..., i],
    ),
    "layer norm": (
        lambda w: ElasticLayerNorm(w),
        lambda: torch.randn(2, 4),
        lambda m, x, i: nn.functional.layer_norm(x, (4,), m.weight[i], m.bias[i]),
    ),
    "convolution": (
        lambda w: ElasticConv2d(3, w, 3),
        lambda: torch.randn(2, 3, 5, 5),
        lambda m, x, i: nn.functional.conv2d(x, m.weight[i], m.bias[i], padding=1),
    ),
    "depthwise convolution": (
        lambda w: ElasticConv2d(w, w, 3, groups=w, bias=False),
        lambda: torch.randn(2, 4, 5, 5),
        lambda m, x, i: nn.functional.conv2d(x, m.weight[i], padding=1, groups=4),
    ),
    "positions": (
        lambda w: ElasticPositions(3, w),
        lambda: torch.randn(2, 3, 4),
        lambda m, x, i: x + m.positions[:, i],
    ),
    "class token": (
        lambda w: ClassToken(w),
        lambda: torch.randn(1, 2, 4),
        lambda m, x, i: torch.cat([m.token[i].view(1, 1, 4), x], 1),
    ),
}


@pytest.mark.parametrize(("place", "chosen"), [(0.0, (0, 1, 2, 3)), (-1.0, (2, 3, 4, 5)), (0.5, (3, 4, 5, 0))])
@pytest.mark.parametrize("layer", LAYERS)
def test_layers_take_these_entries(layer: str, place: float, chosen: Sequence[int]) -> None:
    torch.manual_seed(0)
    build, inputs, expected = LAYERS[layer]
    module, x = build(Choice("width", (4, 6))), inputs()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    with Supernet(module).active({"width": 4}, settings={"slice": place}):
        torch.testing.assert_close(module(x), expected(module, x, torch.tensor(chosen)))


def test_relative_positions_and_biases_take_these_entries() -> None:
    width = Choice("width", (4, 6))
    vectors, biases = RelativePositions2d(2, width, clip=1), RelativeBias2d(2, width)
    for module in (vectors, biases):
        net = Supernet(module)
        with net.active({"width": 6}):
            full = module()
        for place, chosen in ((0.0, [0, 1, 2, 3]), (-1.0, [2, 3, 4, 5]), (0.5, [3, 4, 5, 0])):
            with net.active({"width": 4}, settings={"slice": place}):
                assert torch.equal(module(), full[chosen] if module is biases else full[..., chosen])


def test_what_cannot_follow_refuses() -> None:
    width, x = Choice("width", (4, 6)), torch.randn(2, 3, 5, 5)
    net = Supernet(nn.Sequential(ElasticConv2d(3, width, 3), ElasticBatchNorm2d(width)))
    for w in (4, 6):
        net(x, {"width": w})
    with net.active({"width": 6}, settings={"slice": -1.0}):
        net(x)
    with net.active({"width": 4}, settings={"slice": -1.0}), pytest.raises(UsageError, match="batch norm"):
        net(x)
    grouped = Supernet(ElasticConv2d(4, width, 3, groups=2))
    with grouped.active({"width": 4}, settings={"slice": -1.0}), pytest.raises(UsageError, match="fixed number of g"):
        grouped(torch.randn(1, 4, 3, 3))
    with net.active({"width": 4}, settings={"slice": 1.0}), pytest.raises(UsageError, match="setting slice is 1"):
        net(x)
