import copy

import pytest
import torch
from torch import nn

from supernet import Supernet, zoo
from zoo_networks import SMALL, archs_of, randomise_statistics


@pytest.fixture(scope="module", params=SMALL)
def case(request):
    """A network, images, and a few architectures with what is taken out of it, in training mode."""
    build, shape = SMALL[request.param]
    torch.manual_seed(1)
    net = build()
    randomise_statistics(net, seed=2)
    subnets = [(arch, net.extract(arch)) for arch in archs_of(net, 4)]
    return build, net, torch.randn(shape, generator=torch.Generator().manual_seed(3)), subnets


def test_subnet_computes_and_learns_what_the_supernet_does(case):
    _, net, x, subnets = case
    outputs = []
    net.eval()
    for arch, subnet in subnets:
        assert subnet.training
        with torch.no_grad():
            outputs.append(net(x, arch))
            torch.testing.assert_close(subnet.eval()(x), outputs[-1], rtol=0, atol=1e-6)
    assert all(not torch.equal(outputs[0], other) for other in outputs[1:])
    net.train()
    for arch, subnet in subnets:
        theirs, expected = subnet.train()(x), net(x, arch)
        # Average pooling rounds otherwise, and batch norm over few values makes more of it.
        torch.testing.assert_close(theirs, expected, rtol=0, atol=1e-5)
        subnet.zero_grad()
        theirs.square().sum().backward()
        net.zero_grad()
        expected.square().sum().backward()
        ours = sorted(p.grad.abs().sum().item() for p in net.parameters() if p.grad is not None)
        alone = sorted(p.grad.abs().sum().item() for p in subnet.parameters() if p.grad is not None)
        assert ours == pytest.approx(alone, rel=1e-4, abs=1e-4)
    assert not net.eval().extract(subnets[0][0]).training


def test_subnet_is_made_of_torch_alone_and_weights_travel_between_those_of_two_supernets(case):
    build, _, x, subnets = case
    torch.manual_seed(9)
    other = build()
    for arch, subnet in subnets:
        giver = subnet.eval()
        assert isinstance(giver, nn.Module)
        for layer in giver.modules():
            assert not any(base.__module__.startswith("supernet") for base in type(layer).__mro__), type(layer)
        expected = giver(x)
        torch.testing.assert_close(copy.deepcopy(giver)(x), expected, rtol=0, atol=0)
        taker = other.extract(other.space.from_json(arch.to_json())).eval()
        assert not torch.allclose(expected, taker(x), atol=1e-3)
        taker.load_state_dict(giver.state_dict())
        torch.testing.assert_close(expected, taker(x), rtol=0, atol=0)


@pytest.mark.slow
def test_listed_names_are_builders():
    for name in zoo.__all__:
        builder = getattr(zoo, name)
        small = {} if name != "enas_micro_final" else {"layers": 3}  # 27,000 modules of candidates
        assert isinstance(builder(**small), Supernet)
        assert builder.__doc__.splitlines()[0].endswith(".")
