"""What the exported networks answer to some examples."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from supernet.io.schema import Box, Sample
from supernet.report.run_files import RunFiles
from supernet.report.units import THIN

_SHOWN = 24  # examples of all networks together
_TRUTH = "truth"


def samples(run: RunFiles) -> dict[str, Any] | None:
    """Masks beside images, boxes in them, and texts below each other, by network."""
    if not run.samples:
        return None
    shown = run.samples[:_SHOWN]
    names = dict.fromkeys(sample.network for sample in shown)
    groups = [(name, [_view(sample) for sample in shown if sample.network == name]) for name in names]
    sentences = [
        "These are the first examples of the test split, or of validation where there is none, not chosen ones."
    ]
    if len(run.samples) > _SHOWN:
        sentences.append(f"{_SHOWN} of {len(run.samples)} are shown; samples.json holds all.")
    return {"title": "What the networks answer", "groups": groups, "sentences": sentences}


def _view(sample: Sample) -> dict[str, Any]:
    return {
        "texts": list(sample.texts.items()),
        "pictures": list(_pictures(sample)),
        "classes": list(sample.classes.items()),
    }


def _pictures(sample: Sample) -> Iterator[dict[str, Any]]:
    """The image, then its masks, or itself again under each set of boxes."""
    if sample.image is not None and not sample.boxes:
        yield {"caption": "image", "png": _base64(sample.image), "size": None, "boxes": []}
    for what, mask in sample.masks.items():
        yield {"caption": what, "png": _base64(mask), "size": None, "boxes": []}
    if sample.image is not None and sample.size is not None:
        for what, boxes in sample.boxes.items():
            drawn = [_box(box, what) for box in boxes]
            yield {"caption": what, "png": _base64(sample.image), "size": sample.size, "boxes": drawn}


def _box(box: Box, what: str) -> dict[str, Any]:
    sure = "" if box.score is None else f" {100 * box.score:.0f}{THIN}%"
    place = {"x": box.left, "y": box.top, "width": max(0.0, box.right - box.left)}
    place |= {"height": max(0.0, box.bottom - box.top)}
    return place | {"label": f"{box.label}{sure}", "truth": what.endswith(_TRUTH)}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
