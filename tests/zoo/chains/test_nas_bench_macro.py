import pytest
import torch

from supernet import zoo
from supernet.errors import UsageError
from zoo_networks import count_macs, count_params


@pytest.fixture(scope="module")
def net():
    return zoo.nasbench_macro()


@pytest.mark.parametrize(
    ("text", "macs", "params"),
    [
        ("00000000", 7_713_280, 387_882),  # published: 7.71 M, 0.388 M, the smallest of the space
        ("22222222", 105_660_928, 2_932_586),  # published: 105.66 M, 2.933 M, the largest
        ("22212220", 85_164_544, 1_985_514),
        ("22212202", 85_164_544, 1_985_514),
    ],
)
def test_macs_and_params_are_the_published_ones(net, text, macs, params):
    subnet = net.extract(zoo.nasbench_macro_arch(net.space, text))
    assert count_macs(subnet, torch.zeros(1, 3, 32, 32)) == macs
    assert count_params(subnet) == params


def test_extremes_of_the_space_are_those_of_the_tables(net):
    assert net.space.size == 3**8
    assert zoo.nasbench_macro_string(net.space.smallest()) == "00000000"
    assert zoo.nasbench_macro_string(net.space.largest()) == "22222222"


def test_strings_lead_back(net):
    for arch in net.space.wrap(net.space.unindex(range(0, net.space.size, 50))):
        text = zoo.nasbench_macro_string(arch)
        assert len(text) == 8
        assert zoo.nasbench_macro_arch(net.space, text) == arch
    assert zoo.nasbench_macro_arch(net.space, "01200000")["layer3"] == "MB6_K5"


def test_identity_is_free_inside_a_stage_and_a_convolution_at_its_start():
    net = zoo.nasbench_macro(channels=4, head_channels=8)
    x = torch.randn(2, 3, 16, 16)
    net.eval()
    net(x, net.space.smallest()).sum().backward()
    trained = {name.split(".")[2] for name, p in net.named_parameters() if ".layers." in name and p.grad is not None}
    assert trained == {"0", "2", "5"}


def test_blocks_are_residual_where_the_shape_stays():
    net = zoo.nasbench_macro(channels=4, head_channels=8).eval()
    x = torch.randn(2, 4 * 2, 8, 8)
    residual, first = net.module.layers[1].candidate(1), net.module.layers[2].candidate(1)
    torch.testing.assert_close(residual(x), residual.body(x) + x)
    torch.testing.assert_close(first(x), first.body(x))
    assert first(x).shape == (2, 16, 4, 4)


def test_diagram_is_the_chain(net):
    nodes = net.module.diagram(zoo.nasbench_macro_arch(net.space, "02100000")).nodes
    assert [(node.label, node.detail) for node in nodes[:6]] == [
        ("input", ""),
        ("conv 3×3", "3→32"),
        ("conv 1×1", "32→64, stride 2"),
        ("MB6 k5", "64→64"),
        ("MB3 k3", "64→128, stride 2"),
        ("identity", "128→128"),
    ]
    assert (nodes[-2].label, nodes[-2].detail, nodes[-1].kind) == ("conv 1×1", "256→1280", "output")


@pytest.mark.parametrize("text", ["2221222", "222122200", "22212223", "2221222 ", ""])
def test_other_strings_are_refused(net, text):
    with pytest.raises(UsageError, match="eight digits"):
        zoo.nasbench_macro_arch(net.space, text)


def test_other_spaces_are_refused():
    other = zoo.nasbench201(channels=1, cells=1).space
    with pytest.raises(UsageError, match=r"zoo\.nasbench_macro"):
        zoo.nasbench_macro_string(other.smallest())


@pytest.mark.parametrize(
    ("options", "words"),
    [({"head_channels": 0}, "head_channels is 0"), ({"statistics": "ema"}, "'ema'")],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(UsageError, match=words):
        zoo.nasbench_macro(**options)
