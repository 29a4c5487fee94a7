import math
from dataclasses import dataclass, replace

import pytest
import sacrebleu
import torch
import torch.nn.functional as F

from supernet import Choice, ElasticLinear, Supernet, deploy, measure, methods, search
from supernet.data import TensorSplit
from supernet.data.data import Data
from supernet.errors import UsageError
from supernet.nn.batch import Batch
from supernet.nn.output import Output
from supernet.tasks import Generates, Task, Translation, take_in
from supernet.train import fit

PAD, START, END, V, T = 0, 1, 2, 9, 6


@dataclass(frozen=True)
class Letters:
    """The tokens 3 … are the words aa, bb …"""

    size: int = V
    pad: int = PAD
    start: int = START
    end: int = END

    def text(self, tokens, /):
        kept = tokens[: tokens.index(END)] if END in tokens else tokens
        return " ".join(2 * chr(ord("a") + token - 3) for token in kept if token > END)


TASK = Translation(Letters())


def pairs(n=24, seed=0):
    """The source is letters, the target the letters after them; both of several lengths."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, T, (n, 1), generator=generator)
    places = torch.arange(T)
    source = torch.randint(3, V - 1, (n, T), generator=generator)
    ended = torch.where(places < lengths, source, torch.where(places == lengths, END, PAD))
    y = torch.where(ended > END, ended + 1, ended)
    before = torch.cat([torch.full((n, 1), START), y[:, :-1].masked_fill(y[:, :-1] == END, PAD)], 1)
    return {"input_ids": ended, "decoder_input_ids": before}, y


def data_of(task=TASK):
    x, y = pairs()
    split = TensorSplit(x=x, y=y)
    return Data(name="letters", train=split, validation=split, shape=split.shape, task=task)


class Aligned(torch.nn.Module):
    """Says at every place what stands there in the source, and knows the token before."""

    def __init__(self, width):
        super().__init__()
        self.source, self.before = torch.nn.Embedding(V, 16), torch.nn.Embedding(V, 16)
        self.hidden, self.head = ElasticLinear(16, width), ElasticLinear(width, V)

    def forward(self, input_ids, decoder_input_ids):
        return self.head(self.hidden(self.source(input_ids) + self.before(decoder_input_ids)).relu())


def aligned():
    torch.manual_seed(0)
    return Supernet(Aligned(Choice("width", (8, 32))))


def test_padding_never_counts_and_the_loss_is_that_of_the_rest():
    assert isinstance(TASK, Task)
    x, y = pairs(5)
    y[0, 0] = -100
    generator = torch.Generator().manual_seed(1)
    logits, taught = torch.randn(2, 5, T, V, generator=generator)
    batch = Batch(x, y)
    each = []
    for b in range(5):
        asked = [t for t in range(T) if y[b, t] not in (PAD, -100)]
        each.append(torch.stack([F.cross_entropy(logits[b, t], y[b, t], label_smoothing=0.1) for t in asked]).mean())
    found = TASK.loss(Output(logits), batch, label_smoothing=0.1, reduction="sum")
    assert found.item() == pytest.approx(torch.stack(each).sum().item(), rel=1e-5)

    hidden = (y == PAD) | (y == -100)
    other = Output(torch.where(hidden[:, :, None], 9 * torch.randn(5, T, V), logits))
    assert TASK.loss(other, batch) == TASK.loss(Output(logits), batch)
    assert TASK.errors(other, batch) == TASK.errors(Output(logits), batch)
    assert TASK.distillation(other, Output(taught), batch) == TASK.distillation(Output(logits), Output(taught), batch)
    meters = [TASK.meter(), TASK.meter()]
    for meter, output in zip(meters, (Output(logits), other), strict=True):
        meter.add(output, batch)
    assert meters[0].values() == meters[1].values()
    tokens = F.cross_entropy(logits[~hidden], y[~hidden])
    assert meters[0].values()["perplexity"] == pytest.approx(tokens.exp().item(), rel=1e-5)


@pytest.mark.parametrize("tokenize", ["13a", "char"])
def test_bleu_is_that_of_sacrebleu(tokenize):
    task = replace(TASK, beam=2, tokenize=tokenize)
    assert [score.name for score in task.scores] == ["bleu", "perplexity", "token_accuracy", "loss"]
    x, y = pairs(8)
    told = y.clone()
    told[:4, 0] = torch.where(told[:4, 0] > END, 3, told[:4, 0])  # some of the answers are wrong

    def network(given):  # certain of what it says, whatever it is called with
        row = {tuple(source.tolist()): n for n, source in enumerate(x["input_ids"])}
        chosen = torch.stack([told[row[tuple(source.tolist())]] for source in given["input_ids"]])
        return Output(20.0 * F.one_hot(chosen, V))

    meter = task.meter()
    assert isinstance(meter, Generates)
    assert not isinstance(TASK.meter(), Generates)
    for part in (slice(0, 3), slice(3, 8)):
        batch = Batch(x, y).part(part)
        take_in(meter, network(batch.x), batch, network)
    words = Letters()
    written, asked = ([words.text(tokens) for tokens in side.tolist()] for side in (told, y))
    expected = sacrebleu.corpus_bleu(written, [asked], tokenize=tokenize).score
    assert 0 < expected < 100
    assert meter.values()["bleu"] == pytest.approx(expected, abs=1e-9)


def test_a_supernet_is_trained_searched_by_bleu_exported_and_verified(tmp_path):
    data, recipe = data_of(), methods.sandwich().with_weights(lr=0.5, per=None)
    net, options = aligned(), {"steps": 25, "batch_size": 12, "progress": False}
    fit(net, recipe, data, **options)
    again = aligned()
    fit(again, recipe, data, **options, out=tmp_path / "run", stop_after=9, checkpoint_every=9)
    again = aligned()
    fit(again, recipe, data, **options, out=tmp_path / "run", resume=True)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))

    written = data.for_task(replace(TASK, beam=2))
    front = search.random(net, written, objectives=("bleu", "macs"), budget=2)
    best = front.best()
    assert best.values["bleu"] > 50
    assert measure.scores(net, best.arch, data).value < 2  # perplexity, where there is no beam
    for suffix, batch_size in (("onnx", None), ("pt2", 3)):
        exported = deploy.export(net, best.arch, tmp_path / f"net.{suffix}", data=written, batch_size=batch_size)
        found = deploy.verify(exported.files[0], exported.module, data.validation, task=written.task, images=10)
        assert found.scores_file["bleu"] == pytest.approx(found.scores_module["bleu"])
        expected = measure.scores(net, best.arch, written, images=10)
        assert found.scores_file["bleu"] == pytest.approx(expected.value)
        assert found.scores_file["loss"] == pytest.approx(expected.loss, rel=1e-4)
        untrained = deploy.extract(aligned(), best.arch, data)
        other = deploy.verify(exported.files[0], untrained, data.validation, task=written.task, images=10, tolerance=99)
        assert other.scores_file == found.scores_file  # the file itself has written, and not the module
        assert other.scores_module["bleu"] < 10


def test_what_is_written_is_cut_at_the_end_and_greedy_without_a_beam():
    x, y = pairs(4)

    def network(given):
        assert (given["decoder_input_ids"][:, 0] == START).all()
        return Output(9.0 * F.one_hot(torch.where(given["input_ids"] > END, given["input_ids"] + 1, END), V))

    assert torch.equal(TASK.generate(network, x), y)
    masks = {"decoder_attention_mask": torch.ones(4, T, dtype=torch.int64)}
    seen = []

    def masked(given):
        seen.append(given.pop("decoder_attention_mask"))
        return network(given)

    assert torch.equal(TASK.generate(masked, x | masks), y)
    assert [int(mask[-1].sum()) for mask in seen] == list(range(1, len(seen) + 1))  # as much as is written


def refused(words, x=None, y=None, logits=None):
    x, y = pairs(3)[0] if x is None else x, pairs(3)[1] if y is None else y
    output = Output(torch.zeros(3, T, V) if logits is None else logits)
    with pytest.raises(UsageError, match=words):
        TASK.check(output, Batch(x, y), data="mine", classes=0)


def test_checks_name_what_does_not_fit():
    x, y = pairs(3)
    TASK.check(Output(torch.zeros(3, T, V)), Batch(x, y), data="mine", classes=0)
    refused("targets of mine have the token 9, but tokens go from 0 to 8", y=y.masked_fill(y == END, V))
    refused(
        "decoder_input_ids of mine have the token 11, but",
        x=x | {"decoder_input_ids": x["decoder_input_ids"].masked_fill(x["decoder_input_ids"] == START, 11)},
    )
    refused("vocabulary of mine has 9 tokens, but the network returns 8", logits=torch.zeros(3, T, V - 1))
    refused("needs the inputs 'input_ids'", x=x["input_ids"])
    refused("all are padding", y=torch.zeros_like(y))
    refused("'decoder_input_ids' themselves", x=x | {"decoder_input_ids": y})
    refused("one target per token", x=x | {"decoder_input_ids": y[:, :3]})
    with pytest.raises(UsageError, match="beam=-1"):
        Translation(Letters(), beam=-1)
    assert TASK.chance(0) == math.log(V)
    assert TASK.outputs(0) == V
