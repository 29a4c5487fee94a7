"""Some answers of networks: those of the task, drawn so that others read the same."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image

from small_tasks import squares, task_net
from supernet.data import TensorSplit, causal_text
from supernet.data.data import Data
from supernet.nn.batch import Batch
from supernet.nn.output import Output, as_output
from supernet.runs.samples import EXAMPLES, samples_of
from supernet.tasks import Detection, Joint, LanguageModelling, Segmentation, Translation


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_masks_are_those_of_the_truth_and_of_the_network() -> None:
    data, net = squares("segmentation"), task_net("segmentation")
    module = net.extract(net.space.largest())
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    found = samples_of("best", module.train(), data)
    assert len(found) == EXAMPLES
    assert module.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    batch = next(data.test.batches(EXAMPLES))
    with torch.no_grad():
        logits = as_output(module.eval()(batch.x)).logits
    said = torch.nn.functional.interpolate(logits, size=(16, 16), mode="bilinear").argmax(1)
    for number, sample in enumerate(found):
        assert (sample.network, sample.size) == ("best", (16, 16))
        assert sample.image is not None
        grey = pixels(sample.image)
        assert (grey.min(), grey.max(), grey.argmax()) == (0, 255, int(batch.images[number].argmax()))
        colours = {name: tuple(bytes.fromhex(told[1:])) for name, told in sample.classes.items()}
        for what, mask in (("truth", batch.labels[number]), ("network", said[number])):
            wanted = [[colours[data.classes[label]] for label in row] for row in mask.tolist()]
            assert np.array_equal(pixels(sample.masks[what]), np.array(wanted, dtype=np.uint8))


def test_boxes_are_told_with_their_classes_the_surest_first() -> None:
    data, net = squares("detection"), task_net("detection")
    data = data.for_task(replace(data.task, score_threshold=0.0))  # type: ignore[type-var]
    assert isinstance(data.task, Detection)
    found = samples_of("best", net.extract(net.space.largest()), data)
    batch = next(data.test.batches(EXAMPLES))
    assert not isinstance(batch.y, torch.Tensor)
    for number, sample in enumerate(found):
        real = batch.y["labels"][number] >= 0
        boxes = [[box.left, box.top, box.right, box.bottom] for box in sample.boxes["truth"]]
        assert boxes == batch.y["boxes"][number][real].tolist()
        assert [box.label for box in sample.boxes["truth"]] == [
            data.classes[k] for k in batch.y["labels"][number][real]
        ]
        sure = [box.score or 0.0 for box in sample.boxes["network"]]
        assert 0 < len(sure) <= 12
        assert sure == sorted(sure, reverse=True)


@dataclass(frozen=True)
class Letters:
    """The tokens 3 … are the letters a, b …"""

    size: int = 9
    pad: int = 0
    start: int = 1
    end: int = 2

    def text(self, tokens: list[int], /) -> str:
        kept = tokens[: tokens.index(2)] if 2 in tokens else tokens
        return "".join(chr(ord("a") + token - 3) for token in kept if token > 2)


class Next(torch.nn.Module):
    """Says at every place the letter after that of the source."""

    def forward(self, input_ids: torch.Tensor, decoder_input_ids: torch.Tensor) -> torch.Tensor:
        said = torch.where(input_ids > 2, input_ids + 1, 2)[:, : decoder_input_ids.shape[1]]
        return 9.0 * torch.nn.functional.one_hot(said, 9).float()


def test_translations_stand_below_source_and_reference() -> None:
    x = {"input_ids": torch.tensor([[3, 4, 2, 0], [5, 2, 0, 0]])}
    x["decoder_input_ids"] = torch.tensor([[1, 4, 5, 0], [1, 7, 0, 0]])
    split = TensorSplit(x=x, y=torch.tensor([[4, 5, 2, 0], [7, 2, 0, 0]]))
    task = Translation(Letters())
    data = Data(name="letters", train=split, validation=split, shape=split.shape, task=task)
    found = [sample.texts for sample in samples_of("n", Next(), data)]
    assert found == [
        {"source": "ab", "reference": "bc", "network": "bc"},
        {"source": "c", "reference": "e", "network": "d"},
    ]


class CountsOn(torch.nn.Module):
    """Says at every place the letter after the one that stands there, and after the last one the end."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        return 9.0 * torch.nn.functional.one_hot(torch.where(input_ids < 8, input_ids + 1, 2), 9).float()


