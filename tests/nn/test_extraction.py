"""Extraction: parity on random module trees, sharing, modes, and nothing of this package in the result."""

from __future__ import annotations

import copy
import io
import pickle
import pickletools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from supernet import (
    Choice,
    ElasticBatchNorm2d,
    ElasticConv2d,
    ElasticDepth,
    ElasticLayerNorm,
    ElasticLinear,
    ElasticResolution,
    OpChoice,
    Supernet,
    Zero,
    measure,
)
from supernet.errors import RunError
from supernet.nn import Mutable, batch_norm
from supernet.nn.laws import extraction_stands_alone, inactive_gets_no_gradient, output_is_dense, training_commutes
from supernet.space import Expr


class Residual(nn.Module):
    """A class of the user's, with what users put into modules."""

    def __init__(self, inner: nn.Module, width: Expr | int = 0) -> None:
        super().__init__()
        self.inner, self.width = inner, width
        self.absent = None
        self.register_module("missing", None)
        self.register_buffer("scale", torch.tensor(0.5))
        self.register_buffer("hidden", torch.tensor(0.25), persistent=False)
        self.gain = nn.Parameter(torch.tensor(1.5))
        self.again = [inner]
        self.parts = nn.ModuleDict({"drop": nn.Dropout(0.2), "empty": nn.Sequential()})

    def forward(self, x: Tensor) -> Tensor:
        y = self.again[0](x)
        return self.parts["empty"](self.parts["drop"](x + self.gain * self.scale * y + self.hidden))


class Branches(nn.Module):
    """Stands for a container of this package: it is traced, silent branches are left out."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.bias = nn.Parameter(torch.tensor(0.125))

    def forward(self, x: Tensor) -> Tensor:
        total = x + self.bias
        for branch in self.branches:
            if not getattr(branch, "silent", False):
                total = total + branch(x)
        return total


Branches.__module__ = "supernet.zoo.branches"


class Tree:
    """Draws a module tree over images of the width `width`, in which every choice has its own name."""

    def __init__(self, draw: st.DrawFn, width: Choice) -> None:
        self.draw, self.width, self.names = draw, width, iter(range(1000))
        self.shared: list[nn.Module] = []

    def choice(self, options: tuple[Any, ...], when: Expr | None = None) -> Choice:
        return Choice(f"choice{next(self.names)}", options, when=when)

    def node(self, levels: int) -> nn.Module:
        kinds = ["conv", "depthwise", "grouped", "norm", "relu", "again", "mlp"]
        if levels:
            kinds += ["op", "depth", "residual", "branches", "sequence"] * 2
        made = getattr(self, self.draw(st.sampled_from(kinds)))(levels - 1)
        self.shared.append(made)
        return made

    def conv(self, _: int) -> nn.Module:
        return ElasticConv2d(self.width, self.width, self.choice((1, 3, 5)))

    def depthwise(self, _: int) -> nn.Module:
        return ElasticConv2d(self.width, self.width, 3, groups=self.width, bias=False)

    def grouped(self, _: int) -> nn.Module:
        return ElasticConv2d(self.width, self.width, self.choice((1, 3)), groups=2, dilation=2)

    def norm(self, _: int) -> nn.Module:
        return ElasticBatchNorm2d(self.width, statistics=self.draw(st.sampled_from(["track", "calibrate", "batch"])))

    def relu(self, _: int) -> nn.Module:
        return nn.ReLU()

    def again(self, _: int) -> nn.Module:
        return self.draw(st.sampled_from(self.shared)) if self.shared else nn.Identity()

    def mlp(self, _: int) -> nn.Module:
        inner = self.width * self.choice((1, 2))
        return Channels(
            nn.Sequential(
                ElasticLayerNorm(self.width), ElasticLinear(self.width, inner), ElasticLinear(inner, self.width)
            )
        )

    def op(self, levels: int) -> nn.Module:
        candidates = {"a": self.node(levels), "b": self.node(levels), "zero": Zero()}
        return OpChoice(self.choice(tuple(candidates)), candidates)

    def depth(self, levels: int) -> nn.Module:
        return ElasticDepth(self.choice((0, 1, 2)), [self.node(levels), self.node(levels)])

    def residual(self, levels: int) -> nn.Module:
        return Residual(self.node(levels), self.width)

    def branches(self, levels: int) -> nn.Module:
        return Branches([self.node(levels), self.node(levels)])

    def sequence(self, levels: int) -> nn.Module:
        return nn.Sequential(self.node(levels), self.node(levels))


class Channels(nn.Module):
    """Runs a module over the channels of every pixel."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


