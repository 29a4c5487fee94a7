import numpy as np
import pytest
import torch

from supernet.data import TensorSplit, Vocabulary, causal_text, from_datasets, text_pairs, verses
from supernet.data.derived.part import Part
from supernet.errors import UsageError
from supernet.tasks import LanguageModelling

PAIRS = [(f"number {n}", f"Nummer {n} {'x' * (n % 5)}") for n in range(60)]
WORDS = Vocabulary.byte_pairs([text for pair in PAIRS for text in pair], 280)


def test_byte_pairs_give_back_every_text_and_are_the_same_each_time():
    assert (WORDS.pad, WORDS.start, WORDS.end, WORDS.size) == (0, 1, 2, 280)
    for text in ("number 17", " two  spaces ", "元始に神天地を創造たまへり", "[end] of [pad]"):
        tokens = WORDS.tokens(text)
        assert WORDS.text([WORDS.start, *tokens, WORDS.end, 7, WORDS.pad]) == text
        assert all(2 < token < 280 for token in tokens)
    assert len(WORDS.tokens("Nummer")) == 1  # what occurs often is one token
    again = Vocabulary.byte_pairs([text for pair in PAIRS for text in pair], 280)
    assert again == WORDS
    assert repr(again) == repr(WORDS)
    assert repr(Vocabulary.byte_pairs(["other"], 280)) != repr(WORDS)


def test_pairs_are_filled_up_behind_marks_and_split_once():
    data = text_pairs(PAIRS, vocabulary=WORDS, length=12, validation=0.2, test=0.1, seed=3)
    seen = []
    for split, n in ((data.train, 42), (data.validation, 12), (data.test, 6)):
        (batch,) = split.batches(100)
        assert batch.size == n
        for b in range(n):
            source, target = (WORDS.text(t[b].tolist()) for t in (batch.x["input_ids"], batch.y))
            assert (source, target) in PAIRS
            seen.append(source)
            y, given, mask = (t[b].tolist() for t in (batch.y, batch.x["decoder_input_ids"], batch.x["attention_mask"]))
            end = y.index(WORDS.end)
            assert given == [WORDS.start, *y[:end], *[WORDS.pad] * (11 - end)]
            assert set(y[end + 1 :]) <= {WORDS.pad}
            assert mask == [int(token != WORDS.pad) for token in batch.x["input_ids"][b].tolist()]
    assert sorted(seen) == sorted(source for source, _ in PAIRS)
    assert [field.name for field in data.shape.fields] == ["input_ids", "attention_mask", "decoder_input_ids"]
    assert data.fingerprint() != text_pairs(PAIRS, vocabulary=WORDS, length=12, seed=4).fingerprint()


def test_pairs_that_are_too_long_are_dropped_cut_or_refused():
    longest = max(len(WORDS.tokens(text)) for pair in PAIRS for text in pair) + 1
    fits = [pair for pair in PAIRS if max(len(WORDS.tokens(text)) for text in pair) < longest - 1]
    options = {"vocabulary": WORDS, "length": longest - 1, "test": 0.0, "validation": 0.3}
    dropped = text_pairs(PAIRS, **options)
    assert len(dropped.train) + len(dropped.validation) == len(fits) < len(PAIRS)
    assert dropped.held_out is None
    cut = text_pairs(PAIRS, **options, longer="cut")
    assert len(cut.train) + len(cut.validation) == len(PAIRS)
    with pytest.raises(UsageError, match=f"has {longest} tokens .*Give length={longest}"):
        text_pairs(PAIRS, **options, longer="refuse")
    assert len(text_pairs(PAIRS, vocabulary=WORDS, length=longest, longer="refuse").train) == 48


def test_blocks_of_text_follow_on_one_another_and_splits_do_not_overlap():
    texts = ["".join(chr(97 + (7 * n + k) % 26) for k in range(50 + n)) for n in range(12)]
    words = Vocabulary.byte_pairs(texts[:1], 259)  # one token per letter
    data = causal_text(texts, vocabulary=words, length=9, validation=0.25, test=0.25)
    letters = "".join(texts)
    half, last = len(letters) // 2, round(0.75 * len(letters))
    for split, part in ((data.train, letters[:half]), (data.validation, letters[half:last])):
        x = torch.cat([batch.x for batch in split.batches(7)])
        y = torch.cat([batch.y for batch in split.batches(7)])
        assert torch.equal(x.flatten()[1:], y.flatten()[:-1])
        told = [words.text([token]) for token in x.flatten().tolist() if token != words.end]
        assert part.startswith("".join(told))
        assert len(part) - len(told) <= 10
    assert int((torch.cat([batch.x for batch in data.train.batches(9)]) == words.end).sum()) >= 4
    assert len(causal_text("a" * 500, vocabulary=words, length=9, test=0.0).train) > 40


