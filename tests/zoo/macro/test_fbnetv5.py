"""FBNetV5's space: what it counts, what it costs, and what its heads return."""

from __future__ import annotations

import pytest
import torch

from supernet import measure, zoo
from supernet.errors import UsageError


def test_every_block_and_every_exchange_is_there_or_not() -> None:
    with torch.device("meta"):
        net = zoo.fbnetv5()
    assert net.space.size == 2 ** (4 * (1 + 1 + 3 + 2) + 4 * 12)
    assert [len(choice) for choice in net.space.choices] == [2] * 76


def test_its_weights_are_those_counted_by_hand() -> None:
    """Convolutions without BatchNorm: a block is c·e·c + k²·e·c + e·c·c."""
    net = zoo.fbnetv5(variant="tiny", num_classes=10, in_channels=1, image_size=8)
    stem, begins = 9 * 8, 8 * 16 + 9 * 16 + 16 * 12 + 12 * 24 + 9 * 24 + 24 * 16
    blocks = {0: 12 * 24 + 9 * 24 + 24 * 12, 1: 16 * 32 + 9 * 32 + 32 * 16}
    down, up = 9 * 12 + 12 * 16, 16 * 12
    head = 28 * 32 + 32 + 32 * 10 + 10
    whole = stem + begins + 2 * (sum(blocks.values()) + down + up) + head
    assert measure.params(net, net.space.largest(), norm=False) == whole
    assert measure.params(net, net.space.smallest(), norm=False) == stem + begins + head


def test_heads_return_what_their_tasks_ask_for() -> None:
    heads = ("kinds=images:3", "mask=pixels:4", "objects=boxes:8")
    net = zoo.fbnetv5(variant="tiny", heads=heads, in_channels=1, image_size=16)
    found = net(torch.randn(2, 1, 16, 16), net.space.largest())
    assert {name: tuple(x.shape) for name, x in found.items()} == {
        "kinds": (2, 3), "mask": (2, 4, 8, 8), "objects": (2, 8, 8, 8),
    }  # fmt: skip
    quiet = net.module.heads["objects"].values.bias  # type: ignore[index,union-attr]
    assert torch.sigmoid(quiet)[:3].tolist() == pytest.approx([0.01] * 3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"heads": ("mask",)}, "no name=form:values"),
        ({"heads": ("mask=pixel:3",)}, "no name=form:values"),
        ({"heads": ("mask=pixels:3", "mask=images:3")}, "a name twice"),
        ({"heads": ("objects=boxes:5",)}, "number of classes"),
        ({"image_size": 10}, "a multiple of 4"),
        ({"variant": "b"}, "does not exist"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        zoo.fbnetv5(**{"variant": "tiny", "image_size": 16, **given})  # type: ignore[arg-type]
