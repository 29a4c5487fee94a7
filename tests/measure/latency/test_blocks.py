"""Blocks: what is timed apart, in which settings, and that nothing is lost."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from latency_devices import Additive, work
from measure_networks import random_net, small_net
from supernet import Choice, ElasticConv2d, ElasticDepth, ElasticResolution, OpChoice, Supernet, Zero, zoo
from supernet.errors import RunError
from supernet.measure import LatencyTable
from supernet.measure.latency.blocks import blocks_of

torch.set_num_threads(1)

STAGES = (zoo.Stage((8, 12), (1, 2), (3, 5), (2,)), zoo.Stage((12, 16), (1, 2), (3,), (2, 3), stride=2))


def tiny_mbconv() -> Supernet:
    return zoo.mbconv(stages=STAGES, stem_width=8, head_width=16)


@pytest.mark.parametrize(
    ("make", "shape", "max_settings"),
    [
        (lambda: zoo.nasbench201(channels=4, cells=1, in_channels=1), (1, 8, 8), 128),
        (lambda: zoo.nasbench_macro(channels=4, in_channels=1), (1, 16, 16), 128),
        (lambda: tiny_mbconv(), (1, 8, 8), 16),
        *((partial(random_net, seed), (3, 9, 9), 128) for seed in (3, 8)),
    ],
    ids=["nasbench201", "nasbench_macro", "mbconv", "random 3", "random 8"],
)
def test_an_additive_machine_is_told_exactly(
    make: Callable[[], Supernet], shape: tuple[int, ...], max_settings: int
) -> None:
    """On it a network takes as long as its layers: every layer must be found, in its form, where it runs."""
    net = make()
    options = {"input_shape": shape, "max_settings": max_settings}
    table = LatencyTable.build(net, Additive(), repeats=1, anchors=0, **options)
    codes = net.space.population(np.random.default_rng(3), 8)
    expected = [work(net.extract(arch), shape) for arch in net.space.wrap(codes)]
    assert table.predict_ms(codes) == pytest.approx(expected, rel=1e-9)


def test_blocks_of_nas_bench_201_are_operations() -> None:
    net = zoo.nasbench201(channels=4, cells=2, in_channels=1)
    blocks = {block.name: block for block in blocks_of(net, (1, 8, 8), max_settings=128)}
    assert len(blocks) == 1 + 6 * 6 + 2 + 1  # stem, edges of six cells, reductions, head
    assert [len(block.settings) for block in blocks.values()] == [1, *2 * [4] * 6, 1, *2 * [4] * 6, 1, *2 * [4] * 6, 1]
    assert {at.input_shape for at in blocks["layers.7.edges.0"].settings.values()} == {(16, 2, 2)}
    table = LatencyTable.build(net, Additive(), input_shape=(1, 8, 8), repeats=1, anchors=0)
    assert table.forms == 3 * 4 + 4  # four operations (none does not run) at three sizes; stem, reductions, head


def test_blocks_of_mbconv_are_its_blocks_with_what_enters() -> None:
    net = tiny_mbconv()
    blocks = {block.name: block for block in blocks_of(net, (1, 8, 8), max_settings=40)}
    assert list(blocks) == ["resize", "stem", "stages.0", "stages.1.0", "stages.1.1", "head"]
    second = blocks["stages.1.0"]
    names = {"resolution", "stage1.width", "stage2.width", "stage2.block1.expansion"}
    assert {choice.name for choice in second.choices} == names
    assert {at.input_shape for at in second.settings.values()} == {(c, r, r) for c in (8, 12) for r in (6, 8)}
    assert len(second.settings) == 2**4
    assert len(blocks["stages.0"].settings) == 2 * 2 * 2 * (1 + 2)  # the second kernel only where the depth is 2


def test_a_piece_with_few_settings_is_not_cut() -> None:
    net = small_net()
    assert [(block.name, len(block.settings)) for block in blocks_of(net, (1, 8, 8), max_settings=6)] == [("", 6)]
    cut = [block.name for block in blocks_of(net, (1, 8, 8), max_settings=5)]
    assert cut == ["0", "1", "2", "3.candidates.conv", "3.candidates.skip", "4", "5", "6", "7"]


def test_the_network_is_left_alone() -> None:
    net = small_net(statistics="track").train()
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    generator = torch.get_rng_state()
    blocks_of(net, (1, 8, 8), max_settings=2 + 4)
    assert net.module[4].training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)


class Pair(nn.Module):
    """Runs two branches and joins them in a module of two inputs, which cannot be timed apart."""

    class Join(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x + y

    def __init__(self, left: nn.Module, right: nn.Module) -> None:
        super().__init__()
        self.left, self.right, self.join = left, right, Pair.Join()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.join(self.left(x), self.right(x))


def test_what_takes_two_inputs_is_passed_over() -> None:
    ops = [OpChoice(name, {"conv": nn.Conv2d(3, 3, 1), "zero": Zero()}) for name in ("left", "right")]
    blocks = blocks_of(Supernet(Pair(*ops)), (3, 4, 4), max_settings=2)
    assert [block.name for block in blocks] == ["left", "right"]


def test_a_stride_that_is_chosen_shapes_what_follows() -> None:
    down = {"one": nn.Conv2d(1, 4, 3, padding=1), "two": nn.Conv2d(1, 4, 3, stride=2, padding=1)}
    net = Supernet(nn.Sequential(OpChoice("down", down), OpChoice("op", {"pool": nn.AvgPool2d(2), "skip": nn.ReLU()})))
    blocks = blocks_of(net, (1, 8, 8), max_settings=2)
    assert [sorted(at.input_shape for at in block.settings.values()) for block in blocks[1:]] == [
        [(4, 4, 4), (4, 8, 8)],
        [(4, 4, 4), (4, 8, 8)],
    ]


def test_sizes_that_look_alike_behind_strides_are_told_apart() -> None:
    side = Choice("side", (7, 8, 12))
    strides = [nn.Conv2d(1, 1, 3, stride=2, padding=1) for _ in range(2)]
    op = OpChoice("op", {"skip": nn.Identity(), "pool": nn.MaxPool2d(3, 1, 1), "zero": Zero()})
    blocks = blocks_of(Supernet(nn.Sequential(ElasticResolution(side), *strides, op)), (1, 8, 8), max_settings=3)
    entering = {block.name: {at.input_shape for at in block.settings.values()} for block in blocks}
    assert entering["3.candidates.skip"] == entering["3.candidates.pool"] == {(1, 2, 2), (1, 3, 3)}
    assert entering["2"] == {(1, 4, 4), (1, 6, 6)}


def test_a_layer_of_too_many_settings_is_refused() -> None:
    width, kernel = Choice("width", (2, 3, 4)), Choice("kernel", (1, 3))
    net = Supernet(nn.Sequential(ElasticConv2d(1, width, kernel), ElasticConv2d(width, 1, 1)))
    with pytest.raises(RunError, match="'0' occurs in 6 settings of 2 choices, more than max_settings=5"):
        blocks_of(net, (1, 4, 4), max_settings=5)


def test_what_the_changes_do_not_show_is_refused() -> None:
    class Hidden(nn.Module):
        """Changes the shape only under two decisions together, of which neither alone does anything."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = OpChoice("inner", {"relu": nn.ReLU(), "tanh": nn.Tanh()})
            self.choices = [ElasticDepth(Choice(f"d{n}", (0, 1, 2)), [nn.Identity()] * 2) for n in range(4)]
            self.stages = nn.ModuleList(self.choices)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if [len(stage.running()) for stage in self.choices].count(1) >= 2:
                x = x[..., ::2]
            return self.inner(x)

    with pytest.raises(RunError, match=r"What enters 'inner.* depends on more than the choices"):
        blocks_of(Supernet(Hidden()), (1, 4, 4), max_settings=4)