def test_streams_start_anywhere_and_ranks_share_a_batch():
    split = text_pairs(PAIRS, vocabulary=WORDS, length=12).train
    walked = split.stream(6, seed=1)
    for _ in range(5):
        next(walked)
    late, expected = next(split.stream(6, seed=1, start=5)), next(walked)
    halves = [next(split.stream(3, seed=1, start=5, rank=r, world=2)) for r in (0, 1)]
    for name in expected.x:
        assert torch.equal(late.x[name], expected.x[name])
        assert torch.equal(torch.cat([half.x[name] for half in halves]), expected.x[name])
    part = Part(split, np.array([5, 2]))
    assert torch.equal(next(part.batches(2)).y, next(split.batches(60)).y[[5, 2]])
    assert torch.equal(next(split.head(4).batches(4)).y, next(split.batches(4)).y)


def test_tensors_of_values_are_held_out_of_and_told_apart():
    x, y = torch.randn(10, 3), torch.randn(10)
    split = TensorSplit(x=x, y=y)
    data = from_datasets(split, validation=0.3, task=LanguageModelling(5))  # any task without classes
    assert data.shape == (3,)
    assert (len(data.train), len(data.validation)) == (7, 3)
    assert split.fingerprint() != TensorSplit(x=x, y=y + 1).fingerprint()
    assert split.fingerprint() != TensorSplit(x={"x": x}, y=y).fingerprint()
    with pytest.raises(UsageError, match=r"targets are float32 \(10,\)"):
        _ = split.labels
    with pytest.raises(UsageError, match="counts the same examples"):
        TensorSplit(x=x, y=y[:9])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: text_pairs(PAIRS, vocabulary=100), "no room for the 256 bytes"),
        (lambda: text_pairs(PAIRS, vocabulary=WORDS, length=1), "of 1 tokens"),
        (lambda: text_pairs(PAIRS, vocabulary=WORDS, validation=1.5), "validation=1.5 is no share"),
        (lambda: text_pairs(PAIRS[:3], vocabulary=WORDS), "leave 3 to train on and 0 to validate"),
        (lambda: text_pairs([("a", " ")] * 9, vocabulary=WORDS), "Pair 0 of pairs of texts"),
        (lambda: text_pairs(PAIRS, vocabulary=WORDS, length=2), "No pair of the train part"),
        (lambda: text_pairs(PAIRS, vocabulary=WORDS, longer="ignore"), "longer='ignore'"),
        (lambda: causal_text("abc", vocabulary=WORDS), "train part of text has 3 tokens"),
        (lambda: causal_text("abc" * 99, vocabulary=WORDS, validation=0.5, test=0.5), "leave nothing to train"),
        (lambda: Vocabulary("{}", pad=0, start=1, end=2), "no JSON of tokenizers"),
        (lambda: Vocabulary(WORDS.tokenizer, pad=0, start=1, end=0), "Padding needs a token of its own"),
        (lambda: Vocabulary(WORDS.tokenizer, pad=0, start=1, end=280), "end=280 is no token"),
        (lambda: verses(number=2), "2 verses were asked for"),
    ],
)
def test_what_makes_no_sense_is_refused(make, words):
    with pytest.raises(UsageError, match=words):
        make()


def test_verses_stand_beside_their_translations():
    data = verses(number=40, vocabulary=300, length=200, validation=0.2, test=0.1)
    assert data.task.tokenize == "char"
    texts = {}
    for split in (data.train, data.validation, data.test):
        for batch in split.batches(50):
            rows = zip(batch.x["input_ids"].tolist(), batch.y.tolist(), strict=True)
            texts |= {data.task.words.text(source): data.task.words.text(target) for source, target in rows}
    assert len(texts) == len(data.train) + len(data.validation) + len(data.test) > 30
    assert all(text.isascii() and text[-1:] for text in texts)
    assert all(not text.isascii() for text in texts.values())
    assert data.fingerprint() == verses(number=40, vocabulary=300, length=200, validation=0.2, test=0.1).fingerprint()
    from supernet.data.verses import _aligned

    known = dict(_aligned())
    assert len(_aligned()) == 31069
    assert known["In the beginning God created the heavens and the earth."] == "元始に神天地を創造たまへり"
    assert all(known[source] == target for source, target in texts.items())
