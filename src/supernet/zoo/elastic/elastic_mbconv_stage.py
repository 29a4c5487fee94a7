"""What may vary in the stages of the elastic MBConv space, and defaults by image size."""

from __future__ import annotations

from dataclasses import dataclass

from supernet.errors import UsageError
from supernet.zoo.arguments import check_whole


@dataclass(frozen=True)
class Stage:
    """What may vary in one stage of `mbconv`.

    Attributes:
        widths: Output widths, one of which all blocks of the stage share (they are residual).
        depths: Numbers of blocks that the stage may have.
        kernels: Depthwise kernel sizes, chosen per block.
        expansions: Ratios of hidden to input width, chosen per block.
        stride: Stride of the first block, 1 or 2.

    Raises:
        UsageError: an empty or repeated option, or one out of range.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    kernels: tuple[int, ...] = (3, 5)
    expansions: tuple[int, ...] = (3, 4, 6)
    stride: int = 1

    def __post_init__(self) -> None:
        for label in ("widths", "depths", "kernels", "expansions"):
            options = getattr(self, label)
            if not isinstance(options, tuple) or not options or len(set(options)) != len(options):
                raise UsageError(f"The {label} of a stage are {options!r}; give a tuple of distinct whole numbers.")
            for option in options:
                check_whole(f"One of the {label} of a stage", option)
        if any(kernel % 2 == 0 for kernel in self.kernels):
            raise UsageError(f"The kernels of a stage are {self.kernels}; they must be odd to share a centre.")
        if self.stride not in (1, 2):
            raise UsageError(f"The stride of a stage is {self.stride!r}; use 1 or 2.")


def default_stages(image_size: int) -> tuple[Stage, ...]:
    """Stages for images of this side: about 2 M MACs at 8 pixels, 19 M at 32, 760 M at 224 for the largest net."""
    if image_size < 16:
        return (
            Stage((16, 24), (1, 2), expansions=(2, 3, 4)),
            Stage((24, 32), (1, 2, 3), expansions=(2, 3, 4), stride=2),
            Stage((48, 64), (1, 2, 3), expansions=(2, 3, 4), stride=2),
        )
    if image_size < 64:
        return (
            Stage((16, 24), (1, 2), stride=2),
            Stage((32, 40), (1, 2, 3), stride=2),
            Stage((64, 80), (1, 2, 3), stride=2),
            Stage((96, 112), (1, 2)),
        )
    return (
        Stage((16, 24), (1, 2), (3,), (1, 2)),
        Stage((24, 32), (2, 3, 4), stride=2),
        Stage((40, 48), (2, 3, 4), stride=2),
        Stage((80, 96), (2, 3, 4), stride=2),
        Stage((112, 128), (2, 3, 4)),
        Stage((160, 192), (2, 3, 4), stride=2),
    )


def default_resolutions(image_size: int) -> tuple[int, ...]:
    """Even sides from 5/8 (below 16 pixels: 3/4) of the image up to the image itself.

    >>> default_resolutions(8), default_resolutions(32)
    ((6, 8), (20, 24, 28, 32))
    """
    eighths = (6,) if image_size < 16 else (5, 6, 7)
    return (*sorted({image_size * eighth // 16 * 2 for eighth in eighths} - {0, image_size}), image_size)
