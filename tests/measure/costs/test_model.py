import gc
import time
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from measure_networks import Attention, Tokens, random_net, small_net
from supernet import Choice, ElasticConv2d, ElasticDepth, ElasticLinear, InputChoice, OpChoice, SubsetChoice, Supernet
from supernet.errors import RunError, UsageError
from supernet.measure import CostModel, cost_model, count_macs, count_params, macs, params
from supernet.measure.costs.macs_terms import _MAX_SETTINGS
from supernet.nn import Mutable
from supernet.space import subsets
from supernet.space.conditions import Never
from supernet.zoo import mbconv, nasbench201, nasbench_macro


def assert_law(net: Supernet, shape: tuple[int, ...], n: int, seed: int = 0) -> CostModel:
    """Tables equal an independent counter on the extracted module."""
    costs = CostModel(net, shape)
    rng = np.random.default_rng(seed)
    archs = [net.space.smallest(), net.space.largest(), *net.space.wrap(net.space.population(rng, n))]
    for arch in archs:
        module = net.extract(arch)
        assert costs.macs(arch) == count_macs(module, shape), arch
        assert costs.params(arch) == count_params(module), arch
        assert costs.params(arch, norm=False) == count_params(module, norm=False), arch
        assert costs.params(arch, bias=False) == count_params(module, bias=False), arch
    codes = net.space.codes(archs)
    assert costs.macs(codes).tolist() == [costs.macs(arch) for arch in archs]
    assert costs.params(codes).tolist() == [costs.params(arch) for arch in archs]
    assert costs.blind == ()
    return costs


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 12))])
def test_tables_equal_the_counter_on_random_networks(seed):
    assert_law(random_net(seed), (3, 12, 12), n=6, seed=seed)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: nasbench201(channels=4, cells=1, affine=True), (3, 8, 8)),
        (lambda: nasbench_macro(channels=4, head_channels=8), (3, 8, 8)),
        (lambda: mbconv(squeeze_excite=True), (1, 8, 8)),
        (lambda: mbconv(image_size=12, resolutions=(8, 12)), (1, 12, 12)),
    ],
    ids=["nasbench201", "nasbench_macro", "mbconv", "mbconv resolutions"],
)
def test_tables_equal_the_counter_on_published_spaces(make, shape):
    assert_law(make(), shape, n=6)


def test_nas_bench_201_has_its_published_extremes():
    net = nasbench201(affine=True)
    costs = CostModel(net, (3, 32, 32))
    every_conv3 = net.space.arch(dict.fromkeys(net.space.names, "nor_conv_3x3"))
    nothing = net.space.arch(dict.fromkeys(net.space.names, "none"))
    assert costs.params(every_conv3) == 1_531_546  # 1.531546 MB in the benchmark
    assert costs.params(nothing) == 73_306  # 0.073306 MB
    assert costs.macs(every_conv3) == 220_119_680


def test_a_hundred_thousand_architectures_take_less_than_a_second():
    net = mbconv()
    costs = CostModel(net, (1, 8, 8))
    codes = net.space.population(np.random.default_rng(0), 100_000)
    start = time.perf_counter()
    assert costs.macs(codes).shape == costs.params(codes).shape == (100_000,)
    assert time.perf_counter() - start < 1


def test_blocks_that_do_not_run_cost_nothing():
    depth = Choice("depth", (0, 1, 3))
    net = Supernet(ElasticDepth(depth, [nn.Conv2d(2, 2, 3, padding=1, bias=False) for _ in range(3)]))
    costs = CostModel(net, (2, 5, 5))
    codes = net.space.codes(list(net.space.enumerate()))
    assert costs.macs(codes).tolist() == [0, 900, 2700]
    assert costs.params(codes).tolist() == [0, 36, 108]


def test_one_module_for_two_options_and_two_calls():
    conv = nn.Conv2d(2, 2, 3, padding=1, bias=False)
    net = Supernet(nn.Sequential(OpChoice("op", {"a": conv, "b": nn.Sequential(conv, conv), "c": nn.Identity()}), conv))
    costs = assert_law(net, (2, 5, 5), n=6)
    assert [costs.macs(arch) / 900 for arch in net.space.enumerate()] == [2, 3, 1]
    assert {costs.params(arch) for arch in net.space.enumerate()} == {36}


def test_tied_parameters_count_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.op = OpChoice("op", {"a": nn.Linear(4, 4, bias=False), "b": nn.Identity()})
            self.out = nn.Linear(4, 4, bias=False)
            self.out.weight = self.op.candidates["a"].weight

        def forward(self, x):
            return self.out(self.op(x))

    net = Supernet(Tied())
    costs = assert_law(net, (4,), n=4)
    assert costs.params(net.space.arch({"op": "b"})) == 16


