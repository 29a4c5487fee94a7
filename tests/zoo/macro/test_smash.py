"""SMASH's memory banks: which networks there are, one computed by hand, and one weight for all of a block."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from supernet import Supernet, zoo
from supernet.errors import UsageError
from supernet.nn.hyper import MARK
from supernet.zoo.macro.smash import TINY
from zoo_networks import archs_of, costs_are_the_counted_ones


def tiny(**options: Any) -> Supernet:
    torch.manual_seed(0)
    return zoo.smash(**{**TINY, "in_channels": 1, "image_size": 8, **options})


def subsets_of(n: int, most: int) -> int:
    return sum(comb(n, k) for k in range(1, most + 1))


def test_the_number_of_networks_follows_from_what_may_be_read_and_written() -> None:
    net = tiny(reads=2, writes=2, groups=(1, 2))
    expected = 1
    for _ in range(2):  # blocks
        for number in range(2):
            expected *= subsets_of(2 + number, 2) * subsets_of(min(4, 3 + number), 2) * 2 * 2 * 2
    assert net.space.size == expected
    assert net.space.allowed("block1.op1.reads") == ((0,), (1,), (0, 1)), "the third bank is empty yet"
    assert (2,) in net.space.allowed("block1.op1.writes")
    assert (3,) not in net.space.allowed("block1.op1.writes")


def test_the_default_has_the_number_that_it_states() -> None:
    assert f"{float(zoo.smash(num_classes=2).space.size):.1e}" == "5.3e+87"


def by_hand(net: Supernet, arch: Any, x: Tensor) -> Tensor:
    """The network from its definition: a convolution of kernel 1 on banks side by side, then one of the centre."""
    net_: Any = net.module
    bank, x = 8, torch.relu(net_.stem(x))
    for b, block in enumerate(net_.blocks):
        banks = [x[:, i * bank : (i + 1) * bank] for i in range(2)] + [torch.zeros_like(x[:, :bank])] * 2
        shared = block.operations[0].convolve.weight
        for t, operation in enumerate(block.operations):
            name = f"block{b + 1}.op{t + 1}"
            reads, writes = arch[f"{name}.reads"], arch[f"{name}.writes"]
            wide = torch.cat([operation.read.edges[bank_].weight for bank_ in reads], dim=1)
            hidden = torch.relu(F.conv2d(torch.cat([banks[i] for i in reads], dim=1), wide))
            hidden = torch.relu(operation.norm(hidden))
            k, d, g = (arch[f"{name}.{what}"] for what in ("kernel", "dilation", "groups"))
            cut = (5 - k) // 2
            weight = shared[:, : 16 // g, cut : 5 - cut, cut : 5 - cut]
            out = F.conv2d(hidden, weight, padding=d * (k // 2), dilation=d, groups=g)
            banks = [state + out if i in writes else state for i, state in enumerate(banks)]
        x = torch.cat(banks, dim=1)
        if b == 0:
            x = net_.transitions[0](x)
    logits: Tensor = net_.head(x)
    return logits


def test_it_computes_what_its_definition_says() -> None:
    net = tiny().train()
    x = torch.randn(4, 1, 8, 8)
    for arch in net.space.wrap(net.space.population(np.random.default_rng(0), 5)):
        assert torch.allclose(net(x, arch), by_hand(net, arch, x), atol=1e-5)


def test_operations_of_a_block_share_their_larger_kernel_and_blocks_do_not() -> None:
    blocks: Any = tiny().module.blocks  # type: ignore[union-attr]
    weights = [[operation.convolve.weight for operation in block.operations] for block in blocks]
    assert weights[0][0] is weights[0][1]
    assert weights[1][0] is weights[1][1]
    assert weights[0][0] is not weights[1][0]


def test_extracted_operations_have_weights_of_their_own_and_compute_the_same() -> None:
    net = tiny().train()
    x = torch.randn(4, 1, 8, 8)
    same = {name: net.space.allowed(name)[0] for name in net.space.names}
    for arch in (net.space.arch(same), *archs_of(net, 3)):
        small = net.extract(arch).train()
        assert torch.equal(small(x), net(x, arch))
        assert len([module for module in small.modules() if isinstance(module, nn.Conv2d)]) >= 4 + 1
    costs_are_the_counted_ones(net, [net.space.arch(same), *archs_of(net, 3)])


def test_what_is_read_is_marked_as_generated() -> None:
    marked = [name for name, module in tiny().named_modules() if getattr(module, MARK, False)]
    assert len(marked) == 2 * (2 + 3)
    assert all(".read.edges." in name for name in marked)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"banks": 1}, "cannot have 2 at first"),
        ({"kernels": (4,)}, "kernels are odd"),
        ({"groups": (3,)}, "groups divide the channels"),
        ({"dilations": (1, 1)}, "each once"),
        ({"operations": ()}, "give at least one number"),
        ({"operations": (1,) * 5}, "halve an image of 8 pixels to nothing"),
        ({"bank": 0}, "bank"),
    ],
)
def test_wrong_sizes_are_sentences(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        tiny(**options)
