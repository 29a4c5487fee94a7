"""Cells that were published in DARTS's space, with the parameters of their networks."""

from __future__ import annotations

from typing import NamedTuple

from supernet.errors import UsageError
from supernet.space.text import listed
from supernet.zoo.cells.darts_genotype import Genotype, Pairs

_SHORT = {
    "none": "none",
    "skip": "skip_connect",
    "max": "max_pool_3x3",
    "avg": "avg_pool_3x3",
    "sep3": "sep_conv_3x3",
    "sep5": "sep_conv_5x5",
    "dil3": "dil_conv_3x3",
    "dil5": "dil_conv_5x5",
}
_JOINED = (2, 3, 4, 5)


class Published(NamedTuple):
    """A published pair of cells.

    Attributes:
        genotype: The cells.
        params: Parameters in millions of the final network for CIFAR-10, 36 channels and 20 cells without the auxiliary
            head: recounted by a formula that gives the figures that SGAS and DARTS-PT state.
        source: The repository and the file that hold the cells.
    """

    genotype: Genotype
    params: float
    source: str


def darts_published(name: str) -> Published:
    """A published pair of cells by its name, such as `"DARTS_V2"`; `GENOTYPES` beside this function has them all.

    The edges of `SNAS_aggressive` include `"none"`, so that it belongs to `zoo.darts(none=True)`.

    Raises:
        UsageError: there are no cells of this name.

    >>> darts_published("DARTS_V2").genotype.normal[:2]
    (('sep_conv_3x3', 0), ('sep_conv_3x3', 1))
    """
    if name not in GENOTYPES:
        raise UsageError(f"No published cells are named {name!r}; there are {listed(list(GENOTYPES), wanted=name)}.")
    return GENOTYPES[name]


def _cells(normal: str, reduce: str, params: float, source: str) -> Published:
    return Published(Genotype(_pairs(normal), _JOINED, _pairs(reduce), _JOINED), params, source)


def _pairs(text: str) -> Pairs:
    edges = (edge.split(":") for edge in text.split())
    return tuple((_SHORT[op], int(source)) for op, source in edges)


