"""Copies of the weights over one partition: routing, splitting, and that the rest of the package sees one supernet."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from small_nets import elastic_net, images, operations_net
from supernet import Mixture, OpChoice, Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.measure import cost_model, count_macs, count_params
from supernet.nn import Decisions
from supernet.nn.laws import LAWS, Law
from supernet.nn.leaves import Leaves, draw_afresh
from supernet.space import Arch


def split_operations() -> Supernet:
    """Three leaves with weights of their own: block0 = conv3; conv1 or skip with block1 = conv3; with the others."""
    net = Supernet(Leaves(operations_net(), 4))
    leaves = net.module
    assert leaves.split(0, "block0", [["conv3"], ["conv1", "skip"]]) == (0, 1)
    assert leaves.split(1, "block1", [["conv3"], ["conv1", "skip"]]) == (1, 2)
    for leaf in (1, 2):
        draw_afresh(leaves.copies[leaf], leaf)
    return net


def split_sizes() -> Supernet:
    net = Supernet(Leaves(elastic_net(), 3))
    net.module.split(0, "depth")
    net.module.split(1, "width")
    for leaf in (1, 2):
        draw_afresh(net.module.copies[leaf], leaf)
    return net


def pictures(arch: Arch) -> Tensor:
    return torch.randn(4, 1, 8, 8)


# -- routing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [split_operations, split_sizes], ids=["operations", "sizes"])
def test_every_architecture_belongs_to_exactly_one_leaf(make: Callable[[], Supernet]) -> None:
    net = make()
    spaces = dict(enumerate(net.module.spaces))
    count: Counter[int] = Counter()
    for arch in net.space.enumerate():
        holders = [number for number, space in spaces.items() if space is not None and arch in space]
        assert holders == [net.module.leaf(arch)]
        count.update(holders)
    assert count == {number: space.size for number, space in spaces.items() if space is not None}
    assert sum(count.values()) == net.space.size


def test_routes_are_the_options_of_the_splits() -> None:
    net = split_operations()
    for arch in net.space.enumerate():
        expected = 0 if arch["block0"] == "conv3" else 1 if arch["block1"] == "conv3" else 2
        assert net.module.leaf(arch) == expected


@pytest.mark.parametrize("make", [split_operations, split_sizes], ids=["operations", "sizes"])
def test_an_architecture_runs_on_its_leaf_and_on_no_other(make: Callable[[], Supernet]) -> None:
    net = make()
    x = pictures(net.space.smallest())
    for arch in net.space.enumerate():
        mine = net.module.leaf(arch)
        with torch.no_grad():
            found = net.eval()(x, arch)
            with net.active(arch):
                assert torch.equal(found, net.module.copies[mine](x))
            ruined = copy.deepcopy(net)
            for number, module in enumerate(ruined.module.copies):
                if number != mine:
                    for parameter in module.parameters():
                        parameter.fill_(torch.nan)
            assert torch.equal(ruined(x, arch), found)


def test_the_space_is_that_of_the_network() -> None:
    for base in (operations_net(), elastic_net(), zoo.nasbench201(channels=4, cells=1)):
        net = Supernet(Leaves(base, 2))
        assert net.space.fingerprint == base.space.fingerprint
        assert net.space.names == base.space.names


def test_subsets_and_mixtures_run_where_all_their_options_are() -> None:
    net = split_operations().eval()
    assert net.module.leaf(Decisions(block0=(1, 2), block1=0)) == 1
    x = pictures(net.space.smallest())
    mixture = Mixture(torch.tensor([0.0, 0.4, 0.6]), run=(1, 2))
    assert net(x, Decisions(block0=mixture, block1=(1, 2))).shape == (4, 10)
    for spanning in ((0, 1), Mixture(torch.ones(3) / 3)):
        with pytest.raises(UsageError, match="'block0', 'block1' belong to several sub-spaces"):
            net(x, Decisions(block0=spanning, block1=0))


# -- splitting ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", ["block0", "block1"])
def test_leaves_start_with_the_logits_of_their_parent_bitwise(choice: str) -> None:
    net = Supernet(Leaves(operations_net(), 3))
    x = pictures(net.space.smallest())
    net.train()(x, net.space.largest())  # statistics are inherited too
    net.eval()
    with torch.no_grad():
        before = {arch: net(x, arch) for arch in net.space.enumerate()}
        net.module.split(0, choice)
        assert {net.module.leaf(arch) for arch in before} == {0, 1, 2}
        for arch, expected in before.items():
            assert torch.equal(net(x, arch), expected)


def test_leaves_share_no_memory() -> None:
    net = split_operations()
    tensors = [*net.module.copies.parameters(), *net.module.copies.buffers()]
    assert len({tensor.untyped_storage().data_ptr() for tensor in tensors}) == len(tensors)
    one = sum(p.numel() for p in operations_net().parameters())
    assert sum(p.numel() for p in net.parameters()) == 4 * one


def test_the_partition_is_part_of_the_state() -> None:
    net = split_operations()
    other = Supernet(Leaves(operations_net(seed=5), 4))
    assert other.module.leaf(other.space.smallest()) == 0
    other.load_state_dict(net.state_dict())
    x = pictures(net.space.smallest())
    with torch.no_grad():
        for arch in net.space.enumerate():
            assert other.module.leaf(arch) == net.module.leaf(arch)
            assert torch.equal(other.eval()(x, arch), net.eval()(x, arch))


def test_a_copy_of_the_supernet_is_split_alone() -> None:
    net = split_operations()
    twin = copy.deepcopy(net)
    twin.module.split(2, "block0", [["conv1"], ["skip"]])
    arch = net.space.arch({"block0": "skip", "block1": "skip"})
    assert (net.module.leaf(arch), twin.module.leaf(arch)) == (2, 3)


def test_routing_works_in_inference_mode() -> None:
    net = split_operations().eval()
    arch = net.space.largest()
    x = pictures(arch)
    with torch.no_grad():
        expected = net(x, arch)
    with torch.inference_mode():
        assert torch.equal(copy.deepcopy(net)(x, arch), expected)


def test_what_cannot_be_split_is_refused() -> None:
    leaves = split_operations().module
    with pytest.raises(UsageError, match="needs 2 unused copies of the weights, but 1 of 4"):
        leaves.split(0, "block1")
    with pytest.raises(UsageError, match="Copy 3 of 4 holds no sub-space"):
        leaves.split(3, "block1")
    with pytest.raises(UsageError, match="exactly once"):
        leaves.split(0, "block1", [["conv3"], ["conv1"]])
    with pytest.raises(UsageError, match="only exists under a condition"):
        Leaves(elastic_net(), 2).split(0, "kernel")
    assert [space is not None for space in leaves.spaces] == [True, True, True, False]


def test_copies_of_copies_and_none_at_all_are_refused() -> None:
    with pytest.raises(UsageError, match="0 copies"):
        Leaves(operations_net(), 0)
    with pytest.raises(UsageError, match="already holds Leaves"):
        Leaves(split_operations(), 2)


# -- fresh weights -----------------------------------------------------------------------------------------------


def test_fresh_weights_depend_on_the_seed_alone() -> None:
    drawn = []
    for seed in (3, 3, 4):
        torch.manual_seed(len(drawn))
        module = operations_net(seed=len(drawn)).module
        state = torch.get_rng_state()
        draw_afresh(module, seed)
        assert torch.equal(state, torch.get_rng_state())
        drawn.append(torch.cat([p.detach().flatten() for p in module.parameters()]))
    assert torch.equal(drawn[0], drawn[1])
    assert (drawn[0] - drawn[2]).norm() > 1


def test_weights_that_cannot_be_drawn_are_refused() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

    with pytest.raises(UsageError, match=r"scale of 0 \(Own\) cannot be drawn"):
        draw_afresh(nn.Sequential(Own()), 0)


# -- the rest of the package sees an ordinary supernet -------------------------------------------------------------


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("make", [split_operations, split_sizes], ids=["operations", "sizes"])
def test_the_laws_of_layers_hold(law: Law, make: Callable[[], Supernet]) -> None:
    net = make()
    law(net, lambda arch: pictures(arch).double())


@pytest.mark.parametrize("make", [split_operations, split_sizes], ids=["operations", "sizes"])
def test_costs_are_those_of_one_leaf(make: Callable[[], Supernet]) -> None:
    net = make()
    costs = cost_model(net, (1, 8, 8))
    for arch in net.space.enumerate():
        small = net.extract(arch)
        assert costs.params(arch) == count_params(small) == measure.params(net, arch)
        assert costs.macs(arch) == count_macs(small, (1, 8, 8))


def test_costs_of_a_space_too_large_to_tabulate() -> None:
    base = zoo.nasbench201(channels=4, cells=1)
    net = Supernet(Leaves(base, 5))
    net.module.split(0, "1<-0")
    codes = net.space.population(np.random.default_rng(0), 50)
    for name in ("macs", "params"):
        counted = getattr(cost_model(net, (3, 8, 8)), name)(codes)
        assert np.array_equal(counted, getattr(cost_model(base, (3, 8, 8)), name)(codes))
    assert net.module.diagram == base.module.diagram


def test_calibrated_scores_are_those_of_the_extracted_subnet() -> None:
    data, net = images(), split_operations()
    for arch in list(net.space.enumerate())[::4]:
        inside = measure.scores(net, arch, data)
        alone = net.extract(arch)
        measure.calibrate(alone, None, data)
        assert measure.scores(alone, None, data).loss == pytest.approx(inside.loss, rel=1e-5)


def test_choices_hold_their_options_across_leaves() -> None:
    """The copies refer to the very same choices, so nothing is declared twice."""
    net = split_operations()
    blocks = [module for module in net.modules() if isinstance(module, OpChoice)]
    assert len(blocks) == 8
    assert {id(block.choice) for block in blocks} == {id(choice) for choice in net.space.choices}