@st.composite
def networks(draw: st.DrawFn) -> Supernet:
    width = Choice("width", (2, 4))
    torch.manual_seed(0)
    body = Tree(draw, width).node(3)
    return Supernet(nn.Sequential(ElasticResolution(Choice("side", (4, 5))), ElasticConv2d(3, width, 1), body))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(net=networks(), seed=st.integers(0, 2**32 - 1), training=st.booleans())
def test_random_networks_agree_with_their_subnets(net: Supernet, seed: int, training: bool) -> None:
    net.double().train(training)
    arch = net.space.sample(np.random.default_rng(seed))
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64)
    small = net.extract(arch)
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    outputs = []
    for module in (lambda: net(x, arch), lambda: small(x), lambda: copy.deepcopy(small)(x)):
        torch.manual_seed(1)
        outputs.append(module().detach())
        if not training:
            assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-9, atol=1e-9)
    assert {m.training for m in small.modules()} == {training}
    owned = {t.untyped_storage().data_ptr() for t in (*net.parameters(), *net.buffers())}
    assert not owned & {t.untyped_storage().data_ptr() for t in (*small.parameters(), *small.buffers())}
    mentioned = [str(part) for _, part, _ in pickletools.genops(pickle.dumps(small)) if isinstance(part, str)]
    assert not [part for part in mentioned if part.startswith("supernet.")]
    loaded = pickle.load(io.BytesIO(pickle.dumps(small)))
    torch.manual_seed(1)
    if not training:
        torch.testing.assert_close(loaded(x), outputs[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "law", [output_is_dense, training_commutes, inactive_gets_no_gradient, extraction_stands_alone]
)
def test_mixed_containers_keep_the_laws(law: Any) -> None:
    torch.manual_seed(0)
    width, depth = Choice("width", (2, 4)), Choice("depth", (1, 2))
    op = OpChoice("op", {"conv": ElasticConv2d(width, width, groups=2), "zero": Zero()})
    stage = ElasticDepth(depth, [Branches([Residual(Branches([op, nn.ReLU()])), op]), Residual(op, width * 2)])
    net = Supernet(nn.Sequential(ElasticConv2d(3, width), stage))
    law(net, lambda arch: torch.randn(2, 3, 5, 5))


def subnet(module: nn.Module, **decisions: Any) -> nn.Module:
    net = Supernet(nn.Sequential(module, ElasticLinear(2, Choice("unrelated", (2, 3)))))
    return net.extract(net.space.arch({"unrelated": 3} | decisions))[0]


def test_a_module_registered_twice_stays_one_module() -> None:
    width = Choice("width", (2, 4))
    layer, op = ElasticLinear(width, width), OpChoice("op", {"relu": nn.ReLU(), "linear": ElasticLinear(width, width)})
    small = subnet(nn.ModuleList([layer, nn.Sequential(op, layer), op]), width=2, op="linear")
    assert small[0] is small[1][1]
    assert small[1][0] is small[2]
    assert len(list(small.parameters())) == 4


def test_tied_parameters_stay_tied_and_frozen_ones_frozen() -> None:
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    frozen = ElasticLinear(3, Choice("width", (2, 4)))
    frozen.weight.requires_grad = first.bias.requires_grad = False
    with torch.inference_mode():
        small = subnet(nn.ModuleList([first, second, frozen]), width=2)
    assert small[0].weight is small[1].weight
    assert [p.requires_grad for p in (small[0].weight, small[0].bias, small[2].weight, small[2].bias)] == [
        True,
        False,
        False,
        True,
    ]
    assert not any(p.is_inference() for p in small.parameters())


def test_attributes_refer_to_the_copies_and_choices_become_values() -> None:
    width = Choice("width", (2, 4))
    module = Residual(ElasticLinear(width, width), width * 3)
    module.settings = {"width": width, "inner": module.inner, "gain": module.gain, "plain": [torch.ones(2)]}
    small = subnet(module, width=4)
    assert small.width == 12
    assert small.settings["width"] == 4
    assert type(small.inner) is nn.Linear
    assert small.again[0] is small.settings["inner"] is small.inner
    assert small.settings["gain"] is small.gain
    assert small.settings["plain"][0] is not module.settings["plain"][0]
    assert small.missing is None
    assert set(small.state_dict()) == {"scale", "gain", "inner.weight", "inner.bias"}


def test_modules_that_know_their_parent_are_copied() -> None:
    module = Residual(ElasticLinear(2, Choice("width", (2, 4))))
    module.inner.parent = [module]
    module.parts["drop"].parent = [module]
    small = subnet(module, width=2)
    assert small.parts["drop"].parent[0] is small


def test_frozen_batch_norm_and_sampled_candidates_keep_their_own_mode() -> None:
    frozen = nn.Sequential(nn.BatchNorm2d(2), nn.Dropout())
    op = OpChoice("op", {"frozen": frozen, "relu": nn.ReLU()})
    net = Supernet(Branches([op, batch_norm(2)]))
    frozen[0].eval()
    small = net.extract(net.space.arch({"op": "frozen"}))
    modes = {type(m): m.training for m in small.modules()}
    assert modes[nn.BatchNorm2d] is True
    assert [m.training for m in small.modules() if isinstance(m, nn.BatchNorm2d)] == [False, True]
    assert modes[nn.Dropout] is True


class Composite(nn.Module, Mutable):
    """A layer of the user's that becomes several plain ones, around one of its own."""

    def __init__(self, width: Choice) -> None:
        super().__init__()
        self.width = width
        self.inner = ElasticLinear(3, width)
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x).relu()

    def depends_on(self) -> tuple[Choice, ...]:
        return (self.width,)

    def plain(self) -> nn.Module:
        return nn.Sequential(nn.Sequential(self.inner), nn.Sequential(nn.ReLU()))


