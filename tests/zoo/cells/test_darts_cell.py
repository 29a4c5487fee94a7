import pytest
import torch
from torch import nn

from supernet import OpChoice, Supernet, measure, zoo
from supernet.errors import UsageError
from zoo_networks import count_macs, count_params, randomise_statistics

NAME = "PC_DARTS_CIFAR"
C = 4  # channels of a node
SEP3, SEP5 = (2 * (k * k * C + C * C + 2 * C) for k in (3, 5))
DIL3, DIL5 = (k * k * C + C * C + 2 * C for k in (3, 5))
REDUCE = C * C + 2 * C


def entrances(width: int) -> int:
    return 2 * (width * C + 2 * C)


@pytest.mark.parametrize(
    ("stride", "weights"),
    [
        (1, 3 * SEP3 + SEP5 + 2 * DIL3),  # skips and poolings of the normal cell have none
        (2, 3 * SEP5 + 4 * SEP3),
    ],
)
def test_parameters_are_those_of_the_genotypes_operations(stride, weights):
    assert count_params(zoo.darts_cell(NAME, 6, 16, stride=stride)) == entrances(6) + weights


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", [NAME, "DARTS_V2", "SNAS_aggressive"])
def test_it_is_the_cell_of_the_network_whose_two_inputs_are_one(name, stride):
    genotype = zoo.darts_published(name).genotype
    net = zoo.darts(channels=C, layers=3, none=True, stem_multiplier=1, in_channels=1, image_size=8)
    arch = zoo.darts_arch(net.space, genotype)
    theirs = net.module.cells[stride - 1]  # the first cell is a normal one, the second reduces
    width = C * stride**2
    block = zoo.darts_cell(genotype, width, 4 * C * stride, stride=stride, affine=False)
    if stride == 2:  # before it stands the stem, which is narrower than the cell
        theirs.before = zoo.darts_cell(NAME, width, 4 * C * stride, affine=False).before
    randomise_statistics(theirs, seed=3)
    block.load_state_dict(net.extract(arch).get_submodule(f"cells.{stride - 1}").state_dict())
    x = torch.randn(3, width, 7, 7)
    with torch.no_grad(), net.active(arch):
        torch.testing.assert_close(block.eval()(x), theirs.eval()(x, x))


def test_a_users_own_choice_of_blocks_holds_it():
    net = Supernet(
        nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            OpChoice("first", {"cell": zoo.darts_cell(NAME, 8, 8), "conv": nn.Conv2d(8, 8, 3, padding=1)}),
            OpChoice("second", {"cell": zoo.darts_cell(NAME, 8, 12, stride=2), "conv": nn.Conv2d(8, 12, 2, 2)}),
        ),
        input_shape=(1, 8, 8),
    )
    x = torch.randn(2, 1, 8, 8)
    net.eval()
    costs = set()
    for first in ("cell", "conv"):
        for second in ("cell", "conv"):
            arch = net.space.arch({"first": first, "second": second})
            subnet = net.extract(arch)
            torch.testing.assert_close(subnet(x), net(x, arch), rtol=0, atol=1e-6)
            assert not [m for m in subnet.modules() if type(m).__module__.startswith("supernet")]
            assert measure.macs(net, arch) == count_macs(subnet, x[:1])
            assert measure.params(net, arch) == count_params(subnet)
            costs.add(measure.macs(net, arch))
    assert len(costs) == 4


def test_a_derived_architecture_stands_in_a_chain_of_blocks():
    small = zoo.darts(nodes=2, channels=2, layers=3, stem_multiplier=1, in_channels=1, image_size=8)
    derived = small.space.smallest()
    genotype = zoo.darts_genotype(derived)
    tiny = {"image_size": 8, "in_channels": 1, "num_classes": 3, "width_multiplier": 0.1, "depth_multiplier": 0.25}
    net = zoo.mobilenetv2(cells={"found": genotype, "published": NAME, "text": repr(genotype)}, **tiny)
    assert net.space.size == 9**6
    order = net.space.choices[-1].order
    assert order[:2] == ("found", "text")
    assert order[-1] == "MB6_K7"
    without = zoo.mobilenetv2(**tiny)
    ids = (0, 1, 2, 3, 4, 5)
    arch = zoo.mobilenetv2_arch(net.space, ids)
    assert zoo.mobilenetv2_ids(arch) == ids
    assert measure.macs(net, arch) == measure.macs(without, zoo.mobilenetv2_arch(without.space, ids))
    with pytest.raises(UsageError, match="The block found has no published number"):
        zoo.mobilenetv2_ids(net.space.arch({**arch.options(), "layer3": "found"}))


@pytest.mark.parametrize(
    ("genotype", "options", "message"),
    [
        (NAME, {"width_out": 10}, "width_out=10 is no multiple of the 4 nodes that the normal cell joins"),
        (NAME, {"stride": 3}, "stride=3: give 1 for the normal cell"),
        (NAME, {"width_in": 0}, "width_in is 0"),
        ("DARTS_V9", {}, "No published cells are named 'DARTS_V9'"),
        ("Genotype(normal=[])", {}, "is not a genotype: it needs normal, normal_concat"),
        (7, {}, "7 is no genotype. Give a Genotype"),
        (zoo.darts_published(NAME).genotype._replace(normal_concat=(3, 4, 5)), {}, "joins the nodes \\[3, 4, 5\\]"),
        (
            zoo.darts_published(NAME).genotype._replace(normal=(("skip_connect", 0),) * 8),
            {},
            "Node 2 of the normal cell takes its edges from \\(0, 0\\)",
        ),
        (zoo.darts_published(NAME).genotype._replace(normal=(("c", 0), ("c", 1)) * 4), {}, "no operation 'c'"),
    ],
)
def test_what_is_no_block_is_refused(genotype, options, message):
    with pytest.raises(UsageError, match=message):
        zoo.darts_cell(genotype, **{"width_in": 8, "width_out": 8, **options})


def test_the_name_of_a_block_is_taken():
    with pytest.raises(UsageError, match="The cell 'MB3_K3' has the name of a block"):
        zoo.mobilenetv2(cells={"MB3_K3": NAME}, image_size=8)
