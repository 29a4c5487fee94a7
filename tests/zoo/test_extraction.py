import copy

import pytest
import torch
from torch import nn

from supernet import Supernet, zoo
from zoo_networks import SMALL, archs_of, randomise_statistics


@pytest.fixture(params=SMALL)
def case(request):
    build, shape = SMALL[request.param]
    torch.manual_seed(1)
    net = build()
    randomise_statistics(net, seed=2)
    return build, net, torch.randn(shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("training", [False, True])
def test_subnet_computes_what_the_supernet_computes(case, training):
    _, net, x = case
    net.train(training)
    outputs = []
    for arch in archs_of(net, 8):
        subnet = net.extract(arch)
        assert subnet.training is training
        with torch.no_grad():
            expected = net(x, arch)
            torch.testing.assert_close(subnet(x), expected, rtol=0, atol=1e-6)
        outputs.append(expected)
    assert all(not torch.equal(outputs[0], other) for other in outputs[1:])


def test_subnet_gets_the_gradients_of_the_supernet(case):
    _, net, x = case
    for arch in archs_of(net, 4):
        subnet = net.extract(arch)
        subnet(x).square().sum().backward()
        net.zero_grad()
        net(x, arch).square().sum().backward()
        ours = sorted(p.grad.abs().sum().item() for p in net.parameters() if p.grad is not None)
        theirs = sorted(p.grad.abs().sum().item() for p in subnet.parameters() if p.grad is not None)
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-4)


def test_subnet_is_made_of_torch_alone(case):
    _, net, x = case
    for arch in archs_of(net, 4):
        subnet = net.extract(arch).eval()
        assert isinstance(subnet, nn.Module)
        for layer in subnet.modules():
            assert not any(base.__module__.startswith("supernet") for base in type(layer).__mro__), type(layer)
        clone = copy.deepcopy(subnet)
        torch.testing.assert_close(clone(x), subnet(x), rtol=0, atol=0)
        assert clone.state_dict().keys() == subnet.state_dict().keys()


def test_weights_travel_between_subnets_of_two_supernets(case):
    build, net, x = case
    torch.manual_seed(9)
    other = build()
    for arch in archs_of(net, 4):
        giver = net.extract(arch).eval()
        taker = other.extract(other.space.from_json(arch.to_json())).eval()
        assert not torch.allclose(giver(x), taker(x), atol=1e-3)
        taker.load_state_dict(giver.state_dict())
        torch.testing.assert_close(giver(x), taker(x), rtol=0, atol=0)


@pytest.mark.slow
def test_listed_names_are_builders():
    for name in zoo.__all__:
        builder = getattr(zoo, name)
        small = {} if name != "enas_micro_final" else {"layers": 3}  # 27,000 modules of candidates
        assert isinstance(builder(**small), Supernet)
        assert builder.__doc__.splitlines()[0].endswith(".")
