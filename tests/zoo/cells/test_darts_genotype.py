"""Genotypes in and out, and the published ones with the parameters of their networks."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch

from supernet import Supernet, measure, zoo
from supernet.errors import UsageError
from supernet.zoo.cells.darts_genotype import Genotype
from supernet.zoo.cells.darts_published import GENOTYPES
from zoo_networks import count_params

V2 = GENOTYPES["DARTS_V2"].genotype


@functools.cache
def final(*, none: bool) -> Supernet:
    with torch.device("meta"):  # without data, which the counts do not need
        return zoo.darts(channels=36, layers=20, affine=True, none=none)


def small(**options: Any) -> Supernet:
    return zoo.darts(channels=2, layers=3, **options)


@pytest.mark.slow
@pytest.mark.parametrize("name", GENOTYPES)
def test_published_cells_have_the_parameters_of_their_networks(name: str) -> None:
    genotype, params, _ = zoo.darts_published(name)
    net = final(none="none" in dict(genotype.reduce))
    arch = zoo.darts_arch(net.space, genotype)
    assert measure.params(net, arch) / 1e6 == pytest.approx(params, abs=5e-4)
    again = zoo.darts_genotype(arch)
    for cell in ("normal", "reduce"):
        ours, theirs = getattr(again, cell), getattr(genotype, cell)
        assert [sorted(ours[i : i + 2]) for i in (0, 2, 4, 6)] == [sorted(theirs[i : i + 2]) for i in (0, 2, 4, 6)]


@pytest.mark.slow
def test_an_extracted_network_has_the_published_parameters() -> None:
    net = zoo.darts(channels=36, layers=20, affine=True)
    subnet = net.extract(zoo.darts_arch(net.space, V2))
    assert round(count_params(subnet) / 1e6, 3) == 3.349


def test_the_text_of_a_genotype_reads_back() -> None:
    space = small().space
    for arch in space.wrap(space.population(np.random.default_rng(0), 50)):
        genotype = zoo.darts_genotype(arch)
        assert zoo.darts_arch(space, genotype) == zoo.darts_arch(space, str(genotype)) == arch
    printed = str(V2).replace("normal_concat=[2, 3, 4, 5]", "normal_concat=range(2, 6)")
    assert "range" in printed
    assert zoo.darts_arch(space, printed) == zoo.darts_arch(space, V2)


@pytest.mark.slow
def test_the_search_and_the_final_network_share_architectures() -> None:
    arch = zoo.darts_arch(small().space, V2)
    assert final(none=False).space.from_json(arch.to_json()) == arch


def test_cells_of_all_edges_have_fourteen() -> None:
    space = small(inputs="all", none=True).space
    for arch in space.wrap(space.population(np.random.default_rng(0), 5)):
        genotype = zoo.darts_genotype(arch)
        assert len(genotype.normal) == 14
        assert zoo.darts_arch(space, genotype) == arch


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"normal": V2.normal[:6]}, "normal cell of the genotype has 6 edges.*cells of this space have 8"),
        ({"reduce_concat": (2, 3)}, r"reduce cell .* joins the nodes \[2, 3\]"),
        ({"normal": (("conv_7x7", 0), *V2.normal[1:])}, "has 'conv_7x7' on the edge 'normal.2<-0', where this space"),
        ({"normal": (("none", 0), *V2.normal[1:])}, "has 'none' on the edge .*Build the network with none=True"),
        ({"normal": (*V2.normal[:2], V2.normal[2], V2.normal[2], *V2.normal[4:])}, r"Node 3 .* edges from \(0, 0\)"),
        ({"normal": (("skip_connect", 2), *V2.normal[1:])}, r"Node 2 .* from \(1, 2\); in this space it takes 2"),
    ],
)
def test_cells_that_the_space_does_not_hold_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        zoo.darts_arch(small().space, V2._replace(**change))


@pytest.mark.parametrize(
    "text",
    ["", "Genotype", "Genotype(1, 2)", "Genotype(normal=[])", str(V2).replace("('sep_conv_3x3', 0)", "(0, 'sep', 1)")],
)
def test_what_is_no_genotype_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a genotype: .*Write Genotype\(normal="):
        zoo.darts_arch(small().space, text)


def test_nothing_in_a_text_is_run() -> None:
    with pytest.raises(UsageError, match="not a genotype"):
        zoo.darts_arch(small().space, str(V2).replace("[2, 3, 4, 5]", "print('ran')"))


@pytest.mark.parametrize("net", [zoo.nasbench201, lambda: small(inputs="subsets"), lambda: small(several_ops=True)])
def test_other_spaces_have_no_genotypes(net: Any) -> None:
    space = net().space
    for ask in (lambda: zoo.darts_arch(space, V2), lambda: zoo.darts_genotype(space.smallest())):
        with pytest.raises(UsageError, match=r"Genotypes describe cells .*zoo\.darts\(\)"):
            ask()


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UsageError, match=r"No published cells are named 'DARTS_V3'.*Did you mean 'DARTS_V"):
        zoo.darts_published("DARTS_V3")


def test_a_genotype_prints_in_the_notation_of_the_authors() -> None:
    pairs = (("skip_connect", 0), ("sep_conv_3x3", 1))
    assert str(Genotype(pairs, (2,), pairs, (2,))) == (
        "Genotype(normal=[('skip_connect', 0), ('sep_conv_3x3', 1)], normal_concat=[2], "
        "reduce=[('skip_connect', 0), ('sep_conv_3x3', 1)], reduce_concat=[2])"
    )
