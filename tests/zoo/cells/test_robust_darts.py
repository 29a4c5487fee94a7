"""The spaces S1 to S4, and the noise of S4."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from supernet import Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.nn.laws import LAWS, Law
from supernet.zoo.cells.cell_ops import Noise
from zoo_networks import archs_of, count_macs, count_params

TINY: dict[str, Any] = {"channels": 2, "layers": 3, "stem_multiplier": 1, "num_classes": 3, "image_size": 8}


def tiny(variant: Any, nodes: int = 2) -> Supernet:
    torch.manual_seed(0)
    return zoo.robust_darts(variant=variant, nodes=nodes, **TINY)


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_a_network_with_noise_keeps_the_laws(law: Law) -> None:
    law(tiny("S4"), lambda arch: torch.randn(2, 3, 8, 8))


@pytest.mark.parametrize("variant", ["S1", "S4"])
def test_costs_without_building_are_the_counted_ones(variant: str) -> None:
    net = tiny(variant)
    for arch in archs_of(net, 6):
        subnet = net.extract(arch).eval()
        assert measure.macs(net, arch) == count_macs(subnet, torch.zeros(1, 3, 8, 8))
        assert measure.params(net, arch) == count_params(subnet)


@pytest.mark.parametrize(("variant", "ops"), [("S1", 2), ("S2", 2), ("S3", 3), ("S4", 2)])
def test_every_edge_has_the_operations_of_its_variant(variant: str, ops: int) -> None:
    space = tiny(variant, nodes=4).space
    assert space.size == (180 * ops**8) ** 2
    edges = {choice.name: choice.options for choice in space.choices if "<-" in choice.name}
    assert len(edges) == 28
    if variant == "S1":  # the first, a middle and the last edge of each cell in the authors' table
        assert edges["normal.2<-0"] == ("skip_connect", "dil_conv_3x3")
        assert edges["normal.4<-0"] == ("max_pool_3x3", "skip_connect")
        assert edges["normal.5<-4"] == ("dil_conv_3x3", "dil_conv_5x5")
        assert edges["reduce.2<-0"] == ("max_pool_3x3", "avg_pool_3x3")
        assert edges["reduce.4<-1"] == ("max_pool_3x3", "sep_conv_3x3")
        assert edges["reduce.5<-4"] == ("skip_connect", "dil_conv_5x5")
    else:
        assert len(set(edges.values())) == 1


def test_operations_may_be_given_for_every_edge() -> None:
    edges = [f"{cell}.2<-{source}" for cell in ("normal", "reduce") for source in range(2)]
    operations = dict.fromkeys(edges, ("skip_connect", "dil_conv_5x5"))
    net = zoo.robust_darts(operations=operations, nodes=1, **TINY)
    assert net.space.size == 2**4
    assert net.space.allowed("reduce.2<-1") == ("skip_connect", "dil_conv_5x5")


def test_genotypes_are_those_of_darts() -> None:
    space = tiny("S2", nodes=4).space
    arch = space.largest()
    assert zoo.darts_arch(space, zoo.darts_genotype(arch)) == arch
    with pytest.raises(UsageError, match="where this space has skip_connect, sep_conv_3x3"):
        zoo.darts_arch(space, zoo.darts_published("DARTS_V1").genotype)


def test_noise_in_evaluation_is_normal_and_a_function_of_the_image() -> None:
    torch.manual_seed(0)
    noise, x = Noise().eval(), torch.randn(6, 16, 16, 16)
    y = noise(x)
    assert torch.equal(noise(x), y)
    torch.testing.assert_close(noise(x[2:4]), y[2:4])
    assert abs(y.mean()) < 0.02
    assert abs(y.std() - 1) < 0.02
    ordered = y.flatten().double().sort().values
    expected = torch.special.ndtri((torch.arange(len(ordered)).double() + 0.5) / len(ordered))
    assert (ordered - expected)[100:-100].abs().max() < 0.1
    together = torch.corrcoef(torch.cat([y.flatten(1), x.flatten(1)]))
    assert (together - torch.eye(12)).abs().max() < 0.07  # 4 standard deviations of independent ones


def test_noise_in_training_is_drawn_from_the_generator() -> None:
    noise, x = Noise(2), torch.randn(2, 3, 5, 5)
    torch.manual_seed(1)
    first = noise(x)
    second = noise(x)
    torch.manual_seed(1)
    assert torch.equal(first, torch.randn(2, 3, 3, 3))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"variant": "S5"}, "variant='S5' is unknown; use one of 'S1', 'S2', 'S3', 'S4'"),
        ({"nodes": 5}, "nodes=5: the operations of S1 are known for 4 nodes"),
        ({"operations": {}}, r"'normal\.2<-0' is missing"),
        ({"variant": "S2", "layers": 1}, "layers=1"),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        zoo.robust_darts(**options)


def test_operations_of_edges_that_there_are_not_are_refused() -> None:
    edges = {f"{cell}.2<-{source}": ("skip_connect",) for cell in ("normal", "reduce") for source in range(2)}
    with pytest.raises(UsageError, match=r"'normal\.9<-0' is no edge"):
        zoo.robust_darts(operations={**edges, "normal.9<-0": ("skip_connect",)}, nodes=1, **TINY)
