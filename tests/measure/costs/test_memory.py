"""Memory against storages that are followed while plain networks run, and against sums by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from live_memory import measured_peak, nested_peak
from measure_networks import blobs, small_net
from supernet import Choice, ElasticConv2d, ElasticDepth, OpChoice, Supernet
from supernet.errors import RunError, UsageError
from supernet.measure import MemoryModel, NetEvaluator, memory, memory_model
from supernet.measure.costs.params_terms import count_bytes
from supernet.zoo import mbconv, mixpath, nasbench201, nasbench_macro, shufflenetv2_spos

torch.set_num_threads(1)


class Residual(nn.Module):
    """Depth, width and a branch that is read again after the others."""

    def __init__(self) -> None:
        super().__init__()
        width = Choice("width", (2, 4, 8))
        self.stem = ElasticConv2d(3, width, 3)
        self.blocks = ElasticDepth(
            Choice("depth", (1, 2)), [nn.Sequential(ElasticConv2d(width, width, 3), nn.ReLU()) for _ in range(2)]
        )
        self.out = ElasticConv2d(width, 2)

    def forward(self, x):
        x = self.stem(x)
        return self.out(torch.cat([torch.relu(x + self.blocks(x))], 1))


def assert_measured(net: Supernet, shape: tuple[int, ...], n: int = 2) -> MemoryModel:
    """Bytes equal those of the extracted module, to the byte, for the smallest, the largest and random ones."""
    model = MemoryModel(net, shape, batch_size=2)
    rng = np.random.default_rng(0)
    for arch in [net.space.smallest(), net.space.largest(), *net.space.wrap(net.space.population(rng, n))]:
        plain = net.extract(arch)
        assert model.weights_mb(arch) * 1e6 == pytest.approx(count_bytes(plain), abs=0.1), arch
        found = model.activations_mb(arch) * 1e6
        assert found == pytest.approx(measured_peak(plain, shape, 2), abs=0.1), arch
        assert found <= nested_peak(plain, shape, 2)
    return model


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: Supernet(Residual()), (3, 6, 6)),
        (lambda: nasbench201(channels=4, cells=1), (3, 8, 8)),
        (lambda: nasbench_macro(channels=4, head_channels=8), (3, 8, 8)),
        (lambda: mbconv(squeeze_excite=True), (1, 8, 8)),
        (lambda: mbconv(image_size=12, resolutions=(8, 12)), (1, 12, 12)),
        pytest.param(shufflenetv2_spos, (3, 64, 64), marks=pytest.mark.slow),
        pytest.param(mixpath, (3, 16, 16), marks=pytest.mark.slow),
    ],
    ids=["residual", "cells", "chain", "mbconv", "resolutions", "splits", "sums of paths"],
)
def test_what_is_alive_is_what_is_measured(make, shape):
    assert_measured(make(), shape)


def chain() -> Supernet:
    width = Choice("width", (4, 8))
    layers = (ElasticConv2d(3, width, bias=False), nn.ReLU(), ElasticConv2d(width, 2, bias=False))
    return Supernet(nn.Sequential(*layers), input_shape=(3, 10, 10))


def test_a_chain_by_hand():
    """The most is alive while a layer has its input and its output, and ReLU of another layer's output too."""
    net = chain()
    for arch, width in zip(net.space.enumerate(), (4, 8), strict=True):
        found = memory(net, arch)
        assert found.activations_mb == pytest.approx(4 * 100 * 2 * width / 1e6)
        assert found.weights_mb == pytest.approx(4 * 9 * (3 * width + width * 2) / 1e6)
        assert found.memory_mb == found.weights_mb + found.activations_mb


def test_activations_grow_with_the_batch_and_weights_do_not():
    net = chain()
    arch = net.space.largest()
    one, many = memory(net, arch), memory(net, arch, batch_size=7)
    assert many.activations_mb == pytest.approx(7 * one.activations_mb)
    assert many.weights_mb == one.weights_mb


def test_types_count():
    """Twice the bytes in twice the precision, but for the count of batches, which stays a whole number."""
    net = small_net(statistics="track")
    arch = net.space.largest()
    single = memory(net, arch, input_shape=(1, 8, 8))
    double = memory_model(small_net(statistics="track").double(), (1, 8, 8)).weights_mb(arch)
    counts = 8 / 1e6  # of the only BatchNorm that runs
    assert double - counts == pytest.approx(2 * (single.weights_mb - counts))


def test_tied_weights_are_delivered_once():
    conv = nn.Conv2d(2, 2, 3, padding=1, bias=False)
    net = Supernet(nn.Sequential(OpChoice("op", {"conv": conv, "skip": nn.Identity()}), conv))
    for arch in net.space.enumerate():
        assert memory(net, arch, input_shape=(2, 4, 4)).weights_mb == pytest.approx(4 * 36 / 1e6)