class Cell(nn.Module):
    """Three states: the input, and nodes that choose edges, on which kernels or sets of kernels run."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = nn.ModuleList(self._node(number, subsets(range(number + 1))) for number in range(2))

    def _node(self, number: int, sets: tuple) -> InputChoice:
        inputs = Choice(f"node{number}", sets)
        edges = []
        for source in range(number + 1):
            when = inputs.is_in([one for one in sets if source in one])
            kernels = {k: nn.Conv2d(3, 3, k, padding=k // 2) for k in (1, 3, 5)}
            if number:
                edges.append(SubsetChoice(Choice(f"{number}<-{source}", subsets(kernels), when=when), kernels))
            else:
                edges.append(OpChoice(Choice(f"{number}<-{source}", tuple(kernels), when=when), kernels))
        return InputChoice(inputs, edges)

    def forward(self, x):
        states = [x]
        for node in self.nodes:
            states.append(node(states))
        return torch.cat(states, 1)


def test_edges_and_members_that_do_not_run_cost_nothing():
    net = Supernet(Cell())
    assert net.space.size == 3 * (7 + 7 + 49)
    costs = assert_law(net, (3, 6, 6), n=40)
    arch = net.space.arch({"node0": (0,), "0<-0": 3, "node1": (1,), "1<-1": (1, 5)})
    assert costs.macs(arch) == 36 * 9 * (9 + 1 + 25)


def test_one_module_on_several_edges():
    conv = nn.Conv2d(2, 2, 3, padding=1, bias=False)
    inputs = InputChoice(Choice("inputs", subsets(range(2))), [conv, nn.Sequential(conv)])

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.inputs = inputs

        def forward(self, x):
            return self.inputs([x, x])

    costs = assert_law(Supernet(Twice()), (2, 5, 5), n=6)
    assert [costs.macs(arch) / 900 for arch in costs.space.enumerate()] == [1, 1, 2]


class Doubling(nn.Module, Mutable):
    """A caller's own kind of elastic layer."""

    def __init__(self, times: Choice) -> None:
        super().__init__()
        self.times = times
        self.weight = nn.Parameter(torch.eye(4).repeat(3, 1))

    def forward(self, x):
        for part in range(self.selection.value(self.times)):
            x = x @ self.weight[4 * part : 4 * part + 4]
        return x

    def depends_on(self):
        return (self.times,)

    def plain(self):
        layers = [nn.Linear(4, 4, bias=False) for _ in range(self.selection.value(self.times))]
        return nn.Sequential(*layers)


class Told(Doubling):
    """Says what it is made of, so that nothing needs to be tabulated."""

    def forward(self, x):
        return x @ self.weight[: 4 * self.selection.value(self.times)].T

    def plain(self):
        return nn.Linear(4, 4 * self.selection.value(self.times), bias=False)

    def shapes(self):
        return {"weight": (self.times * 4, 4)}


def test_a_layer_that_says_its_shapes_may_have_any_number_of_options(monkeypatch):
    monkeypatch.setattr("supernet.measure.costs.params_terms._MAX_SETTINGS", 1)
    monkeypatch.setattr("supernet.measure.costs.macs_terms._MAX_SETTINGS", 1)
    net = Supernet(Told(Choice("times", (1, 2, 3))))
    costs = assert_law(net, (4,), n=3)
    assert [costs.macs(arch) for arch in net.space.enumerate()] == [16, 32, 48]


def test_a_subclass_that_computes_otherwise_says_its_shapes_anew(monkeypatch):
    class Longer(Told):
        def forward(self, x):
            return super().forward(x)

    monkeypatch.setattr("supernet.measure.costs.params_terms._MAX_SETTINGS", 1)
    with pytest.raises(RunError, match=r"Longer.*at most 1 can be tabulated"):
        CostModel(Supernet(Longer(Choice("times", (1, 2, 3)))), (4,))


class Helped(OpChoice):
    """Has a head that only trainings use."""

    def __init__(self):
        super().__init__("op", {"conv": nn.Conv2d(1, 1, 3, padding=1), "skip": nn.Identity()})
        self.helper = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x):
        y = super().forward(x)
        return y + self.helper(x) if self.training else y

    def runs(self):
        return {**super().runs(), "helper": (Never(),)}


def test_what_only_trainings_use_costs_nothing():
    net = Supernet(Helped())
    costs = assert_law(net.eval(), (1, 4, 4), n=2)
    assert [costs.params(arch) for arch in net.space.enumerate()] == [10, 0]


def test_elastic_layers_of_unknown_kind_are_tabulated():
    depth = Choice("depth", (1, 2))
    other = Choice("other", (1, 3), when=depth > 1)
    net = Supernet(ElasticDepth(depth, [Doubling(Choice("times", (1, 2, 3))), Doubling(other)]))
    costs = assert_law(net, (4,), n=10)
    assert costs.macs(net.space.arch({"depth": 2, "times": 2, "other": 3})) == 5 * 16


