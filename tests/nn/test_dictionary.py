"""A dictionary of weights mixed by a code: formula, simplex, extraction, costs."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from small_nets import elastic_net, operations_net
from supernet import Supernet
from supernet.errors import UsageError
from supernet.measure import cost_model, count_macs, count_params
from supernet.nn import Decisions
from supernet.nn.dictionary import WeightDictionary
from supernet.nn.laws import Law, active_restores, extraction_stands_alone, output_is_dense
from supernet.space import Arch


def dictionary(*, sizes: bool = False, k: int = 3, temperature: float = 0.1) -> Supernet:
    """A low temperature: codes of different architectures differ."""
    return Supernet(WeightDictionary(elastic_net() if sizes else operations_net(), k, temperature=temperature))


def pictures(arch: Arch) -> Tensor:
    return torch.randn(4, 1, 8, 8)


def point_to(net: Supernet, entry: int) -> None:
    """Make every code one-hot."""
    last = net.module.simplex[-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(-1e4)
        last.bias[entry] = 1e4


@pytest.mark.parametrize("sizes", [False, True])
def test_codes_are_on_the_simplex_and_differ(sizes: bool) -> None:
    net = dictionary(sizes=sizes, k=4)
    codes = []
    for arch in net.space.enumerate():
        with net.active(arch):
            codes.append(net.module.code())
    found = torch.stack(codes)
    assert found.shape == (net.space.size, 4)
    assert (found > 0).all()
    assert torch.allclose(found.sum(1), torch.ones(len(found)))
    assert (torch.cdist(found, found) + torch.eye(len(found))).min() > 1e-3


def test_entropy_is_that_of_the_code_and_has_a_gradient_in_the_corners() -> None:
    net = dictionary(temperature=1.0)
    with net.active(net.space.largest()):
        assert torch.allclose(net.module.entropy(), torch.special.entr(net.module.code()).sum())
        point_to(net, 1)
        net.module.entropy().backward()
        assert net.module.entropy() == 0
    assert all(torch.isfinite(parameter.grad).all() for parameter in net.module.simplex.parameters())


def test_temperature_sharpens() -> None:
    spread = {}
    for temperature in (0.05, 1.0, 20.0):
        net = dictionary(temperature=temperature)
        with net.active(net.space.largest()):
            spread[temperature] = net.module.code().max().item()
    assert spread[0.05] > spread[1.0] > spread[20.0] > 1 / 3


@pytest.mark.parametrize("sizes", [False, True])
@pytest.mark.parametrize("entry", [0, 2])
def test_a_one_hot_code_gives_the_plain_weights_bitwise(sizes: bool, entry: int) -> None:
    net = dictionary(sizes=sizes)
    point_to(net, entry)
    plain = net.module.copies[entry].eval()
    for buffer, of_first in zip(plain.buffers(), net.module.copies[0].buffers(), strict=True):
        buffer.copy_(of_first)  # statistics are those of the first set
    x = pictures(net.space.smallest())
    for arch in net.space.enumerate():
        with torch.no_grad(), net.active(arch):
            assert torch.equal(net.eval()(x), plain(x))


def test_weights_are_the_convex_combination() -> None:
    net = dictionary()
    arch = net.space.arch({"block0": "conv3", "block1": "skip"})
    with net.active(arch), torch.no_grad():
        code, mixed = net.module.code(), net.module.mixed()
        for name, value in mixed.items():
            entries = [module.get_parameter(name) for module in net.module.copies]
            assert torch.allclose(value, sum(c * e for c, e in zip(code, entries, strict=True)))
    assert {name.rpartition(".candidates.")[0] for name in mixed} == {"", "3"}, "skip has no weights"
    assert not any("conv1" in name for name in mixed), "only what runs is mixed"


def test_only_what_runs_gets_a_gradient_in_every_set() -> None:
    net = dictionary()
    net(pictures(net.space.smallest()), net.space.arch({"block0": "conv1", "block1": "skip"})).sum().backward()
    for module in net.module.copies:
        for name, parameter in module.named_parameters():
            runs = "candidates" not in name or name.startswith("3.candidates.conv1")
            assert (parameter.grad is not None) == runs, name
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.module.simplex.parameters())


@pytest.mark.parametrize("law", [output_is_dense, active_restores, extraction_stands_alone])
@pytest.mark.parametrize("sizes", [False, True])
def test_the_laws_of_layers_that_transform_weights_hold(law: Law, sizes: bool) -> None:
    law(dictionary(sizes=sizes), pictures)


@pytest.mark.parametrize("sizes", [False, True])
def test_costs_are_those_of_one_set(sizes: bool) -> None:
    net = dictionary(sizes=sizes)
    costs = cost_model(net, (1, 8, 8))
    for arch in net.space.enumerate():
        small = net.extract(arch)
        assert costs.params(arch) == count_params(small)
        assert costs.macs(arch) == count_macs(small, (1, 8, 8))


def test_sets_start_apart_and_from_the_seed() -> None:
    def first(number: int, seed: int) -> Tensor:
        return Supernet(WeightDictionary(operations_net(), 3, seed=seed)).module.copies[number][0].weight

    assert torch.equal(first(0, 0), operations_net().module[0].weight)
    assert torch.equal(first(1, 0), first(1, 0))
    assert not torch.equal(first(1, 0), first(2, 0))
    assert not torch.equal(first(1, 0), first(1, 1))


def test_a_copy_mixes_its_own_weights() -> None:
    net = dictionary()
    twin = copy.deepcopy(net).eval()
    x, arch = pictures(net.space.smallest()), net.space.largest()
    with torch.no_grad():
        expected = twin(x, arch)
        for parameter in net.parameters():
            parameter.zero_()
        assert torch.equal(twin(x, arch), expected)


def test_what_has_no_single_architecture_is_refused() -> None:
    net = dictionary()
    with pytest.raises(UsageError, match="one architecture at a time"):
        net(pictures(net.space.smallest()), Decisions(block0=(0, 1), block1=0))
    for options, said in (({"temperature": 0.0}, "temperature=0.0"), ({"hidden": 0}, "hidden=0")):
        with pytest.raises(UsageError, match=said):
            WeightDictionary(operations_net(), 2, **options)
    with pytest.raises(UsageError, match="already holds WeightDictionary"):
        WeightDictionary(net, 2)
