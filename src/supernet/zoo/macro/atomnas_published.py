"""The channels that AtomNAS's authors found, by layer and kernel."""

from __future__ import annotations

from typing import Literal, TypeAlias

Searched: TypeAlias = Literal["a", "b", "c"]

KERNELS = (3, 5, 7)

# Channels of the kernels 3, 5 and 7 in the 21 layers, from the configurations of the released code.
FOUND: dict[Searched, tuple[tuple[int, int, int], ...]] = {
    "a": (
        (16, 12, 9), (19, 2, 1), (9, 7, 1), (14, 1, 0),
        (46, 49, 50), (27, 19, 14), (22, 11, 3), (30, 14, 3),
        (127, 130, 111), (33, 25, 45), (38, 12, 34), (53, 23, 19),
        (344, 196, 168), (44, 18, 27), (37, 29, 18), (52, 21, 24),
        (381, 364, 342), (123, 76, 162), (179, 107, 212), (238, 111, 171),
        (654, 495, 546),
    ),
    "b": (
        (7, 15, 17), (16, 4, 0), (17, 7, 1), (22, 4, 1),
        (58, 66, 67), (39, 24, 17), (22, 13, 3), (38, 16, 3),
        (166, 148, 151), (31, 43, 65), (41, 15, 28), (77, 21, 43),
        (378, 256, 204), (54, 31, 32), (54, 26, 26), (73, 42, 26),
        (442, 433, 430), (154, 112, 263), (234, 142, 282), (295, 190, 202),
        (766, 631, 671),
    ),
    "c": (
        (15, 23, 13), (20, 3, 2), (21, 8, 1), (21, 4, 0),
        (64, 65, 70), (40, 23, 28), (36, 21, 9), (40, 22, 7),
        (169, 170, 157), (45, 55, 74), (58, 21, 37), (77, 18, 39),
        (393, 263, 247), (57, 40, 36), (61, 34, 26), (87, 38, 33),
        (454, 468, 468), (188, 137, 306), (253, 187, 314), (345, 202, 233),
        (823, 738, 749),
    ),
}  # fmt: skip


def atomnas_sizes(name: Searched) -> dict[str, int]:
    """What `zoo.atomnas(sizes=…)` takes, of a network that the authors found.

    Args:
        name: `"a"`, `"b"` or `"c"`; the builder's `variant` is the same letter.

    >>> sizes = atomnas_sizes("a")
    >>> sizes["layer1.k3"], "layer4.k7" in sizes, sum(sizes.values())
    (16, False, 6168)
    """
    return {
        f"layer{number}.k{kernel}": channels
        for number, layer in enumerate(FOUND[name], start=1)
        for kernel, channels in zip(KERNELS, layer, strict=True)
        if channels
    }