def test_attention_between_elastic_layers_is_tabulated():
    heads = Choice("heads", (1, 2, 4))
    net = Supernet(nn.Sequential(nn.Conv2d(1, 8, 2, 2), Tokens(), Attention(8, heads)))
    costs = assert_law(net, (1, 8, 8), n=6)
    products = [costs.macs(arch) - 8 * 4 * 16 - 4 * 16 * 8 * 4 * arch["heads"] for arch in net.space.enumerate()]
    assert products == [2 * 16 * 16 * 4 * heads for heads in (1, 2, 4)]


class Gram(nn.Module):
    """Multiplies without weights: nothing tells on which choices its cost depends."""

    def forward(self, x):
        tokens = x.flatten(2)
        return tokens.transpose(1, 2) @ tokens


def test_products_that_cannot_be_tabulated_are_named():
    width = Choice("width", (2, 4))
    net = Supernet(nn.Sequential(ElasticConv2d(1, width, 1), Gram()))
    costs = CostModel(net, (1, 3, 3))
    assert costs.blind == ("1",)
    assert costs.macs(net.space.largest()) == 36
    with pytest.warns(UserWarning, match=r"leave out the matrix products of 1\b"):
        assert macs(net, net.space.largest(), input_shape=(1, 3, 3)) == 36


def test_output_sizes_that_depend_on_operations_are_refused():
    candidates = {"strided": nn.Conv2d(1, 2, 3, 2, 1), "plain": nn.Conv2d(1, 2, 3, 1, 1)}
    net = Supernet(nn.Sequential(OpChoice("op", candidates), nn.Conv2d(2, 2, 1)))
    with pytest.raises(RunError, match=r"output size of '1' depends on other choices.*count_macs"):
        CostModel(net, (1, 8, 8))


def test_calls_that_the_tree_does_not_explain_are_refused():
    class Sly(nn.Module):
        def __init__(self):
            super().__init__()
            self.op = OpChoice("op", {"a": nn.Identity(), "b": nn.Conv2d(1, 1, 1)})
            self.extra = nn.Conv2d(1, 1, 1)

        def forward(self, x):
            y = self.op(x)
            return y if y is x else self.extra(y)

    with pytest.raises(RunError, match="no sum over its modules"):
        CostModel(Supernet(Sly()), (1, 4, 4))


def test_too_many_settings_of_one_block_fall_back_to_what_is_known():
    heads = [Choice(f"h{place}", (1, 2)) for place in range(10)]
    assert 2 ** len(heads) > _MAX_SETTINGS

    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(ElasticLinear(4, head * 2) for head in heads)

        def forward(self, x):
            parts = torch.cat([layer(x) for layer in self.layers], -1)
            return parts[..., :, None] @ parts[..., None, :]

    net = Supernet(Wide())
    costs = CostModel(net, (4,))
    assert costs.blind == ("",)
    assert costs.macs(net.space.smallest()) == 10 * 2 * 4


def test_the_network_is_left_untouched():
    net = small_net(statistics="track")
    state = {name: (tensor.clone(), tensor._version) for name, tensor in net.state_dict(keep_vars=True).items()}
    ids = [id(tensor) for tensor in net.state_dict(keep_vars=True).values()]
    net.train()
    CostModel(net, (1, 8, 8))
    assert all(m.training for m in net.modules())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert [id(tensor) for tensor in net.state_dict(keep_vars=True).values()] == ids
    for name, tensor in net.state_dict(keep_vars=True).items():
        assert torch.equal(tensor, state[name][0])
        assert tensor._version == state[name][1]


def test_the_model_is_made_once_and_goes_with_its_network():
    net = small_net()
    arch = net.space.arch({"width": 8, "op": "conv"})
    with pytest.raises(UsageError, match="input_shape"):
        macs(net, arch)
    assert macs(net, arch, input_shape=(1, 8, 8)) == macs(net, arch) == count_macs(net.extract(arch), (1, 8, 8))
    assert cost_model(net) is cost_model(net, (1, 8, 8))
    assert params(net, arch) - params(net, arch, norm=False) == 2 * 2 * 8
    gone = weakref.ref(net)
    del net, arch
    gc.collect()
    assert gone() is None


def test_foreign_architectures_and_odd_arrays_are_refused():
    costs = CostModel(small_net(), (1, 8, 8))
    with pytest.raises(UsageError, match="do not move between spaces"):
        costs.macs(nasbench201(channels=4, cells=1).space.largest())
    with pytest.raises(UsageError, match=r"shape \(N, 2\)"):
        costs.params(np.zeros((3, 5), dtype=np.int16))


@pytest.mark.parametrize("decided", [{"op": (0, 1)}, {"op": "pool"}, "op=conv", None])
def test_costs_are_of_architectures(decided):
    net = Supernet(OpChoice("op", {"conv": nn.Conv2d(3, 3, 1), "skip": nn.Identity()}), input_shape=(3, 4, 4))
    for cost in (macs, params):
        with pytest.raises(UsageError, match=r"An architecture is needed, but .*space\.arch|has no option"):
            cost(net, decided)
        assert cost(net, {"op": "conv"}) == cost(net, net.space.parse("op=conv")) > 0
