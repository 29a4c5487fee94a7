import math

import pytest
import torch

from supernet import Choice, ElasticLinear, Supernet, measure, methods
from supernet.data import TensorSplit, causal_text
from supernet.data.data import Data
from supernet.errors import RunError, UsageError
from supernet.nn.batch import Batch
from supernet.nn.output import Output
from supernet.tasks import LanguageModelling, Task
from supernet.train import fit

V, B, T = 7, 3, 6


def batch_of(seed=0, *, mask=True):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(V, (B, T), generator=generator)
    y = torch.randint(V, (B, T), generator=generator)
    y[0, 4:] = -100
    given = torch.ones(B, T, dtype=torch.int64)
    given[1, 2:] = 0
    logits = torch.randn(B, T, V, generator=generator)
    return Output(logits), Batch({"input_ids": x, "attention_mask": given} if mask else x, y)


def by_hand(output, batch, *, smoothing=0.0, shift=False):
    """Token losses of each example, one at a time."""
    found = []
    for b in range(B):
        losses = []
        for t in range(T - shift):
            at = t + shift
            hidden = not isinstance(batch.x, torch.Tensor) and not batch.x["attention_mask"][b, at]
            if int(batch.y[b, at]) == -100 or hidden:
                continue
            p = output.logits[b, t].double().exp()
            p = p / p.sum()
            target = torch.full((V,), smoothing / V, dtype=torch.float64)
            target[int(batch.y[b, at])] += 1 - smoothing
            losses.append((-(target * p.log()).sum()).item())
        found.append(losses)
    return found


@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("mask", [False, True])
def test_the_loss_is_the_mean_over_examples_of_means_over_tokens(shift, mask):
    task = LanguageModelling(V, shift=shift)
    assert isinstance(task, Task)
    output, batch = batch_of(mask=mask)
    for smoothing in (0.0, 0.3):
        each = [sum(losses) / len(losses) for losses in by_hand(output, batch, smoothing=smoothing, shift=shift)]
        total = task.loss(output, batch, label_smoothing=smoothing, reduction="sum")
        assert total.item() == pytest.approx(sum(each), rel=1e-5)
        assert task.loss(output, batch, label_smoothing=smoothing).item() == pytest.approx(sum(each) / B, rel=1e-5)
    pieces = [
        task.loss(Output(output.logits[part]), batch.part(part), reduction="sum") for part in (slice(0, 1), slice(1, 3))
    ]
    assert sum(pieces).item() == pytest.approx(task.loss(output, batch, reduction="sum").item(), rel=1e-5)


def test_perplexity_is_exp_of_the_mean_over_all_tokens():
    task, meter = LanguageModelling(V), LanguageModelling(V).meter()
    tokens, examples, right = [], [], 0
    for seed in range(2):
        output, batch = batch_of(seed)
        meter.add(output, batch)
        found = by_hand(output, batch)
        tokens += [loss for losses in found for loss in losses]
        examples += [sum(losses) / len(losses) for losses in found]
        counted = (batch.y != -100) & batch.x["attention_mask"].bool()
        right += int(((output.logits.argmax(-1) == batch.y) & counted).sum())
    values = meter.values()
    assert set(values) == {score.name for score in task.scores}
    assert values["perplexity"] == pytest.approx(math.exp(sum(tokens) / len(tokens)), rel=1e-5)
    assert values["loss"] == pytest.approx(sum(examples) / len(examples), rel=1e-5)
    assert values["token_accuracy"] == pytest.approx(right / len(tokens))
    assert abs(math.log(values["perplexity"]) - values["loss"]) > 1e-3  # the examples are of different lengths


