"""Weights that a network makes: who has them, what they depend on, and what a subnet gets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from small_nets import operations_net
from supernet import OpChoice, Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.nn import Decisions
from supernet.nn.hyper import MARK, HyperNetwork, _binary, encode, generated_weights
from supernet.space import Choice, Space
from supernet.zoo.macro.smash import TINY


def made(**options: object) -> Supernet:
    torch.manual_seed(0)
    net = zoo.smash(**TINY, in_channels=1, image_size=8)
    return Supernet(HyperNetwork(net, layers=(2, 1), growth=4, **options), input_shape=(1, 8, 8))  # type: ignore[arg-type]


def hyper(net: Supernet) -> HyperNetwork:
    assert isinstance(net.module, HyperNetwork)
    return net.module


def test_options_are_encoded_as_members_or_themselves() -> None:
    depth = Choice("depth", (1, 2))
    space = Space([depth, Choice("reads", ((0,), (1, 2)), when=depth >= 2), Choice("op", ("a", "b", "c"))])
    codes = space.codes([space.arch({"depth": 2, "reads": (1, 2), "op": "b"}), space.arch({"depth": 1, "op": "c"})])
    assert encode(space, codes).tolist() == [
        [-1, 1, -1, 1, 1, -1, 1, -1],
        [1, -1, -1, -1, -1, -1, -1, 1],
    ]


def test_numbers_of_layers_are_told_apart() -> None:
    columns = _binary(5).T.tolist()
    assert len({tuple(column) for column in columns}) == 5
    assert _binary(1).shape == (1, 1)


def test_marked_layers_are_generated_or_else_pointwise_ones() -> None:
    net = zoo.smash(**TINY)
    names = generated_weights(net)
    assert names
    assert all(".read.edges." in name for name in names)
    plain = Supernet(OpChoice("op", {"one": nn.Conv2d(2, 2, 1), "three": nn.Conv2d(2, 2, 3, padding=1)}))
    assert generated_weights(plain) == ("candidates.one.weight",)
    setattr(plain.module.candidates["three"], MARK, True)  # type: ignore[index, union-attr]
    assert generated_weights(plain) == ("candidates.three.weight",)
    with pytest.raises(UsageError, match="can be generated"):
        generated_weights(Supernet(OpChoice("op", {"a": nn.Identity(), "b": nn.ReLU()})))


def test_generated_weights_have_norm_one_and_follow_the_architecture() -> None:
    net = made()
    module = hyper(net)
    one, other = net.space.smallest(), net.space.largest()
    found = []
    for arch in (one, other, one):
        with net.active(arch), torch.no_grad():
            found.append(module.generated())
    for weights in found:
        assert all(weight.norm().item() == pytest.approx(1, abs=1e-5) for weight in weights.values())
    shared = set(found[0]) & set(found[1])
    assert shared
    assert not any(torch.equal(found[0][name], found[1][name]) for name in shared)
    assert all(torch.equal(found[0][name], found[2][name]) for name in found[0])


def test_only_layers_that_run_get_weights() -> None:
    net = made()
    arch = net.space.smallest()
    with net.active(arch):
        names = set(hyper(net).generated())
    expected = {
        f"blocks.{b}.operations.{t}.read.edges.{bank}.weight"
        for b in range(2)
        for t in range(2)
        for bank in arch[f"block{b + 1}.op{t + 1}.reads"]  # type: ignore[union-attr]
    }
    assert names == expected
    encoding = hyper(net)
    with net.active(arch):
        told = encoding.encoding()
    silent = [span for name, span in zip(encoding.names, encoding._spans, strict=True) if name not in expected]
    assert silent
    assert all((told[1:, begin:end] == -1).all() for begin, end in silent)


def test_slices_of_one_layer_differ() -> None:
    """They have the same encoding; a number of their own tells them apart."""
    net = made(chunk=32)
    with net.active(net.space.largest()), torch.no_grad():
        weights = hyper(net).generated()
    first = next(iter(weights.values())).flatten()
    pieces = first.split(32)
    assert len(pieces) == 4
    assert all(not torch.allclose(pieces[0], piece, atol=1e-4) for piece in pieces[1:])


def test_the_hypernetwork_is_that_of_the_code() -> None:
    """Dense blocks of 8, 10 and 4 convolutions of 10 channels between which channels are halved; no bias, 0.02."""
    torch.manual_seed(0)
    net = Supernet(HyperNetwork(zoo.smash(**TINY, in_channels=1, image_size=8)), input_shape=(1, 8, 8))
    found = [m for m in hyper(net).hyper.modules() if isinstance(m, nn.Conv1d)]
    with net.active(net.space.smallest()):
        begin = hyper(net).encoding().shape[0]
    one = begin + 7 + 8 * 10
    two = one // 2 + 10 * 10
    three = two // 2 + 4 * 10
    expected = [
        (begin, 7, 3),
        *((begin + 7 + 10 * n, 10, 3) for n in range(8)),
        (one, one // 2, 3),
        *((one // 2 + 10 * n, 10, 3) for n in range(10)),
        (two, two // 2, 3),
        *((two // 2 + 10 * n, 10, 3) for n in range(4)),
        (three, 128, 1),
    ]
    assert [(m.in_channels, m.out_channels, m.kernel_size[0]) for m in found] == expected
    assert all(m.bias is None for m in found)
    slopes = [m.negative_slope for m in hyper(net).hyper.modules() if isinstance(m, nn.LeakyReLU)]
    assert slopes == [0.02] * (len(expected) - 1)


def test_the_size_of_its_weights_does_not_count() -> None:
    net = made()
    with net.active(net.space.largest()), torch.no_grad():
        before = hyper(net).generated()
        for parameter in hyper(net).hyper.parameters():
            parameter.mul_(3)
        after = hyper(net).generated()
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)


def test_slices_follow_each_other_in_a_weight() -> None:
    net = made(chunk=32)
    module = hyper(net)
    with net.active(net.space.largest()), torch.no_grad():
        made_slices = module.hyper(module.encoding()[None])[0]
        found = module.generated()
    for name, (begin, end) in zip(module.names, module._spans, strict=True):
        if name in found:
            numbers = torch.cat([made_slices[:, place] for place in range(begin, end)])[: found[name].numel()]
            torch.testing.assert_close(found[name].flatten(), numbers / numbers.norm())


def test_an_extracted_subnet_is_exact_and_costs_what_is_counted() -> None:
    net = made().train()
    x = torch.randn(4, 1, 8, 8)
    for arch in net.space.wrap(net.space.population(np.random.default_rng(1), 6)):
        small = net.extract(arch).train()
        assert torch.equal(small(x), net(x, arch))
        assert measure.count_params(small) == measure.params(net, arch)
        assert measure.count_macs(small, (1, 8, 8)) == measure.macs(net, arch)
        assert all(parameter.requires_grad for parameter in small.parameters())


def test_the_hypernetwork_has_a_gradient_and_what_it_replaces_has_none() -> None:
    net = made().train()
    net(torch.randn(4, 1, 8, 8), net.space.largest()).square().sum().backward()
    module = hyper(net)
    assert all(parameter.grad is not None for parameter in module.hyper.parameters())
    assert all(module.network.get_parameter(name).grad is None for name in module.names)


def test_mixtures_are_refused_in_a_sentence() -> None:
    net = Supernet(HyperNetwork(operations_net(), layers=(1,)))
    mixed = Decisions({net.space.names[0]: (0, 1), net.space.names[1]: 0})
    with pytest.raises(UsageError, match="for one architecture at a time"):
        net(torch.randn(2, 1, 8, 8), mixed)