def test_a_text_is_shown_in_halves_and_as_the_network_goes_on() -> None:
    # Of eight letters the network sees four, which ended a text before, and writes until a text ends.
    x = torch.tensor([[3, 2, 5, 6, 3, 2, 4, 2], [4, 5, 6, 4, 4, 4, 4, 4]])
    split = TensorSplit(x=x, y=torch.roll(x, -1, 1))
    data = Data(name="letters", train=split, validation=split, shape=split.shape, task=LanguageModelling(9))
    assert samples_of("n", CountsOn(), data) == [], "tokens without words say nothing"
    task = LanguageModelling(9, words=Letters())
    assert [sample.texts for sample in samples_of("n", CountsOn(), data.for_task(task))] == [
        {"text": "a\ncd", "goes on": "a\nb", "network": "ef"},
        {"text": "bcdb", "goes on": "bbbb", "network": "cdef"},
    ]
    mask = torch.tensor([[1, 1, 1, 1, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0]])
    hidden = TensorSplit(x={"input_ids": x, "attention_mask": mask}, y=split.y)
    data = Data(name="letters", train=hidden, validation=hidden, shape=hidden.shape, task=task)
    assert [sample.texts for sample in samples_of("n", CountsOn(), data)] == [
        {"text": "a\nc", "goes on": "da", "network": "def"},
        {"text": "b", "goes on": "", "network": "cdef"},
    ]
    assert task == LanguageModelling(9)
    assert repr(task) == repr(LanguageModelling(9)), "a run goes on with data that have no words yet"


def test_texts_of_a_data_set_have_words() -> None:
    data = causal_text("abcabcabd" * 60, vocabulary=259, length=8)
    (first, *_) = samples_of("n", Silent(), data)
    tokens = next(data.test.batches(1)).x[0].tolist()
    assert isinstance(data.task, LanguageModelling)
    assert data.task.words is not None
    assert first.texts == {
        "text": data.task.words.text(tokens[:4]),
        "goes on": data.task.words.text(tokens[4:]),
        "network": "",
    }
    assert first.texts["text"] in "abcabcabd" * 2


class Silent(torch.nn.Module):
    """Ends every text at once."""

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.one_hot(torch.full_like(input_ids, 2), 259).float()


def test_of_several_tasks_each_shows_what_it_has() -> None:
    data, net = squares("joint"), task_net("joint")
    found = samples_of("n", net.extract(net.space.largest()), data)
    alone = samples_of("n", task_net("segmentation").extract(net.space.largest()), squares("segmentation"))
    assert [one.masks["truth"] for one in found] == [one.masks["truth"] for one in alone], "a class has no picture"
    named = samples_of("n", net.extract(net.space.largest()), replace(data, classes=("none", "one", "two")))
    assert {name for one in named for name in one.classes} <= set("0123"), "the names are those of one task"
    both = Joint({"mask": (Segmentation(), 1.0), "again": (Segmentation(), 1.0)})
    masks = next(squares("segmentation").test.batches(2))
    output = Output(torch.zeros(2, 3, 16, 16), heads={"again": torch.ones(2, 3, 16, 16)})
    shown = both.show(output, Batch(masks.x, {"mask": masks.labels, "again": masks.labels}), net)
    assert list(shown[1].masks) == ["mask, truth", "mask, network", "again, truth", "again, network"]


def test_a_task_that_shows_nothing_has_no_samples() -> None:
    net = task_net("classification")
    assert samples_of("n", net.extract(net.space.largest()), squares("classification")) == []