@pytest.mark.parametrize("shift", [False, True])
def test_what_is_hidden_never_counts(shift):
    task = LanguageModelling(V, shift=shift)
    output, batch = batch_of()
    teacher = Output(torch.randn(B, T, V, generator=torch.Generator().manual_seed(5)))
    hidden = (batch.y == -100) | (batch.x["attention_mask"] == 0)
    place = torch.zeros(B, T, dtype=torch.bool)
    place[:, : T - shift] = hidden[:, shift:]  # the logits at t are compared with the target at t or t + 1
    place |= torch.arange(T) >= T - shift
    other = Output(torch.where(place[:, :, None], 50 * torch.randn(B, T, V), output.logits))
    changed = Batch(batch.x, torch.where((batch.y == -100) | ~hidden, batch.y, (batch.y + 1) % V))
    for told, given in ((other, batch), (output, changed)):
        assert task.loss(told, given) == task.loss(output, batch)
        assert task.errors(told, given) == task.errors(output, batch)
        assert task.distillation(told, teacher, given) == task.distillation(output, teacher, batch)
        meters = [task.meter(), task.meter()]
        meters[0].add(output, batch)
        meters[1].add(told, given)
        assert meters[0].values() == meters[1].values()


def test_distillation_of_the_truth_is_the_loss_and_its_gradient_keeps_its_size():
    task = LanguageModelling(V)
    output, batch = batch_of()
    certain = Output(1e4 * torch.nn.functional.one_hot(batch.y.clamp(min=0), V).float())
    assert task.distillation(output, certain, batch).item() == pytest.approx(task.loss(output, batch).item(), rel=1e-5)
    sizes = []
    for temperature in (4.0, 8.0):
        logits = output.logits.clone().requires_grad_()
        teacher = Output(output.logits.flip(0))
        task.distillation(Output(logits), teacher, batch, temperature=temperature).backward()
        sizes.append(logits.grad.norm().item())
    assert 0.8 < sizes[0] / sizes[1] < 1.25


def test_errors_are_shares_of_tokens_added_over_examples():
    task, (output, batch) = LanguageModelling(V), batch_of()
    expected = 0.0
    for b in range(B):
        asked = [t for t in range(T) if batch.y[b, t] != -100 and batch.x["attention_mask"][b, t]]
        expected += sum(int(output.logits[b, t].argmax()) != int(batch.y[b, t]) for t in asked) / len(asked)
    assert task.errors(output, batch).item() == pytest.approx(expected)


def test_nothing_asked_is_an_error_and_no_division_by_zero():
    output, batch = batch_of()
    blank = Batch(batch.x, torch.full_like(batch.y, -100))
    assert LanguageModelling(V).loss(output, blank) == 0
    meter = LanguageModelling(V).meter()
    meter.add(output, blank)
    with pytest.raises(RunError, match="Nothing was asked of 3 examples"):
        meter.values()


def refused(x, y, logits, words, **options):
    with pytest.raises(UsageError, match=words):
        LanguageModelling(V, **options).check(Output(logits), Batch(x, y), data="mine", classes=0)


def test_checks_name_what_does_not_fit():
    output, batch = batch_of(mask=False)
    x, y, logits = batch.x, batch.labels, output.logits
    LanguageModelling(V).check(output, batch, data="mine", classes=0)
    refused(x, y.float(), logits, r"int64 of shape \(3, T\), but the targets of mine are float32 \(3, 6\)")
    refused(x, y, logits[:, :-1], r"returns \(3, 5, 7\). Return 7 values for each of the 6 positions")
    refused(x, y, logits[..., :-1], "has 7 tokens, but the network returns 6 values")
    refused(x, y.masked_fill(y == 3, 9), logits, "have the token 9, but tokens go from 0 to 6")
    refused(x, y.masked_fill(y == 3, -1), logits, "have the token -1, but tokens")
    refused(x.masked_fill(x == 3, 7), y, logits, "inputs of mine have the token 7.*vocabulary has 7")
    refused(x.float(), y, logits, r"whole numbers, but the inputs are float32")
    refused({"text": x}, y, logits, "alone or as 'input_ids'")
    refused(x, torch.full_like(y, -100), logits, "ask for nothing: all are -100")
    refused(x, x, logits, r"inputs themselves.*shift=True")
    refused(x, torch.cat([x[:, 1:], x[:, :1]], 1), logits, r"one token ahead.*shift=False", shift=True)
    with pytest.raises(UsageError, match="vocabulary of 1 tokens"):
        LanguageModelling(1)


