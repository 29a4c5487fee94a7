"""Wrapping a module, activating architectures, copying and storing."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from contextlib import suppress

import pytest
import torch
from torch import nn

from method_trials import squares
from supernet import Choice, ElasticBatchNorm2d, ElasticConv2d, ElasticDepth, ElasticLinear, OpChoice, Supernet, measure
from supernet.errors import UsageError
from supernet.methods import spos
from supernet.nn.channels import Channels
from supernet.train import fit
from supernet.train.rewriting import Rewriter


def small_net() -> Supernet:
    width, depth = Choice("width", (4, 8)), Choice("depth", (1, 2))
    op = OpChoice("op", {"conv": ElasticConv2d(width, width, 1), "skip": nn.Identity()})
    stage = ElasticDepth(depth, [op, ElasticBatchNorm2d(width)])
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), ElasticLinear(width, 3))
    return Supernet(nn.Sequential(ElasticConv2d(3, width), stage, head))


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 3, 6, 6)


def test_it_reads_the_space_off_the_module_tree() -> None:
    net = small_net()
    assert set(net.space.names) == {"width", "depth", "op"}
    assert net.space.size == 8


def test_active_nests_and_survives_exceptions(x: torch.Tensor) -> None:
    net = small_net().eval()
    first, last = net.space.smallest(), net.space.largest()
    with net.active(first):
        expected = net(x)
        with suppress(KeyError), net.active(last):
            net(x)
            with net.active(first):
                assert torch.equal(net(x), expected)
            raise KeyError
        assert not torch.equal(net(x, last), expected)
        assert torch.equal(net(x), expected)
    with pytest.raises(UsageError, match="no architecture is active"):
        net(x)


def test_a_failed_activation_changes_nothing(x: torch.Tensor) -> None:
    net = small_net().eval()
    with net.active(net.space.smallest()):
        expected = net(x)
        with pytest.raises(UsageError), net.active({"width": 9}):
            pass
        assert torch.equal(net(x), expected)


def test_an_unwrapped_layer_explains_itself() -> None:
    with pytest.raises(UsageError, match="no architecture is active"):
        ElasticLinear(3, Choice("w", (2, 4)))(torch.ones(1, 3))
    assert ElasticLinear(3, 4)(torch.ones(1, 3)).shape == (1, 4)


def test_an_architecture_of_another_space_is_refused(x: torch.Tensor) -> None:
    other = Supernet(ElasticLinear(3, Choice("w", (2, 4)))).space.smallest()
    net = small_net()
    for use in (lambda: net(x, other), lambda: net.extract(other), lambda: net.active(other).__enter__()):
        with pytest.raises(UsageError, match=f"belongs to the space {other.space.fingerprint}"):
            use()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.Linear(2, 2), "The model Linear contains no choice"),
        (lambda: ElasticLinear(2, 2), "contains no choice"),
        (
            lambda: nn.Sequential(ElasticLinear(2, Choice("w", (2, 4))), ElasticLinear(2, Choice("w", (2, 4)))),
            "Two different choices are named 'w'",
        ),
        (small_net, "contains a Supernet. One Supernet holds all choices"),
        (lambda: nn.Sequential(small_net(), ElasticLinear(2, Choice("w", (2, 4)))), "contains a Supernet"),
        (lambda: (lambda inner: nn.Sequential(inner, copy.deepcopy(inner)))(small_net().module), "of 2 supernets"),
    ],
)
def test_models_that_make_no_supernet_are_refused(build: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Supernet(build())


def test_a_module_wrapped_again_serves_both_supernets(x: torch.Tensor) -> None:
    first = small_net().eval()
    second, part = Supernet(first.module), Supernet(first.module[1])
    arch = first.space.largest()
    assert torch.equal(first(x, arch), second(x, arch))
    with second.active(arch):
        assert torch.equal(first(x), first(x, arch))
    assert part.space.size == first.space.size
    with pytest.raises(UsageError, match="no architecture is active"):
        first(x)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_is_a_supernet_of_its_own(copied: Callable[[Supernet], Supernet], x: torch.Tensor) -> None:
    net = small_net().eval()
    twin = copied(net)
    arch = net.space.largest()
    expected = net(x, arch)
    assert torch.equal(twin(x, arch), expected)
    assert twin.space.fingerprint == net.space.fingerprint
    assert twin.selection is twin.module[0].selection is not net.selection
    with torch.no_grad():
        for p in twin.parameters():
            p.zero_()
    assert torch.equal(net(x, arch), expected)
    with net.active(arch), pytest.raises(UsageError, match="no architecture is active"):
        twin(x)


def test_the_state_dict_makes_a_round_trip(x: torch.Tensor) -> None:
    net, other = small_net(), small_net()
    net(x, net.space.largest()).sum().backward()
    other.load_state_dict(net.state_dict())
    for arch in net.space.enumerate():
        assert torch.equal(other.eval()(x, arch), net.eval()(x, arch))
    assert "module.1.0.candidates.conv.weight" in net.state_dict()


def test_it_moves_and_changes_type_like_any_module(x: torch.Tensor) -> None:
    net = small_net().to(torch.float64)
    y = net(x.double(), net.space.smallest())
    assert y.dtype == torch.float64
    assert {p.dtype for p in net.extract(net.space.smallest()).parameters()} == {torch.float64}


class Forgetful(nn.Module):
    """Keeps a choice as an attribute, and layers that read none of it."""

    def __init__(self, kept: object) -> None:
        super().__init__()
        self.pool = kept
        self.layers = nn.Sequential(OpChoice("op", {"a": nn.Identity(), "b": nn.ReLU()}))


POOL = Choice("pool", ("max", "mean"))


@pytest.mark.parametrize("kept", [POOL, [POOL], {"first": POOL}, POOL.is_in(("max",))])
def test_a_choice_that_no_layer_reads_is_named(kept: object) -> None:
    with pytest.raises(
        UsageError, match=r"choice 'pool' is an attribute \('pool'\) of 1 \(Forgetful\), but no layer reads"
    ):
        Supernet(nn.Sequential(nn.ReLU(), Forgetful(kept)))
    reads = OpChoice(POOL, {"max": nn.ReLU(), "mean": nn.Identity()})
    assert Supernet(nn.Sequential(reads, Forgetful(kept))).space.size == 4


def test_an_input_may_be_called_target() -> None:
    class Repeats(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = ElasticLinear(4, Choice("width", (2, 3)))

        def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return self.layer(source + target)

    net = Supernet(Repeats())
    x, arch = {"source": torch.ones(2, 4), "target": torch.zeros(2, 4)}, net.space.largest()
    with net.active(arch):
        expected = net(**x)
    assert expected.shape == (2, 3)
    assert torch.equal(net(x, arch), expected)
    assert torch.equal(net(x, target=arch), expected)


@pytest.mark.parametrize("elsewhere", [True, False])
@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (
            lambda choice: nn.Conv2d(1, 4, 3, stride=choice),
            r"layer 0 is torch's Conv2d, .* the choice size as its stride",
        ),
        (lambda choice: nn.Conv2d(1, 4, 3, padding=choice * 2), r"the choice size \* 2 as its padding"),
        (nn.MaxPool2d, "torch's MaxPool2d, .* one MaxPool2d per value into an OpChoice"),
        (lambda choice: nn.AdaptiveAvgPool2d((choice, 1)), "torch's AdaptiveAvgPool2d"),
    ],
)
def test_a_layer_of_torch_that_was_given_a_choice_is_refused(
    layer: Callable[[Choice], nn.Module], says: str, elsewhere: bool
) -> None:
    choice = Choice("size", (2, 4))
    layers = [layer(choice), *([ElasticLinear(16, choice)] if elsewhere else [])]
    with pytest.raises(UsageError, match=says):
        Supernet(nn.Sequential(*layers))


def named_channels(*, width: int = 6) -> nn.Module:
    """Channels that a training may cut, and nothing to choose."""
    hidden = Channels("hidden", width)
    return nn.Sequential(
        ElasticConv2d(1, hidden, 3),
        ElasticConv2d(hidden, 2, 1),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(8, 10),
    )


def test_a_net_without_choices_is_a_supernet_of_one_architecture_where_channels_have_names() -> None:
    net = Supernet(named_channels(), input_shape=(1, 4, 4))
    (only,) = net.space.enumerate()
    assert (net.space.size, len(net.space), only) == (1, 0, net.space.smallest())
    assert net.space.parse(str(only)) == only
    assert measure.macs(net, only) == 16 * (9 * 6 + 6 * 2) + 80
    fit(net, spos(), squares(), steps=2, batch_size=8, accelerator="cpu", progress=False)
    x = torch.randn(2, 1, 4, 4)
    torch.testing.assert_close(net.extract(only)(x), net(x, only))
    with pytest.raises(UsageError, match=r"contains no choice.* widths nn.Channels"):
        Supernet(nn.Sequential(ElasticConv2d(1, 6, 3), nn.Flatten()))


def test_parameters_are_counted_anew_once_channels_were_taken() -> None:
    net = Supernet(named_channels(), input_shape=(1, 4, 4))
    (only,) = net.space.enumerate()
    before = measure.params(net, only), measure.macs(net, only)
    Rewriter(net, {}, None, dict, 0).take("hidden", [0, 2])
    after = measure.params(net, only), measure.macs(net, only)
    assert (before[0] - after[0], before[1] - after[1]) == (4 * (9 + 1 + 2), 4 * 16 * (9 + 2))
    assert after[0] == measure.count_params(net.extract(only))