def test_a_layer_may_become_several_around_its_own_modules() -> None:
    net = Supernet(nn.Sequential(Composite(Choice("width", (2, 4)))))
    output_is_dense(net, lambda arch: torch.randn(2, 3))
    extraction_stands_alone(net, lambda arch: torch.randn(2, 3))
    small = net.extract(net.space.smallest())
    assert [type(m) for m in small.modules()] == [nn.Sequential] * 3 + [nn.Linear, nn.Sequential, nn.ReLU]


def test_hooks_stay_behind() -> None:
    linear = nn.Linear(2, 2)
    seen: list[Any] = []
    linear.register_forward_hook(lambda *args, **kwargs: seen.append(args), with_kwargs=True)
    linear.register_forward_pre_hook(lambda *args: seen.append(args))
    linear.register_full_backward_hook(lambda *args: seen.append(args))
    small = subnet(linear)
    small(torch.ones(1, 2, requires_grad=True)).sum().backward()
    assert seen == []
    linear(torch.ones(1, 2))
    assert len(seen) == 2


def test_memory_format_and_type_are_kept() -> None:
    net = Supernet(ElasticConv2d(Choice("in", (4, 8)), 8, 3)).to(torch.bfloat16, memory_format=torch.channels_last)
    weight = net.extract(net.space.smallest()).weight
    assert weight.dtype == torch.bfloat16
    assert weight.is_contiguous(memory_format=torch.channels_last)


class SelfReturning(Composite):
    def plain(self) -> nn.Module:
        return self


class ValueDependent(Branches):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


ValueDependent.__module__ = "supernet.zoo.branches"


def test_what_cannot_be_extracted_says_why() -> None:
    remembering = nn.Linear(2, 2)
    remembering.last = remembering(torch.ones(1, 2))
    with pytest.raises(RunError, match="attribute 'last' of Linear cannot be copied into the subnet"):
        subnet(remembering)
    with pytest.raises(RunError, match=r"SelfReturning.plain\(\) returned the layer itself"):
        subnet(SelfReturning(Choice("width", (2, 4))), width=2)
    with pytest.raises(RunError, match="ValueDependent could not be written as plain torch modules"):
        subnet(ValueDependent([ElasticLinear(2, Choice("width", (2, 4)))]), width=2)


class TwoHeads(nn.Module):
    """Two elastic layers on one weight, of the same width or of widths of their own."""

    def __init__(self, *widths: Choice) -> None:
        super().__init__()
        self.first, self.second = (ElasticLinear(6, width, bias=False) for width in widths)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.first(x), self.second(x)], -1)


def test_elastic_layers_on_one_parameter_stay_tied_where_their_slices_agree() -> None:
    one, a, b = Choice("one", (2, 4)), Choice("a", (2, 4)), Choice("b", (2, 4))
    tied, free = Supernet(TwoHeads(one, one)), Supernet(TwoHeads(a, b))
    x = torch.randn(3, 6)
    for net, options, count in [
        (tied, {"one": 2}, 12),
        (tied, {"one": 4}, 24),
        (free, {"a": 4, "b": 4}, 24),
        (free, {"a": 2, "b": 4}, 12 + 24),
    ]:
        arch = net.space.arch(options)
        small = net.extract(arch)
        assert sum(p.numel() for p in small.parameters()) == count == measure.params(net, arch)
        assert torch.equal(small(x), net(x, arch))
        assert (small.first.weight is small.second.weight) == (len(set(options.values())) == 1)
    small = net.extract(net.space.arch({"a": 2, "b": 2}))
    before = small.second.weight.clone()
    torch.optim.SGD(small.parameters(), lr=1.0).zero_grad()
    small.first(x).sum().backward()
    torch.optim.SGD(small.parameters(), lr=1.0).step()
    assert not torch.equal(small.second.weight, before)