class Bigrams(torch.nn.Module):
    """Looks at one token alone, and at where it stands."""

    def __init__(self, tokens, length, width):
        super().__init__()
        self.embed, self.positions = torch.nn.Embedding(tokens, 16), torch.nn.Parameter(torch.zeros(length, 16))
        self.hidden, self.head = ElasticLinear(16, width), ElasticLinear(width, tokens)

    def forward(self, input_ids, attention_mask=None):
        return self.head(self.hidden(self.embed(input_ids) + self.positions[: input_ids.shape[1]]).relu())


def bigrams(length=16, tokens=12):
    torch.manual_seed(0)
    return Supernet(Bigrams(tokens, length, Choice("width", (8, 32))))


def counting(n=40, *, named=False, ahead=1):
    """Texts that count on from a random token, modulo 9."""
    first = torch.randint(9, (n, 1), generator=torch.Generator().manual_seed(0))
    tokens = (first + torch.arange(9)) % 9 + 3
    x, y = tokens[:, :8], tokens[:, ahead : 8 + ahead]
    fields = {"input_ids": x, "attention_mask": torch.ones_like(x)} if named else x
    split = TensorSplit(x=fields, y=y)
    return Data(name="counting", train=split, validation=split, shape=split.shape, task=LanguageModelling(12))


@pytest.mark.parametrize("named", [False, True])
def test_a_supernet_learns_to_count_and_a_resumed_training_is_the_same(named, tmp_path):
    data, recipe = counting(named=named), methods.sandwich().with_weights(lr=0.5, per=None)
    net, options = bigrams(), {"steps": 30, "batch_size": 8, "progress": False}
    fit(net, recipe, data, **options)
    for arch in (net.space.smallest(), net.space.largest()):
        found = measure.scores(net, arch, data)
        assert found.value == found["perplexity"] < 3
        assert found["token_accuracy"] > 0.9
    if named:
        again = bigrams()
        fit(again, recipe, data, **options, out=tmp_path / "run", stop_after=11, checkpoint_every=11)
        again = bigrams()
        fit(again, recipe, data, **options, out=tmp_path / "run", resume=True)
        assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))


def test_a_text_longer_than_the_positions_and_a_token_too_many_are_sentences():
    data, options = counting(), {"steps": 1, "batch_size": 8, "progress": False}
    with pytest.raises(UsageError, match=r"cannot take the inputs of counting, which are int64 \(2, 8\) with.*longest"):
        fit(bigrams(length=5), methods.spos(), data, **options)
    with pytest.raises(UsageError, match=r"cannot take the inputs of counting.*numbers from 3 to 11.*vocabulary"):
        fit(bigrams(tokens=7), methods.spos(), data, **options)


def test_a_text_is_continued():
    task = LanguageModelling(12)

    def counts(x):
        tokens = x if isinstance(x, torch.Tensor) else x["input_ids"]
        logits = 9.0 * torch.nn.functional.one_hot(tokens + 1, 13)
        logits[..., 10] -= 1  # so that no two texts of a beam are equally likely
        return Output(logits)

    begun = torch.tensor([[3, 4, 9, 9, 9, 9], [7, 0, 0, 0, 0, 0], [9, 10, 0, 0, 0, 0]])
    found = task.generate(counts, begun, end=11, pad=0, lengths=torch.tensor([2, 1, 2]))
    assert found.tolist() == [[5, 6, 7, 8, 11, 0], [8, 9, 10, 11, 0, 0], [11, 0, 0, 0, 0, 0]]
    mask = (torch.arange(6) < torch.tensor([2, 1, 2])[:, None]).long()
    named = {"input_ids": begun, "attention_mask": mask}
    assert torch.equal(task.generate(counts, named, end=11, pad=0, beam=2), found)
    assert task.generate(counts, named, end=11, pad=0, most=2)[0].tolist() == [5, 11, 0, 0, 0, 0]
    with pytest.raises(UsageError, match="not known where the texts"):
        task.generate(counts, begun, end=11, pad=0)


def test_texts_go_through_to_perplexity():
    data = causal_text("abcabcabd" * 60, vocabulary=259, length=8)
    net = bigrams(tokens=259)
    found = measure.scores(net, net.space.largest(), data)
    assert found["perplexity"] == pytest.approx(math.exp(found.loss), rel=1e-4)  # all examples are of one length
    assert data.outputs == 259
    assert data.task.chance(0) == math.log(259)
