"""Some answers of exported networks, for people to look at."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from supernet.data import Data
from supernet.io import schema
from supernet.io.png import png
from supernet.measure.untouched import placed_like, untouched
from supernet.nn.batch import Batch, called
from supernet.nn.output import as_output
from supernet.tasks import Joint, Sample, Shows

EXAMPLES = 4
"""How many answers of each network are kept."""

_SIDE = 192  # pixels of a picture at most; larger ones are thinned
_LETTERS = 600  # of a text
_BOXES = 12  # of an image, the surest
_IGNORED = (128, 128, 128)
_GOLDEN = 0.618034  # of a turn of the colour wheel: hues of neighbouring classes lie far apart


def samples_of(name: str, module: nn.Module, data: Data) -> list[schema.Sample]:
    """What a network says of the first test examples, or of validation examples where there are none of these.

    Nothing where the task shows no answers (`tasks.Shows`). The network is left as it was.

    Args:
        name: Name of the network.
        module: The network, with one forward of a batch.
        data: The data, whose test examples can be read.
    """
    task = data.task
    if not isinstance(task, Shows):
        return []
    split = data.validation if data.held_out is None else data.test
    batch = next(split.batches(EXAMPLES, limit=EXAMPLES))
    with torch.no_grad(), untouched(module):
        x = placed_like(module, batch.x)
        output = as_output(called(module, x))
        shown = task.show(output, Batch(x, batch.y), lambda given: called(module, given))
    classes = () if isinstance(task, Joint) else data.classes  # of which of the tasks, the data do not say
    return [_told(name, sample, classes) for sample in shown]


def _told(name: str, sample: Sample, classes: Sequence[str]) -> schema.Sample:
    def named(label: int) -> str:
        return classes[label] if 0 <= label < len(classes) else str(label)

    seen = {label for mask in sample.masks.values() for label in np.unique(mask.cpu().numpy()).tolist()}
    labels = sorted(seen - {sample.ignored})
    return schema.Sample(
        network=name,
        texts={what: _cut(text) for what, text in sample.texts.items()},
        image=None if sample.image is None else png(_picture(sample.image)),
        size=None if sample.image is None else (sample.image.shape[2], sample.image.shape[1]),
        masks={what: png(_painted(mask, sample.ignored)) for what, mask in sample.masks.items()},
        boxes={
            what: [schema.Box(*box[:4], named(box.label), box.score) for box in boxes[:_BOXES]]
            for what, boxes in sample.boxes.items()
        },
        classes={named(label): "#{:02x}{:02x}{:02x}".format(*_colour(label)) for label in labels},
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LETTERS else text[:_LETTERS] + "…"


def _picture(image: Tensor) -> NDArray[np.uint8]:
    """Bytes (H, W) or (H, W, 3) of an image (C, H, W), stretched from its darkest to its brightest value."""
    pixels = _thinned(image.float().cpu()).nan_to_num(posinf=0.0, neginf=0.0)
    pixels = pixels[:3] if len(pixels) >= 3 else pixels[:1]
    low, high = pixels.min(), pixels.max()
    scaled = (pixels - low) / (high - low).clamp(min=1e-12)
    found: NDArray[np.uint8] = (scaled * 255).round().byte().permute(1, 2, 0).numpy()
    return found[..., 0] if found.shape[2] == 1 else found


def _painted(mask: Tensor, ignored: int | None) -> NDArray[np.uint8]:
    """Bytes (H, W, 3): a mask (H, W) in the colours of its classes."""
    labels = _thinned(mask.cpu()).numpy()
    found = np.zeros((*labels.shape, 3), dtype=np.uint8)
    for label in np.unique(labels).tolist():
        found[labels == label] = _IGNORED if label == ignored else _colour(label)
    return found


def _thinned(pixels: Tensor) -> Tensor:
    step = math.ceil(max(pixels.shape[-2:]) / _SIDE)
    return pixels[..., ::step, ::step]


def _colour(label: int) -> tuple[int, int, int]:
    """The colour of a class; the first one, which often is the background, is dark."""
    if label == 0:
        return (38, 44, 54)
    red, green, blue = colorsys.hls_to_rgb((label * _GOLDEN) % 1, 0.58, 0.62)
    return round(255 * red), round(255 * green), round(255 * blue)