GENOTYPES: dict[str, Published] = {
    "DARTS_V1": _cells(
        "sep3:1 sep3:0 skip:0 sep3:1 skip:0 sep3:1 sep3:0 skip:2",
        "max:0 max:1 skip:2 max:0 max:0 skip:2 skip:2 avg:0",
        3.169,
        "darts, cnn/genotypes.py",
    ),
    "DARTS_V2": _cells(
        "sep3:0 sep3:1 sep3:0 sep3:1 sep3:1 skip:0 skip:0 dil3:2",
        "max:0 max:1 skip:2 max:1 max:0 skip:2 skip:2 max:1",
        3.349,
        "darts, cnn/genotypes.py",
    ),
    "PC_DARTS_CIFAR": _cells(
        "sep3:1 skip:0 sep3:0 dil3:1 sep5:0 sep3:1 avg:0 dil3:1",
        "sep5:1 max:0 sep5:1 sep5:2 sep3:0 sep3:3 sep3:1 sep3:2",
        3.635,
        "PC-DARTS, genotypes.py",
    ),
    "PC_DARTS_ImageNet": _cells(
        "skip:1 sep3:0 sep3:0 skip:1 sep3:1 sep3:3 sep3:1 dil5:4",
        "sep3:0 skip:1 dil5:2 max:1 sep3:2 sep3:1 sep5:0 sep3:3",
        3.722,
        "PC-DARTS, genotypes.py",
    ),
    "DrNAS_CIFAR": _cells(
        "sep3:0 sep5:1 sep3:1 sep3:2 skip:0 sep3:1 sep3:2 dil5:3",
        "max:0 sep5:1 dil5:2 sep5:1 sep5:1 dil5:3 skip:4 sep5:1",
        4.099,
        "DrNAS, DARTS-space/genotypes.py",
    ),
    "DrNAS_ImageNet": _cells(
        "sep3:1 sep3:0 sep3:0 sep3:1 sep3:0 dil3:3 skip:0 sep3:1",
        "max:0 sep3:1 sep3:0 skip:2 sep3:0 sep3:2 sep3:3 sep3:1",
        4.049,
        "DrNAS, DARTS-space/genotypes.py",
    ),
    "SGAS_Cri1_CIFAR": _cells(
        "sep3:0 dil3:1 sep3:0 sep3:1 sep5:1 sep5:3 skip:0 dil5:2",
        "max:0 dil5:1 sep3:0 skip:2 sep3:1 skip:2 max:0 max:1",
        3.795,
        "sgas, cnn/genotypes.py",
    ),
    "SGAS_Cri2_CIFAR": _cells(
        "sep3:0 sep3:1 sep3:0 sep3:2 max:0 sep3:3 sep3:2 sep3:3",
        "sep3:0 max:1 dil3:0 max:1 max:0 sep3:2 max:0 sep5:2",
        4.094,
        "sgas, cnn/genotypes.py",
    ),
    "SGAS_Cri2_ImageNet": _cells(
        "sep3:0 sep3:1 sep3:0 sep3:1 dil5:0 dil3:2 sep3:1 dil5:3",
        "sep5:0 dil3:1 max:0 max:1 dil3:0 dil5:2 max:0 avg:1",
        3.909,
        "sgas, cnn/genotypes.py",
    ),
    "DOTS_CIFAR": _cells(
        "skip:0 sep3:1 sep3:0 sep3:1 sep3:0 sep3:1 skip:1 dil3:3",
        "sep3:0 sep3:1 max:0 max:1 max:0 dil5:3 max:0 dil5:4",
        3.526,
        "DOTS, pytorch/genotypes.py",
    ),
    "DOTS_CIFAR100": _cells(
        "sep3:0 sep3:1 skip:0 sep3:1 sep3:1 sep3:3 sep3:1 dil3:4",
        "avg:0 avg:1 sep5:0 sep5:1 sep3:0 dil5:3 sep3:3 dil3:4",
        4.009,
        "DOTS, pytorch/genotypes.py",
    ),
    "DOTS_ImageNet": _cells(
        "dil5:0 skip:1 skip:0 sep3:1 sep3:0 sep3:1 sep3:0 sep5:1",
        "sep5:0 sep3:1 sep3:0 sep5:1 max:0 dil5:3 sep3:0 max:1",
        3.75,
        "DOTS, pytorch/genotypes.py",
    ),
    "DARTS_minus_CIFAR10_0": _cells(
        "sep3:0 sep5:1 sep3:1 dil3:2 skip:1 sep3:0 skip:1 sep3:0",
        "sep3:0 max:1 skip:2 max:0 skip:2 skip:3 skip:2 skip:3",
        3.454,
        "DARTS-, src/eval/genotypes.py",
    ),
    "DARTS_minus_CIFAR10_1": _cells(
        "sep3:0 dil5:1 sep3:0 sep3:1 dil5:1 sep3:0 skip:1 sep3:0",
        "sep3:1 max:0 skip:2 max:1 skip:2 skip:3 skip:2 skip:3",
        3.634,
        "DARTS-, src/eval/genotypes.py",
    ),
    "DARTS_minus_CIFAR10_2": _cells(
        "sep5:1 sep3:0 sep3:0 sep3:1 skip:1 sep5:0 sep3:0 skip:1",
        "sep3:1 sep3:0 skip:2 max:1 skip:2 skip:3 skip:2 skip:3",
        3.739,
        "DARTS-, src/eval/genotypes.py",
    ),
    "DARTS_minus_CIFAR10_3": _cells(
        "sep3:0 sep3:1 sep3:0 sep3:1 sep3:0 dil5:1 skip:1 skip:0",
        "max:0 max:1 skip:2 sep5:0 skip:3 skip:2 skip:3 skip:2",
        3.437,
        "DARTS-, src/eval/genotypes.py",
    ),
    "DARTS_minus_CIFAR10_4": _cells(
        "sep3:0 sep5:1 sep3:1 sep3:0 skip:1 dil3:0 skip:1 sep5:0",
        "max:0 max:1 max:0 skip:2 skip:2 skip:3 skip:2 skip:3",
        3.446,
        "DARTS-, src/eval/genotypes.py",
    ),
    "DARTS_minus_CIFAR100": _cells(
        "dil5:0 dil3:1 sep3:1 dil3:0 dil5:0 dil3:1 sep3:1 dil5:0",
        "max:0 sep5:1 skip:2 sep5:0 skip:2 skip:3 skip:2 skip:3",
        3.369,
        "DARTS-, src/eval/genotypes.py",
    ),
    "GDAS_V1": _cells(
        "skip:0 skip:1 skip:0 sep5:2 sep3:3 skip:0 sep5:4 sep3:3",
        "sep5:0 sep3:1 sep5:2 sep5:1 dil5:2 sep3:1 sep5:0 sep5:1",
        3.369,
        "AutoDL-Projects, xautodl/nas_infer_model/DXYs/genotypes.py",
    ),
    "SNAS_mild": _cells(
        "sep3:0 sep3:1 skip:0 dil3:1 skip:0 skip:1 skip:0 sep3:1",
        "max:0 max:1 max:1 skip:2 max:1 skip:2 max:0 dil5:2",
        2.661,
        "SNAS-Series, SNAS/genotypes.py",
    ),
    "SNAS_moderate": _cells(
        "dil5:0 skip:1 sep3:0 skip:1 skip:0 skip:1 sep3:0 dil5:1",
        "max:0 max:1 sep5:0 dil5:1 sep5:0 sep5:1 sep5:0 sep5:1",
        2.847,
        "SNAS-Series, SNAS/genotypes.py",
    ),
    "SNAS_aggressive": _cells(
        "sep5:0 skip:1 skip:0 skip:1 dil5:1 skip:0 skip:0 dil5:1",
        "sep5:0 none:1 sep5:0 none:1 none:1 none:0 none:1 none:0",
        2.314,
        "SNAS-Series, SNAS/genotypes.py",
    ),
    "P_DARTS": _cells(
        "skip:0 dil3:1 skip:0 sep3:1 sep3:1 sep3:3 sep3:0 dil5:4",
        "avg:0 sep5:1 sep3:0 dil5:2 max:0 dil3:1 dil3:1 dil5:3",
        3.434,
        "pdarts, genotypes.py",
    ),
    "DARTS_PT_0": _cells(
        "sep3:0 sep3:1 sep5:0 dil3:1 skip:0 skip:2 skip:0 max:4",
        "sep3:0 avg:1 dil5:1 dil3:2 avg:0 max:2 sep3:2 skip:4",
        2.851,
        "darts-pt, sota/cnn/genotypes.py",
    ),
    "DARTS_PT_1": _cells(
        "sep3:0 sep3:1 sep3:0 dil3:1 max:0 skip:2 skip:0 dil3:4",
        "dil5:0 avg:1 max:0 sep5:2 max:1 dil3:3 sep5:0 sep3:4",
        3.053,
        "darts-pt, sota/cnn/genotypes.py",
    ),
    "DARTS_PT_2": _cells(
        "skip:0 sep3:1 sep3:0 dil3:1 skip:2 dil3:3 max:1 skip:2",
        "avg:0 max:1 avg:0 sep3:1 dil5:2 skip:3 sep3:2 sep5:4",
        2.658,
        "darts-pt, sota/cnn/genotypes.py",
    ),
    "DARTS_PT_3": _cells(
        "sep3:0 sep3:1 sep3:0 sep3:1 skip:0 skip:2 sep3:1 skip:3",
        "avg:0 sep5:1 max:1 skip:2 dil5:1 max:3 sep5:2 skip:3",
        3.328,
        "darts-pt, sota/cnn/genotypes.py",
    ),
    "DARTS_PT_fixed_0": _cells(
        "sep3:0 sep5:1 sep3:0 sep3:1 avg:1 skip:3 max:0 avg:2",
        "skip:0 sep5:1 dil3:1 sep5:2 max:0 skip:3 max:0 max:2",
        3.04,
        "darts-pt, sota/cnn/genotypes.py",
    ),
    "DARTS_PT_fixed_1": _cells(
        "avg:0 avg:1 sep3:0 max:2 skip:2 sep3:3 sep5:0 sep5:1",
        "max:0 dil5:1 sep3:0 skip:1 avg:2 max:3 sep5:3 sep5:4",
        3.148,
        "darts-pt, sota/cnn/genotypes.py",
    ),
    "DARTS_PT_fixed_2": _cells(
        "avg:0 dil3:1 sep5:0 max:1 max:0 skip:1 sep5:1 avg:2",
        "sep3:0 avg:1 avg:0 sep5:1 max:0 sep5:3 max:2 dil5:4",
        2.582,
        "darts-pt, sota/cnn/genotypes.py",
    ),
    "DARTS_PT_fixed_3": _cells(
        "sep3:0 sep3:1 sep3:0 skip:1 max:2 sep3:3 avg:0 sep5:1",
        "dil5:0 sep5:1 sep5:0 dil3:1 avg:1 skip:2 max:0 skip:4",
        3.405,
        "darts-pt, sota/cnn/genotypes.py",
    ),
    "CDARTS_CIFAR": _cells(
        "sep3:0 sep3:1 sep3:1 sep3:2 sep3:0 sep3:1 skip:0 skip:2",
        "sep5:1 max:0 dil5:2 skip:0 sep3:0 sep5:1 sep3:0 dil5:2",
        3.859,
        "Cream, CDARTS/CDARTS/cells/cifar_genotype.json",
    ),
    "CDARTS_CIFAR_2020": _cells(
        "sep3:1 sep3:0 sep5:1 sep5:0 sep3:0 sep3:1 skip:0 skip:4",
        "sep3:0 skip:1 sep3:0 sep5:1 skip:0 dil3:1 sep5:0 sep3:2",
        4.004,
        "CVPR-2020, CDARTS/cells/cifar_genotype.json",
    ),
    "CDARTS_ImageNet": _cells(
        "sep3:1 sep3:0 sep3:0 sep5:2 sep5:2 sep3:1 sep3:1 sep5:4",
        "sep5:1 avg:0 max:1 dil5:2 sep5:1 dil5:2 sep3:3 dil3:4",
        4.67,
        "Cream, CDARTS/CDARTS/cells/imagenet_genotype.json",
    ),
    "ISTA_NAS_two_stage": _cells(
        "skip:0 dil3:1 sep5:0 dil3:2 dil3:1 sep3:0 sep3:2 skip:0",
        "avg:0 sep5:1 dil5:2 max:1 dil5:3 sep3:1 dil5:4 sep5:1",
        3.317,
        "ISTA-NAS, tools/genotypes.py",
    ),
    "ISTA_NAS_one_stage": _cells(
        "skip:0 dil3:1 sep3:1 dil5:2 avg:3 sep3:1 sep5:1 sep3:2",
        "avg:0 max:1 skip:0 max:1 sep5:1 avg:0 max:0 dil5:2",
        3.364,
        "ISTA-NAS, tools/genotypes.py",
    ),
}
"""Published cells by name."""