class Past(nn.Module):
    """Hands a tensor on past arguments and results."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[torch.Tensor] = []

    def forward(self, x):
        self.held[:] = [torch.relu(x)]
        return x + 1


class Taker(nn.Module):
    def __init__(self, giver: Past) -> None:
        super().__init__()
        self.givers = (giver,)  # no child

    def forward(self, x):
        return x * self.givers[0].held[0]


def test_what_goes_past_arguments_is_alive_too():
    giver = Past()
    width = Choice("width", (1, 2))
    parts = (giver, ElasticConv2d(2, width), ElasticConv2d(width, 2), Taker(giver))
    net = Supernet(nn.Sequential(*parts))
    for arch in (*net.space.enumerate(), *net.space.enumerate()):  # the second time from what is remembered
        wide = arch["width"]
        found = memory(net, arch, input_shape=(2, 5, 5)).activations_mb
        held, largest = 2, max(2 + 2, 2 + wide, 2 + 2)
        assert found == pytest.approx(4 * 25 * (held + largest) / 1e6)


class Around(nn.Module):
    """Runs a block that another module holds."""

    def __init__(self, op: nn.Module) -> None:
        super().__init__()
        self.ops = (op,)

    def forward(self, x):
        return self.ops[0](x)


def test_a_module_that_runs_what_it_does_not_hold_depends_on_its_choices():
    wide = nn.Sequential(nn.Conv2d(1, 9, 1), nn.Conv2d(9, 1, 1))
    op = OpChoice("op", {"wide": wide, "skip": nn.Identity()})

    class Holder(nn.Module):
        def __init__(self):
            super().__init__()
            self.around, self.op = Around(op), op

        def forward(self, x):
            return self.around(x)

    net = Supernet(Holder())
    found = [memory(net, arch, input_shape=(1, 3, 3)).activations_mb for arch in net.space.enumerate()]
    assert found == pytest.approx([4 * 9 * 10 / 1e6, 4 * 9 / 1e6])


def test_what_is_remembered_changes_nothing():
    net = nasbench201(channels=4, cells=1)
    known = MemoryModel(net, (3, 8, 8))
    codes = net.space.population(np.random.default_rng(3), 12)
    known.activations_mb(codes[::-1])
    fresh = [MemoryModel(net, (3, 8, 8)) for _ in codes[:2]]
    for model in fresh:
        model._tracer._shortcuts = False
    told = [model.activations_mb(codes[row : row + 1])[0] for row, model in enumerate(fresh)]
    assert known.activations_mb(codes)[:2].tolist() == told
    assert known.memory_mb(codes).tolist() == (known.weights_mb(codes) + known.activations_mb(codes)).tolist()


def test_the_network_is_left_as_it_is():
    net = small_net()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    net.train()
    memory(net, net.space.smallest(), input_shape=(1, 8, 8))
    assert net.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert not any(tensor.is_meta for tensor in net.state_dict().values())
    assert all("forward" not in vars(module) for module in net.modules())


def test_an_evaluator_tells_it_and_bounds_it_first_where_it_is_quick():
    net = small_net()
    plain = NetEvaluator(net, blobs())
    arch = net.space.largest()
    names = ["weights_mb", "activations_mb", "memory_mb"]
    told = plain.evaluate(arch, names)
    assert list(told.values()) == list(memory(net, arch, input_shape=(1, 8, 8)))
    batch = NetEvaluator(net, blobs(), memory=memory_model(net, (1, 8, 8), batch_size=4))
    assert batch.cheap >= set(names)
    codes = net.space.codes([arch])
    assert batch.costs(codes, "activations_mb")[0] == pytest.approx(4 * told["activations_mb"])
    assert {plain.quantities[name].unit for name in names} == {"MB"}
    assert not memory_model(nasbench201(channels=4, cells=1), (3, 8, 8)).is_quick


class Counting(nn.Module):
    def forward(self, x):
        return x if x.sum().item() > 0 else x + 1


def test_requests_that_make_no_sense_are_refused():
    net = chain()
    with pytest.raises(UsageError, match="batches of 0 inputs"):
        memory(net, net.space.smallest(), batch_size=0)
    with pytest.raises(UsageError, match="size of the inputs is not known"):
        memory(small_net(), small_net().space.smallest())
    with pytest.raises(UsageError, match="architectures do not move between spaces"):
        memory(net, small_net().space.smallest())
    odd = Supernet(nn.Sequential(OpChoice("op", {"a": nn.Identity(), "b": nn.ReLU()}), Counting()))
    with pytest.raises(RunError, match="does not run on tensors without data"):
        memory(odd, odd.space.smallest(), input_shape=(1, 2, 2))
